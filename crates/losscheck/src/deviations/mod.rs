//! Known deviations: how backends are known to differ, and why.
//!
//! A deviation covers one kind of difference of one backend. It is strict in both directions: a difference that no deviation
//! covers is a finding, and so is a deviation of which a case does not differ (any more), or that matches no case.

pub mod conditions;
mod matcher;
mod policy;
mod record;
mod update;

pub use policy::{Known, Policy, Scope};
pub use record::{Deviation, Deviations, UNEXPLAINED};

/// The name under which PyTorch has its deviations: where its stored answers are not what its documentation says.
pub const PYTORCH: &str = "pytorch";
