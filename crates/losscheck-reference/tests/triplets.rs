//! The distances of triplets at the edges of range, and the smallest difference as a norm.

use losscheck_reference::{Distance, PairwiseDistance};

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
