//! Cases: a loss with its options, its inputs and cotangent, and what is expected of it.

mod batch;
pub mod format;
pub mod parts;
pub mod python;
pub mod random;
pub mod versions;

use losscheck_reference::Real;

pub use losscheck_backend::case::{Answer, Case, Expected, ExpectedBy, Tolerance};

pub(crate) use batch::batch_axes;

use crate::loss::Inputs;

impl<R: Real> From<&Case> for Inputs<R> {
    fn from(case: &Case) -> Self {
        Self::new(case.loss.kind().signature(), &case.inputs, case.cotangent.as_ref(), case.dtype())
    }
}
