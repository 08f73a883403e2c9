//! How many ULPs, at the scale of [`LossSpec::error_scale`](crate::loss::LossSpec::error_scale), a careful
//! implementation may be off.

use crate::loss::{LossKind, Output};

/// Every result is a handful of rounded operations: an exponential and a logarithm within 1 ULP each, a few products and
/// sums, and the rounding of a reduction.
pub(crate) const DEFAULT: f64 = 8.0;

/// Returns the tolerance of one output of a loss, in ULPs.
pub fn tolerance(_loss: LossKind, _output: Output) -> f64 {
    DEFAULT
}
