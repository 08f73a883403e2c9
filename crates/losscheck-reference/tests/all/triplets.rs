//! The distances of triplets at the edges of range and at 0, the smallest difference as a norm, and long vectors.

use losscheck_reference::{
    Distance, Error, ManhattanDistance, PairwiseDistance, Real, Reduction, TripletMarginLoss, triplet_margin_loss,
};
use ndarray::{Array1, Array2, ArrayView1};

/// The distance of a vector from 0, and its slopes.
fn distance_and_slopes<R: Real>(p: f64, a: &[R]) -> (f64, Vec<f64>) {
    let (distance, zeros) = (PairwiseDistance { p, eps: 0.0 }, vec![R::ZERO; a.len()]);
    let (mut by_a, mut by_b) = (vec![R::Working::ZERO; a.len()], vec![R::Working::ZERO; a.len()]);
    let norm = distance.distance(a, &zeros);
    distance.pullback(R::Working::ONE, norm, [a, &zeros])([a, &zeros], [&mut by_a, &mut by_b]);
    assert!(by_a.iter().zip(&by_b).all(|(a, b)| *a == -*b), "{by_a:?} {by_b:?}");
    (norm.to_f64(), by_a.iter().map(|slope| slope.to_f64()).collect())
}

#[test]
fn a_slope_is_in_range_where_its_ratio_is_not() {
    let (norm, slopes) = distance_and_slopes(1.5, &[1e-30_f32, 1e20]);
    assert!((norm / 1e20 - 1.0).abs() < 1e-6, "{norm}");
    assert!((slopes[0] / 1e-25 - 1.0).abs() < 1e-6, "(1e-50)^0.5: {slopes:?}");
    let (_, slopes) = distance_and_slopes(1.5, &[2e38_f32, -2e38, 1e-3]);
    assert!((slopes[0] - 2f64.powf(-1.0 / 3.0)).abs() < 1e-6, "the norm is out of range: {slopes:?}");
    assert_eq!(slopes[1], -slopes[0]);
    let (norm, slopes) = distance_and_slopes(1.5, &[1e-200, 1e200]);
    assert_eq!((norm, slopes[1]), (1e200, 1.0));
    assert!((slopes[0] / 1e-200 - 1.0).abs() < 1e-12, "(1e-400)^0.5: {slopes:?}");
}

#[test]
fn a_norm_is_in_range_where_its_square_is_not() {
    for scale in [1e-170, 1e170] {
        let (norm, slopes) = distance_and_slopes(2.0, &[3.0 * scale, -4.0 * scale]);
        assert!((norm / (5.0 * scale) - 1.0).abs() < 1e-15, "{norm}");
        assert!((slopes[0] - 0.6).abs() < 1e-15 && (slopes[1] + 0.8).abs() < 1e-15, "{scale}: {slopes:?}");
    }
}

#[test]
fn the_gradients_of_a_mean_are_those_of_the_sum_divided_by_the_rows() {
    let [a, p, n] =
        [5, 7, 11].map(|step| Array2::from_shape_fn((4, 3), |(i, j)| ((i * 3 + j) * step % 13) as f64 / 8.0));
    let gradients = |reduction| {
        let options = TripletMarginLoss { reduction, ..Default::default() };
        triplet_margin_loss(&a, &p, &n, options).value_and_gradients(None).expect("rows of three vectors").1
    };
    let of_sum = gradients(Reduction::Sum);
    assert!(of_sum[0].iter().any(|x| *x != 0.0));
    assert_eq!(gradients(Reduction::Mean), of_sum.map(|gradient| gradient / 4.0));
}

#[test]
fn minus_infinity_takes_the_smallest_difference() {
    assert_eq!(distance_and_slopes(f64::NEG_INFINITY, &[3.0_f32, -2.0, 4.0]), (2.0, vec![0.0, -1.0, 0.0]));
    assert_eq!(distance_and_slopes(f64::NEG_INFINITY, &[-2.0_f32, 5.0, 2.0]), (2.0, vec![-0.5, 0.0, 0.5]));
}

#[test]
fn a_vector_of_another_length_is_named() {
    let [whole, part, more] = [4, 2, 3].map(Array1::<f64>::zeros);
    // Either of the shorter ones could be stretched if it had one element; the first of them is named.
    let refused = triplet_margin_loss(&whole, &part, &more, TripletMarginLoss::default()).value();
    assert!(matches!(refused, Err(Error::Shape { name: "positive", .. })), "{refused:?}");
}

#[test]
fn a_norms_slope_at_0_is_0_beside_any_cotangent() {
    fn slopes(distance: impl Distance, cotangent: f64) -> [f64; 2] {
        let (a, b) = ([0.5, 3.0], [0.5, 1.0]);
        let norm = distance.distance(&a, &b);
        let (mut by_a, mut by_b) = ([1.0; 2], [1.0; 2]);
        distance.pullback(cotangent, norm, [&a, &b])([&a, &b], [&mut by_a, &mut by_b]);
        [by_a[0], by_b[0]]
    }
    for cotangent in [1.0, f64::INFINITY, f64::NAN] {
        assert_eq!(slopes(ManhattanDistance, cotangent), [0.0; 2], "{cotangent}");
        for p in [0.0, 1.0, 1.5, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(slopes(PairwiseDistance { p, eps: 0.0 }, cotangent), [0.0; 2], "p {p}, {cotangent}");
        }
    }
}

#[test]
fn long_vectors_are_pulled_back_whole() {
    const EPS: f64 = 1e-6;
    for length in [2, 31, 32, 33, 64, 70, 100] {
        let vector = |step: usize| -> Vec<f64> { (0..length).map(|i| (i * step % 13) as f64 / 16.0 - 0.375).collect() };
        let (a, p, n) = (vector(5), vector(7), vector(11));
        let norm = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b + EPS).powi(2)).sum::<f64>().sqrt();
        let slope = |a: &[f64], b: &[f64], at: usize| (a[at] - b[at] + EPS) / norm(a, b);
        for swap in [false, true] {
            let is_swapped = swap && norm(&p, &n) < norm(&a, &n);
            let nearest = if is_swapped { norm(&p, &n) } else { norm(&a, &n) };
            let exact = |at: usize| {
                let (to_positive, own, between) = (slope(&a, &p, at), slope(&a, &n, at), slope(&p, &n, at));
                if is_swapped {
                    [to_positive, -to_positive - between, between]
                } else {
                    [to_positive - own, -to_positive, own]
                }
            };
            let options = TripletMarginLoss { swap, ..Default::default() };
            let [anchor, positive, negative] = [&a, &p, &n].map(ArrayView1::from);
            let (value, gradients) = triplet_margin_loss(anchor, positive, negative, options)
                .value_and_gradients(None)
                .expect("three vectors of a length");
            let value = value.iter().sum::<f64>();
            let shortfall = 1.0 + norm(&a, &p) - nearest;
            assert!(shortfall > 0.0 && (value - shortfall).abs() < 1e-14, "{length}, {swap}: {value}, {shortfall}");
            for at in 0..length {
                for (gradient, exact) in gradients.iter().zip(exact(at)) {
                    let close = (gradient[at] - exact).abs() <= 1e-14;
                    assert!(close, "length {length}, swap {swap}, element {at}: {}, exact {exact}", gradient[at]);
                }
            }
        }
    }
}
