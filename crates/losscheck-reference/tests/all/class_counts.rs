//! Rows of every length: vectors of a fixed one go through them, and what they leave over is where a class may be lost or
//! counted twice.

use losscheck_reference::{CrossEntropyLoss, DoubleDouble, Real, Reduction, cross_entropy};
use ndarray::{Array1, arr0};

/// Loss and gradient of a row of scores, as f64.
fn evaluated<R: Real>(scores: &[f32], class: usize) -> Vec<f64> {
    let scores: Array1<R> = scores.iter().map(|&x| R::from_f64(f64::from(x))).collect();
    let target = arr0(class as i64);
    let options = CrossEntropyLoss { reduction: Reduction::None, ..Default::default() };
    let (value, gradient) =
        cross_entropy(&scores, &target, options).value_and_gradient(None).expect("scores and a class");
    value.iter().chain(&gradient).map(|x| x.to_f64()).collect()
}

/// Scores of which no two are equal, the largest at `place`.
fn scores(classes: usize, place: usize) -> Vec<f32> {
    let score = |class: usize| if class == place { 1.5 } else { (class * 7 % 41) as f32 / 32.0 - 1.0 };
    (0..classes).map(score).collect()
}

#[track_caller]
fn assert_counted_once(scores: &[f32], class: usize) {
    let exact = evaluated::<DoubleDouble>(scores, class);
    for (dtype, actual, epsilon) in [
        ("f32", evaluated::<f32>(scores, class), f64::from(f32::EPSILON)),
        ("f64", evaluated::<f64>(scores, class), f64::EPSILON),
    ] {
        for (at, (&actual, &exact)) in actual.iter().zip(&exact).enumerate() {
            // A few roundings; a class too many or too few is a fiftieth.
            let close = (actual - exact).abs() <= 4.0 * epsilon * exact.abs();
            assert!(close, "{dtype}, {scores:?}, {class}, number {at}: {actual:e}, exact {exact:e}");
        }
    }
}

#[test]
fn cross_entropy_counts_every_class_once() {
    for classes in 1..=40 {
        for place in 0..classes {
            let scores = scores(classes, place);
            for class in [place, (place + 1) % classes] {
                assert_counted_once(&scores, class);
            }
        }
    }
}

#[test]
fn cross_entropy_counts_every_one_of_several_largest_classes() {
    for classes in 2..=40 {
        for (first, second) in (0..classes).flat_map(|second| (0..second).map(move |first| (first, second))) {
            let mut scores = scores(classes, first);
            scores[second] = scores[first];
            assert_counted_once(&scores, second);
        }
    }
}

#[test]
fn a_class_that_is_no_number_shows_in_rows_of_every_length() {
    for classes in 1..=40 {
        for place in 0..classes {
            let mut scores = scores(classes, 0);
            scores[place] = f32::NAN;
            assert!(evaluated::<f32>(&scores, 0)[0].is_nan(), "{classes} classes, NaN at {place}");
        }
    }
}

#[test]
fn the_loss_of_a_row_of_nan_is_nan() {
    for classes in 1..=40 {
        let scores = vec![f32::NAN; classes];
        for loss in
            [evaluated::<f32>(&scores, 0)[0], evaluated::<f64>(&scores, 0)[0], evaluated::<DoubleDouble>(&scores, 0)[0]]
        {
            assert!(loss.is_nan(), "{classes} classes: {loss}");
        }
    }
}
