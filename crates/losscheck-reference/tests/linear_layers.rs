//! Scores of linear layers for batches of every size: which way their sums are worked out depends on it.

use losscheck_reference::{LinearCrossEntropyLoss, Loss, Real, Reduction, Wide};
use ndarray::{ArrayD, IxDyn};

const FEATURES: usize = 200;
const CLASSES: usize = 37;

/// Weights whose first stretch is large, the next small, and the last what cancels the first.
fn weight(class: usize, feature: usize) -> f64 {
    let small = (class * 31 + feature * 17) as f64 * 1e-5 / 3.0;
    match feature {
        0..64 => 1e12 + (class + feature) as f64,
        136.. => -weight(class, FEATURES - 1 - feature),
        _ => small,
    }
}

fn losses<R: Real>(samples: usize) -> Vec<f64> {
    let matrix = |rows: usize, number: &dyn Fn(usize, usize) -> f64| {
        ArrayD::from_shape_fn(IxDyn(&[rows, FEATURES]), |at| R::from_f64(number(at[0], at[1])))
    };
    let input = matrix(samples, &|sample, feature| {
        let paired = feature.min(FEATURES - 1 - feature);
        1.0 + sample as f64 / 64.0 + (paired % 3) as f64 / 4.0
    });
    let linear_weight = matrix(CLASSES, &weight);
    let target = ArrayD::from_shape_fn(IxDyn(&[samples]), |at| (at[0] * 5 % CLASSES) as i64);
    let loss = LinearCrossEntropyLoss { reduction: Reduction::None, ..Default::default() };
    let inputs = (input.view(), linear_weight.view(), None, target.view());
    loss.value(inputs).expect("a batch").iter().map(|x| x.to_f64()).collect()
}

#[test]
fn scores_in_f64_keep_what_their_sums_lose() {
    for samples in [1, 2, 3, 4, 7, 15, 16, 17, 33] {
        let (actual, exact) = (losses::<f64>(samples), losses::<Wide>(samples));
        for (sample, (&actual, &exact)) in actual.iter().zip(&exact).enumerate() {
            // A few roundings; each of the large terms would alone lose ten orders of magnitude more.
            assert!(
                (actual - exact).abs() <= 1e-14 * exact,
                "sample {sample} of {samples}: {actual:e}, exact {exact:e}"
            );
        }
    }
}
