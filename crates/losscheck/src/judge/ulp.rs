//! Errors in units in the last place, at a scale.

use losscheck_reference::{DoubleDouble, Real};

use crate::tensor::{DType, power_of_two};

/// How far `actual` is from `exact`, in ULPs at the larger of the exact magnitude and `scale`. NaN agrees with NaN
/// alone, an infinity with itself; `None` where such a pair disagrees.
///
/// Numbers beyond the dtype's range round to infinity, and so may whatever sums up terms that are; of terms beyond any
/// range nothing is known.
pub fn distance(dtype: DType, exact: DoubleDouble, scale: DoubleDouble, actual: f64) -> Option<f64> {
    let expected = exact.to_f64();
    if expected.is_nan() || actual.is_nan() {
        let overflow = scale.to_f64() > dtype.format().largest && expected.is_finite();
        return (expected.is_nan() && actual.is_nan() || overflow).then_some(0.0);
    }
    if expected.is_infinite() || actual.is_infinite() {
        let rounds = actual.is_infinite() && scale.abs().maximum(exact.abs()).to_f64() > dtype.format().largest;
        // Terms that cancel to 0 may go beyond either end of the range before they do.
        let same_end = expected == 0.0 || (expected > 0.0) == (actual > 0.0);
        return (expected == actual || rounds && same_end).then_some(0.0);
    }
    // The terms may go beyond the dtype's range, though their sum does not.
    let magnitude = scale.abs().to_f64().max(expected.abs());
    if magnitude.is_infinite() {
        return Some(0.0);
    }
    Some((DoubleDouble::from_f64(actual) - exact).abs().to_f64() / dtype.format().ulp(magnitude))
}

/// A quick way to see that most numbers are within so many ULPs of others, without their exact distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near {
    relative: f64,
    absolute: f64,
}

impl Near {
    /// The numbers that are sure to be fewer than that many ULPs away. One of these is kept back for what the comparison
    /// rounds, and for what f64 does not have of an exact number.
    pub(crate) fn new(dtype: DType, ulps: f64) -> Self {
        let format = dtype.format();
        // An ULP of x is more than x / 2^precision, and no less than the smallest positive number.
        let ulps = ulps - 1.0;
        Self {
            relative: ulps * power_of_two(-format.precision),
            absolute: ulps * power_of_two(format.lowest_exponent()),
        }
    }

    /// Whether a number is so near to an exact one; never if either is infinite or NaN.
    #[inline]
    pub(crate) fn to(self, exact: f64, actual: f64) -> bool {
        // Of an infinite number both sides are infinite, and neither is less.
        (actual - exact).abs() < (self.relative * exact.abs()).max(self.absolute)
    }
}
