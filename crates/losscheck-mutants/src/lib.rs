//! The suite's own teeth: wrong losses, each a backend over the reference, that it has to catch.
//!
//! A [`Mutant`] answers as the reference does but for one mistake. [`catalogue`] has the mistakes that real frameworks
//! made, with the issue that tells of each, and the systematic ones: an option ignored, a wrong denominator, a gradient
//! of the wrong sign, NaN swallowed. [`score`] says which of the suite's checks catches which.
//!
//! The module [`random`] measures how much known deviations and rules let pass when random cases are judged.

mod families;
mod mutant;
pub mod random;
mod score;

pub use families::catalogue;
pub use mutant::{Mutant, Source};
pub use score::{Check, Score, Suite, score};
