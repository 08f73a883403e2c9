//! Large inputs are worked on in parts, and on several threads: that does not show.

use losscheck_reference::{
    CTCLoss, CrossEntropyLoss, HuberLoss, LinearCrossEntropyLoss, Loss, MSELoss, Reduction, TripletMarginLoss,
};
use ndarray::{ArrayD, Axis, IxDyn};

fn scattered(shape: &[usize], seed: usize) -> ArrayD<f32> {
    let mut state = seed as u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 * 4.0 - 2.0
    };
    ArrayD::from_shape_simple_fn(IxDyn(shape), &mut next)
}

fn classes(rows: usize, classes: usize) -> ArrayD<i64> {
    ArrayD::from_shape_fn(IxDyn(&[rows]), |row| (row[0] * 7919 % classes) as i64)
}

fn bits(arrays: &[ArrayD<f32>]) -> Vec<Vec<u32>> {
    arrays.iter().map(|array| array.iter().map(|x| x.to_bits()).collect()).collect()
}

/// Runs the same on one thread and on three.
fn assert_same(what: &str, run: impl Fn() -> Vec<ArrayD<f32>> + Send + Sync) {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        bits(&pool.install(&run))
    };
    assert!(on(1) == on(3), "{what}: another result on three threads");
}

#[test]
fn the_number_of_threads_does_not_show() {
    for reduction in [Reduction::Mean, Reduction::None] {
        let (x, t) = (scattered(&[1 << 20], 1), scattered(&[1 << 20], 2));
        assert_same("mse", || {
            let (value, gradients) =
                MSELoss { reduction, ..Default::default() }.value_and_gradients((x.view(), t.view()), None).unwrap();
            [value].into_iter().chain(gradients).collect()
        });
        // Broadcast, so that one gradient is a sum over rows and the other over columns.
        let (x, t) = (scattered(&[1024, 1024], 3), scattered(&[1024, 1], 4));
        assert_same("huber", || {
            let loss = HuberLoss { reduction, ..Default::default() };
            let (value, gradients) = loss.value_and_gradients((x.view(), t.view()), None).unwrap();
            [value].into_iter().chain(gradients).collect()
        });
        let (x, t) = (scattered(&[1024, 1000], 5), classes(1024, 1000));
        assert_same("cross-entropy", || {
            let loss = CrossEntropyLoss { reduction, ..Default::default() };
            let (value, gradient) = loss.value_and_gradient((x.view(), t.view()), None).unwrap();
            vec![value, gradient]
        });
        let [a, p, n] = [6, 7, 8].map(|seed| scattered(&[1024, 600], seed));
        assert_same("triplet margin", || {
            let loss = TripletMarginLoss { reduction, ..Default::default() };
            let (value, gradients) = loss.value_and_gradients((a.view(), p.view(), n.view()), None).unwrap();
            [value].into_iter().chain(gradients).collect()
        });
        let log_probs = scattered(&[300, 8, 20], 9).mapv(|x| x - 4.0);
        let targets = ArrayD::from_shape_fn(IxDyn(&[8, 30]), |at| (1 + (at[0] * 31 + at[1] * 7) % 19) as i64);
        let (steps, labels) = (ArrayD::from_elem(IxDyn(&[8]), 300_i64), ArrayD::from_elem(IxDyn(&[8]), 30_i64));
        assert_same("CTC", || {
            let loss = CTCLoss { reduction, ..Default::default() };
            let inputs = (log_probs.view(), targets.view(), steps.view(), labels.view());
            let (value, gradient) = loss.value_and_gradient(inputs, None).unwrap();
            vec![value, gradient]
        });
    }
}

/// More samples than a part has, and more outputs than are summed at once.
#[test]
fn linear_cross_entropy_is_cross_entropy_after_the_layer() {
    let [samples, features, outputs] = [150, 5, 1000];
    let (x, w) = (scattered(&[samples, features], 1), scattered(&[outputs, features], 2));
    let target = classes(samples, outputs);
    let loss = LinearCrossEntropyLoss::default();
    let inputs = (x.view(), w.view(), None, target.view());
    let (value, [by_x, by_w, _]) = loss.value_and_gradients(inputs.clone(), None).unwrap();
    assert_same("linear cross-entropy", || {
        let (value, gradients) = loss.value_and_gradients(inputs.clone(), None).unwrap();
        [value].into_iter().chain(gradients).collect()
    });

    let wide = |array: &ArrayD<f32>, rows, columns| {
        array.mapv(f64::from).into_shape_with_order((rows, columns)).expect("as many elements")
    };
    let (x, w) = (wide(&x, samples, features), wide(&w, outputs, features));
    let scores = x.dot(&w.t());
    let (expected, by_scores) =
        CrossEntropyLoss::default().value_and_gradient((scores.view().into_dyn(), target.view()), None).unwrap();
    let close = |actual: &ArrayD<f32>, expected: ArrayD<f64>| {
        let scale = expected.iter().fold(0.0_f64, |scale, x| scale.max(x.abs()));
        actual.iter().zip(&expected).all(|(&x, &y)| (f64::from(x) - y).abs() <= 1e-6 * scale)
    };
    let by_scores = by_scores.into_shape_with_order((samples, outputs)).expect("as many elements");
    assert!(close(&value, expected), "value");
    assert!(close(&by_x, by_scores.dot(&w).into_dyn()), "gradient of the input");
    assert!(close(&by_w, by_scores.t().dot(&x).into_dyn()), "gradient of the weight");
    assert_eq!(by_w.len_of(Axis(0)), outputs);
}
