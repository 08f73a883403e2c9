//! Errors in units in the last place, at a scale.

use losscheck_reference::{Float, Real, Wide};

use crate::tensor::{DType, power_of_two};

/// The unit in the last place of a dtype at a magnitude: the distance of neighbouring numbers of that size.
#[inline]
pub fn ulp(dtype: DType, magnitude: f64) -> f64 {
    let format = dtype.format();
    power_of_two(exponent(magnitude).max(format.min_exponent) - (format.precision - 1))
}

/// The floor of the binary logarithm of a positive finite number; that of the smallest normal f64 below it.
fn exponent(x: f64) -> i32 {
    ((x.to_bits() >> (f64::PRECISION - 1)) as i32).max(1) + (f64::MIN_EXPONENT - 1)
}

/// The largest finite number of a dtype.
pub fn largest(dtype: DType) -> f64 {
    dtype.format().largest
}

/// How far `actual` is from `exact`, in ULPs at the larger of the exact magnitude and `scale`. NaN agrees with NaN
/// alone, an infinity with itself; `None` where such a pair disagrees.
///
/// Numbers beyond the dtype's range round to infinity, and so may whatever sums up terms that are; of terms beyond any
/// range nothing is known.
pub fn distance(dtype: DType, exact: Wide, scale: Wide, actual: f64) -> Option<f64> {
    let expected = exact.to_f64();
    if expected.is_nan() || actual.is_nan() {
        let overflow = scale.to_f64() > largest(dtype) && expected.is_finite();
        return (expected.is_nan() && actual.is_nan() || overflow).then_some(0.0);
    }
    if expected.is_infinite() || actual.is_infinite() {
        let rounds = actual.is_infinite() && scale.abs().maximum(exact.abs()).to_f64() > largest(dtype);
        return (expected == actual || rounds && (expected > 0.0) == (actual > 0.0)).then_some(0.0);
    }
    // The terms may go beyond the dtype's range, though their sum does not.
    let magnitude = scale.abs().to_f64().max(expected.abs());
    if magnitude.is_infinite() {
        return Some(0.0);
    }
    Some((Wide::from_f64(actual) - exact).abs().to_f64() / ulp(dtype, magnitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulp_is_the_distance_of_neighbours() {
        for x in [1.0, 1.5, 1e-30, 3.4e38] {
            let up = f32::from_bits((x as f32).to_bits() + 1);
            assert_eq!(ulp(DType::F32, f64::from(x as f32)), f64::from(up) - f64::from(x as f32), "{x}");
        }
        assert_eq!(ulp(DType::F32, 0.0), f64::from(f32::from_bits(1)));
        assert_eq!(ulp(DType::F64, 0.0), f64::from_bits(1));
        assert_eq!(ulp(DType::F64, 1.0), f64::EPSILON);
    }

    #[test]
    fn distances() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        for (exact, scale, actual, expected) in [
            (1.0, 0.0, 1.0 + f64::EPSILON, Some(1.0)),
            (1.0, 4.0, 1.0 + f64::EPSILON, Some(0.25)),
            (nan, 1.0, nan, Some(0.0)),
            (nan, 1.0, 1.0, None),
            (1.0, 1.0, nan, None),
            (inf, inf, inf, Some(0.0)),
            (inf, inf, -inf, None),
            (inf, inf, nan, None),
            (1.0, inf, nan, Some(0.0)),
            (1.0, 1.0, inf, None),
        ] {
            let distance = distance(DType::F64, Wide::from_f64(exact), Wide::from_f64(scale), actual);
            assert_eq!(distance, expected, "{exact} {scale} {actual}");
        }
        let beyond = Wide::from_f64(1e39);
        assert_eq!(distance(DType::F32, beyond, beyond, inf), Some(0.0), "1e39 rounds to infinity in f32");
    }
}
