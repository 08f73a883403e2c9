//! The options of PyTorch's loss functions: plain structs with PyTorch's names, defaults and meaning.
//!
//! Every implementation in this repository takes these structs, so that a loss is configured in one way wherever it is
//! computed.
//! A tensor, such as the weights of the classes, is not an option but an input of a loss.
//!
//! ```
//! use losscheck_options::{CrossEntropyLoss, Reduction};
//!
//! let options = CrossEntropyLoss { label_smoothing: 0.1, ..Default::default() };
//! assert_eq!((options.ignore_index, options.reduction), (-100, Reduction::Mean));
//! ```
//!
//! [`LossKind`] lists the losses, [`Loss`] is one of them with its options, and [`LossOptions`] says which tensors it takes.
//!
//! # Features
//!
//! - `serde` reads and writes the options with PyTorch's names, as the golden format has them.
//! - `schema` describes them in JSON Schema.

mod classes;
mod elements;
mod loss;
#[cfg(feature = "serde")]
pub mod number;
mod reduction;
mod sequences;
mod signature;
mod vectors;

pub use classes::*;
pub use elements::*;
pub use loss::{Loss, LossKind, LossOptions};
pub use reduction::{KLDivReduction, Reduction, UnknownReduction};
pub use sequences::*;
pub use signature::{Output, Signature};
pub use vectors::*;
