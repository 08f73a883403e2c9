//! What evaluates a case: the reference, and how any backend is called.

pub mod call;
pub mod reference;

pub use losscheck_backend::backend::{Backend, Coverage, Outcome, Pass};
pub use losscheck_backend::pytorch::{PytorchVersion, SlopeAtKink};

use crate::loss::Outputs;

impl From<Pass> for Outputs {
    fn from(pass: Pass) -> Self {
        match pass {
            Pass::Forward => Self::Value,
            Pass::ForwardAndGradient => Self::FirstGradient,
        }
    }
}
