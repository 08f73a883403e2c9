//! How many ULPs, at the scale of [`Definition::magnitudes`](crate::definition::Definition::magnitudes), a careful
//! implementation may be off.

use crate::definition::Output;
use crate::loss::LossKind;

/// Every result is a handful of rounded operations: an exponential and a logarithm within 1 ULP each, a few products and
/// sums, and the rounding of a reduction.
pub(crate) const DEFAULT: f64 = 8.0;

/// The budget of one output of a loss, in ULPs.
pub fn budget(_loss: LossKind, _output: Output) -> f64 {
    DEFAULT
}
