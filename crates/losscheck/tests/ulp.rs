//! Errors in units in the last place.

use losscheck::judge::ulp::distance;
use losscheck::tensor::DType;
use losscheck_reference::{DoubleDouble, Real};

#[test]
fn a_ulp_is_the_distance_of_neighbours() {
    for x in [1.0, 1.5, 1e-30, 3.4e38] {
        let up = f32::from_bits((x as f32).to_bits() + 1);
        assert_eq!(DType::F32.format().ulp(f64::from(x as f32)), f64::from(up) - f64::from(x as f32), "{x}");
    }
    assert_eq!(DType::F32.format().ulp(0.0), f64::from(f32::from_bits(1)));
    assert_eq!(DType::F64.format().ulp(0.0), f64::from_bits(1));
    assert_eq!(DType::F64.format().ulp(1.0), f64::EPSILON);
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
        (1.0, inf, inf, Some(0.0)),
        (1.0, inf, -inf, None),
        (0.0, inf, inf, Some(0.0)),
        (0.0, inf, -inf, Some(0.0)),
    ] {
        let distance = distance(DType::F64, DoubleDouble::from_f64(exact), DoubleDouble::from_f64(scale), actual);
        assert_eq!(distance, expected, "{exact} {scale} {actual}");
    }
    let beyond = DoubleDouble::from_f64(1e39);
    assert_eq!(distance(DType::F32, beyond, beyond, inf), Some(0.0), "1e39 rounds to infinity in f32");
}
