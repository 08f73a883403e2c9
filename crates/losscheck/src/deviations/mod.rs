//! Known deviations: how backends are known to differ, and why.
//!
//! A deviation says which outputs of a backend are wrong, what the backend gives there, by how much a number may be off, and
//! under which condition. It is strict in both directions: a difference that no deviation covers is a finding, and so is a
//! deviation of which a golden does not differ (any more), or that matches no golden.

pub mod conditions;
mod coverage;
mod matcher;
mod measures;
mod policy;
mod record;
mod statement;
mod update;

pub use policy::{Explained, Known, Policy, Scope};
pub use record::{Deviation, Deviations, JudgedBy, UNEXPLAINED};
pub use statement::{Bound, Gives, Statement, Unit};
pub use update::Judged;

/// The name under which PyTorch has its deviations: where its stored answers are not what its documentation says.
pub const PYTORCH: &str = "pytorch";
