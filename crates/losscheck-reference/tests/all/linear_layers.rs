//! Scores of linear layers for batches of every size: which way their sums are worked out depends on it.

use losscheck_reference::{
    CrossEntropyLoss, DoubleDouble, LinearCrossEntropyLoss, Real, Reduction, cross_entropy, linear_cross_entropy,
};
use ndarray::{Array1, Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewD, Axis, Ix2, IxDyn, array};

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
        Array2::from_shape_fn((rows, FEATURES), |(row, feature)| R::from_f64(number(row, feature)))
    };
    let input = matrix(samples, &|sample, feature| {
        let paired = feature.min(FEATURES - 1 - feature);
        1.0 + sample as f64 / 64.0 + (paired % 3) as f64 / 4.0
    });
    let linear_weight = matrix(CLASSES, &weight);
    let target = Array1::from_shape_fn(samples, |sample| (sample * 5 % CLASSES) as i64);
    let options = LinearCrossEntropyLoss { reduction: Reduction::None, ..Default::default() };
    let value = linear_cross_entropy(&input, &linear_weight, &target, options).value().expect("a batch");
    value.iter().map(|x| x.to_f64()).collect()
}

#[test]
fn scores_in_f64_keep_what_their_sums_lose() {
    for samples in [1, 2, 3, 4, 7, 15, 16, 17, 33] {
        let (actual, exact) = (losses::<f64>(samples), losses::<DoubleDouble>(samples));
        for (sample, (&actual, &exact)) in actual.iter().zip(&exact).enumerate() {
            // A few roundings; each of the large terms would alone lose ten orders of magnitude more.
            assert!(
                (actual - exact).abs() <= 1e-14 * exact,
                "sample {sample} of {samples}: {actual:e}, exact {exact:e}"
            );
        }
    }
}

#[test]
fn an_ignored_sample_counts_for_nothing_whatever_it_holds() {
    let linear_weight = array![[0.5, -1.25], [0.75, 0.25], [-0.5, 1.5]];
    let linear_bias = array![0.125, -0.25, 0.0];
    let gradients = |numbers: &[f64], target: &[i64]| {
        let input = ArrayView2::from_shape((target.len(), 2), numbers).expect("two numbers for each sample");
        linear_cross_entropy(input, &linear_weight, ArrayView1::from(target), LinearCrossEntropyLoss::default())
            .linear_bias(&linear_bias)
            .value_and_gradients(None)
            .expect("a batch")
    };
    let (value, [by_input, by_weight, by_bias]) = gradients(&[1.0, -0.5, 2.0, 0.25], &[2, 0]);
    for number in [f64::INFINITY, f64::NAN, 1e308] {
        for row in 0..3 {
            let (mut numbers, mut target) = (vec![1.0, -0.5, 2.0, 0.25], vec![2, 0]);
            numbers.splice(2 * row..2 * row, [number, -number]);
            target.insert(row, -100);
            let (of_all, [all_by_input, all_by_weight, all_by_bias]) = gradients(&numbers, &target);
            assert_eq!(
                (&of_all, &all_by_weight, &all_by_bias),
                (&value, &by_weight, &by_bias),
                "{number} in row {row}"
            );
            let mut rows = all_by_input.outer_iter().collect::<Vec<_>>();
            assert!(rows.remove(row).iter().all(|&x| x == 0.0), "{number} in row {row}: {all_by_input}");
            assert!(rows.into_iter().eq(by_input.outer_iter()), "{number} in row {row}: {all_by_input}");
        }
    }
}

/// Numbers of f32 between -1 and 1 without a pattern.
fn noise(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
    })
}

fn product(a: ArrayViewD<'_, f64>, b: ArrayViewD<'_, f64>) -> ArrayD<f64> {
    let matrix = |array: ArrayViewD<'_, f64>| array.into_dimensionality::<Ix2>().expect("a matrix").to_owned();
    matrix(a).dot(&matrix(b)).into_dyn()
}

#[track_caller]
fn assert_near(actual: &ArrayD<f64>, expected: &ArrayD<f64>, tolerance: f64) {
    assert_eq!(actual.shape(), expected.shape());
    let scale = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let worst = actual.iter().zip(expected).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst <= tolerance * scale, "off by {worst:e}, of {scale:e}");
}

/// Of more samples, features and classes than a block holds; of more classes than a whole batch is worked on at once.
#[test]
fn is_cross_entropy_of_the_layer_whatever_its_size() {
    for (samples, features, classes) in [(60, 300, 600), (45, 20, 20_000), (5, 300, 70), (2, 300, 70), (1, 17, 50)] {
        let input = noise(&[samples, features], 1);
        let linear_weight = noise(&[classes, features], 2);
        let linear_bias = noise(&[classes], 3);
        let target = noise(&[samples, classes], 4);
        let cotangent = noise(&[samples], 5);

        let scores = product(input.view(), linear_weight.t()) + &linear_bias;
        let options = CrossEntropyLoss { reduction: Reduction::None, ..Default::default() };
        let (value, [by_scores, by_target]) = cross_entropy(&scores, &target, options)
            .value_and_gradients(Some(cotangent.view()))
            .expect("scores of a batch");
        let by_weight = product(by_scores.t(), input.view());
        let by_bias = by_scores.sum_axis(Axis(0));
        let expected = [&value, &product(by_scores.view(), linear_weight.view()), &by_weight, &by_bias, &by_target];

        let options = LinearCrossEntropyLoss { reduction: Reduction::None, ..Default::default() };
        let call = linear_cross_entropy(&input, &linear_weight, &target, options).linear_bias(&linear_bias);
        let (value, gradients) = call.value_and_gradients(Some(cotangent.view())).expect("a batch");
        for (actual, expected) in [&value].into_iter().chain(&gradients).zip(expected) {
            assert_near(actual, expected, 1e-12);
        }

        let narrow = |array: &ArrayD<f64>| array.mapv(|x| x as f32);
        let [input, linear_weight, linear_bias, target, cotangent] =
            [&input, &linear_weight, &linear_bias, &target, &cotangent].map(narrow);
        let call = linear_cross_entropy(&input, &linear_weight, &target, options).linear_bias(&linear_bias);
        let (value, gradients) = call.value_and_gradients(Some(cotangent.view())).expect("a batch");
        for (actual, expected) in [&value].into_iter().chain(&gradients).zip(expected) {
            assert_near(&actual.mapv(f64::from), expected, 1e-6);
        }
    }
}
