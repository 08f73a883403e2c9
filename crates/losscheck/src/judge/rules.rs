//! The rules by which a number may be other than the exact one: one function for each.

use losscheck_reference::{DoubleDouble, Real};

use super::oracle::ExactAnswer;
use super::ulp::distance;
use crate::loss::Output;
use crate::tensor::DType;

/// A number of an answer that is not obviously right.
pub(super) struct Number<'a> {
    pub(super) answer: &'a ExactAnswer,
    pub(super) output: Output,
    pub(super) dtype: DType,
    /// The place of the number in its output, in row-major order.
    pub(super) index: usize,
    pub(super) exact: DoubleDouble,
    pub(super) actual: f64,
}

impl Number<'_> {
    /// Returns how far the number is from another at a scale, in ULPs; `None` if there is no number for it, as between NaN
    /// and a finite number. A chosen index is as far off as the number that it names is smaller than the largest.
    pub(super) fn distance_from(&self, expected: DoubleDouble, scale: DoubleDouble) -> Option<f64> {
        let candidates = self.answer.argmax_candidates().filter(|_| self.output == Output::Value);
        match candidates {
            Some(candidates) => candidates.distance(self.index, expected, self.actual),
            None => distance(self.dtype, expected, scale, self.actual),
        }
    }

    /// The slope of a hinge is one number or another, and beside the kink the last digit of a sum decides which. The number
    /// may be off by the difference of the two, and by the tolerance besides.
    pub(super) fn may_jump(&self, jump: DoubleDouble, scale: DoubleDouble, tolerance: f64) -> bool {
        let magnitude = scale.abs().maximum(self.exact.abs()).to_f64();
        let error = (DoubleDouble::from_f64(self.actual) - self.exact).abs();
        jump > DoubleDouble::ZERO && (error - jump).to_f64() <= tolerance * self.dtype.format().ulp(magnitude)
    }

    /// The oracle has the exponents of f64, so near the smallest number of that dtype its own intermediate results underflow.
    /// There a number of f64 may be any other that is as small.
    pub(super) fn may_underflow(&self) -> bool {
        let is_tiny = |x: f64| x.abs() < smallest_exact();
        self.dtype == DType::F64 && is_tiny(self.exact.to_f64()) && is_tiny(self.actual)
    }

    /// An intermediate result may overflow if a tensor, the loss of an element or its slope comes near the end of the range, in
    /// a part of the case that has a say in the number.
    /// Then the number may be infinite or NaN although the exact one is not. The oracle has the exponents of f64, so near
    /// the end of that range it may be the exact number that overflows.
    pub(super) fn may_overflow(&self) -> bool {
        if !self.answer.overflows_at(self.output, self.index) {
            return false;
        }
        let is_near_end = || self.actual.abs() > near_largest(self.dtype);
        let sums_overflow = || self.output == Output::Value && self.answer.sums_overflow();
        let is_index = || self.output == Output::Value && self.answer.argmax_candidates().is_some();
        let is_infinite = !self.exact.to_f64().is_finite();
        // Where the oracle leaves the range of f64 itself, nothing is known.
        let oracle_overflows = is_infinite && self.dtype == DType::F64;
        !self.actual.is_finite() || oracle_overflows || is_infinite && (is_near_end() || sums_overflow()) || is_index()
    }
}

/// Returns from where on an intermediate result may overflow: within a factor of 2^24 of the end of the range, but of 2^4 for
/// f16, whose range is no larger.
pub(crate) fn near_largest(dtype: DType) -> f64 {
    dtype.format().largest * 2f64.powi(if dtype == DType::F16 { -4 } else { -24 })
}

/// Returns below which magnitude a product in double-double arithmetic may lose digits: within a factor of 2^110 of the smallest
/// normal number.
fn smallest_exact() -> f64 {
    DType::F64.format().smallest_normal() * 2f64.powi(110)
}
