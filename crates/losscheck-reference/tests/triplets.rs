//! The distances of triplets at the edges of range, the smallest difference as a norm, and vectors of many parts.

use losscheck_reference::{Distance, Loss, ManhattanDistance, PairwiseDistance, Real, TripletMarginLoss, Wide};
use ndarray::{ArrayD, IxDyn};

fn distance_and_slopes(p: f64, a: &[f32]) -> (f32, Vec<f32>) {
    let (distance, zeros) = (PairwiseDistance { p, eps: 0.0 }, vec![0.0; a.len()]);
    let (mut by_a, mut by_b) = (vec![0.0; a.len()], vec![0.0; a.len()]);
    let norm = distance.distance(a, &zeros);
    distance.pullback(1.0, norm, [a, &zeros])([a, &zeros], [&mut by_a, &mut by_b]);
    assert!(by_a.iter().zip(&by_b).all(|(a, b)| *a == -b), "{by_a:?} {by_b:?}");
    (norm as f32, by_a.into_iter().map(|slope| slope as f32).collect())
}

#[test]
fn a_slope_is_in_range_where_its_ratio_is_not() {
    let (norm, slopes) = distance_and_slopes(1.5, &[1e-30, 1e20]);
    assert_eq!(norm, 1e20);
    assert!((slopes[0] / 1e-25 - 1.0).abs() < 1e-6, "(1e-50)^0.5: {slopes:?}");
    let (_, slopes) = distance_and_slopes(1.5, &[2e38, -2e38, 1e-3]);
    assert!((slopes[0] - 2f32.powf(-1.0 / 3.0)).abs() < 1e-6, "the norm is out of range: {slopes:?}");
    assert_eq!(slopes[1], -slopes[0]);
}

#[test]
fn minus_infinity_takes_the_smallest_difference() {
    assert_eq!(distance_and_slopes(f64::NEG_INFINITY, &[3.0, -2.0, 4.0]), (2.0, vec![0.0, -1.0, 0.0]));
    assert_eq!(distance_and_slopes(f64::NEG_INFINITY, &[-2.0, 5.0, 2.0]), (2.0, vec![-0.5, 0.0, 0.5]));
}

#[test]
fn a_slope_of_0_is_0_beside_any_cotangent() {
    fn slopes(distance: impl Distance, cotangent: f64) -> [f64; 2] {
        let (a, b) = ([0.5, 3.0], [0.5, 1.0]);
        let norm = distance.distance(&a, &b);
        let (mut by_a, mut by_b) = ([1.0; 2], [1.0; 2]);
        distance.pullback(cotangent, norm, [&a, &b])([&a, &b], [&mut by_a, &mut by_b]);
        [by_a[0], by_b[0]]
    }
    for cotangent in [1.0, f64::INFINITY, f64::NAN] {
        assert_eq!(slopes(ManhattanDistance, cotangent), [0.0; 2], "{cotangent}");
        for p in [0.0, 1.0, 1.5, 3.0] {
            assert_eq!(slopes(PairwiseDistance { p, eps: 0.0 }, cotangent), [0.0; 2], "p {p}, {cotangent}");
        }
    }
}

#[test]
fn long_vectors_are_pulled_back_whole() {
    /// Loss and gradients of a triplet, as f64.
    fn evaluated<R: Real>(length: usize, swap: bool) -> Vec<f64> {
        let vector = |step: usize| {
            ArrayD::from_shape_fn(IxDyn(&[length]), |at| R::from_f64((at[0] * step % 13) as f64 / 16.0 - 0.375))
        };
        let (a, p, n) = (vector(5), vector(7), vector(11));
        // So large that the hinge is open whatever the vectors are.
        let loss = TripletMarginLoss { margin: 1e4, swap, ..Default::default() };
        let (value, gradients) =
            loss.value_and_gradients((a.view(), p.view(), n.view()), None).expect("three vectors of a length");
        value.iter().chain(gradients.iter().flatten()).map(|x| x.to_f64()).collect()
    }
    for length in [1, 31, 32, 33, 64, 70, 100] {
        for swap in [false, true] {
            let (actual, exact) = (evaluated::<f32>(length, swap), evaluated::<Wide>(length, swap));
            for (at, (actual, exact)) in actual.into_iter().zip(exact).enumerate() {
                // The 1e-6 that is added to a difference is not the same number in f32.
                let close = (actual - exact).abs() <= f64::from(f32::EPSILON) * exact.abs() + 1e-12;
                assert!(close, "length {length}, swap {swap}, number {at}: {actual:e}, exact {exact:e}");
            }
        }
    }
}
