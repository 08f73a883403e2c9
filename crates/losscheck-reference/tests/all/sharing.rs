//! Large inputs are worked on in parts, and on several threads: that does not show.

use losscheck_reference::{
    CTCLoss, CrossEntropyLoss, HuberLoss, LinearCrossEntropyLoss, MSELoss, Reduction, TripletMarginLoss, cross_entropy,
    ctc_loss, huber_loss, linear_cross_entropy, mse_loss, triplet_margin_loss,
};
use ndarray::{Array1, ArrayD, ArrayViewD, Axis, IxDyn, Slice};

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

/// Runs on one thread and on three.
fn on_threads<T: Send>(run: impl Fn() -> T + Send + Sync) -> [T; 2] {
    [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(&run)
    })
}

/// Losses and gradients of all rows together are those of a few rows at a time, which are too few to be shared; `run` gives
/// those of some rows, and its outputs have a row for each.
fn assert_is_its_parts(what: &str, rows: usize, run: impl Fn(Slice) -> Vec<ArrayD<f32>> + Send + Sync) {
    const PART: usize = 32;
    for outputs in on_threads(|| run(Slice::from(0..rows))) {
        for start in (0..rows).step_by(PART) {
            let slice = Slice::from(start..start + PART);
            for (at, (whole, part)) in outputs.iter().zip(run(slice)).enumerate() {
                assert_eq!(whole.len_of(Axis(0)), rows, "{what}, output {at}");
                assert!(whole.slice_axis(Axis(0), slice) == part, "{what}, output {at}: other in rows {slice:?}");
            }
        }
    }
}

fn part<T>(array: &ArrayD<T>, slice: Slice) -> ArrayViewD<'_, T> {
    array.slice_axis(Axis(0), slice)
}

#[test]
fn large_inputs_are_their_parts() {
    let reduction = Reduction::None;
    let (x, t) = (scattered(&[1 << 10, 1 << 10], 1), scattered(&[1 << 10, 1 << 10], 2));
    assert_is_its_parts("mse", 1 << 10, |slice| {
        let call = mse_loss(part(&x, slice), part(&t, slice), MSELoss { reduction });
        let (value, gradients) = call.value_and_gradients(None).unwrap();
        [value].into_iter().chain(gradients).collect()
    });
    // Broadcast, so that a gradient is a sum over columns; with a cotangent for each.
    let t = scattered(&[1 << 10, 1], 4);
    assert_is_its_parts("huber", 1 << 10, |slice| {
        let options = HuberLoss { reduction, ..Default::default() };
        let call = huber_loss(part(&x, slice), part(&t, slice), options);
        let (value, gradients) = call.value_and_gradients(Some(part(&x, slice))).unwrap();
        [value].into_iter().chain(gradients).collect()
    });
    let target = classes(1 << 10, 1 << 10);
    assert_is_its_parts("cross-entropy", 1 << 10, |slice| {
        let options = CrossEntropyLoss { reduction, ..Default::default() };
        let call = cross_entropy(part(&x, slice), part(&target, slice), options);
        let (value, gradient) = call.value_and_gradient(None).unwrap();
        vec![value, gradient]
    });
    let [a, p, n] = [6, 7, 8].map(|seed| scattered(&[1 << 10, 600], seed));
    assert_is_its_parts("triplet margin", 1 << 10, |slice| {
        let options = TripletMarginLoss { reduction, ..Default::default() };
        let call = triplet_margin_loss(part(&a, slice), part(&p, slice), part(&n, slice), options);
        let (value, gradients) = call.value_and_gradients(None).unwrap();
        [value].into_iter().chain(gradients).collect()
    });
}

#[test]
fn elements_are_cut_only_where_they_can_be() {
    let options = MSELoss { reduction: Reduction::Sum };
    // The gradient of an input that all rows share is a sum over the rows.
    let (input, target) = (scattered(&[1, 600], 15), scattered(&[1 << 10, 600], 16));
    let repeated = input.broadcast(target.raw_dim()).expect("one row for all").to_owned();
    let gradient = |input: &ArrayD<f32>| mse_loss(input, &target, options).value_and_gradient(None).unwrap().1;
    let expected = gradient(&repeated).mapv(f64::from).sum_axis(Axis(0)).insert_axis(Axis(0));
    // Each of the 1024 rows is rounded by at most 2.4e-7, and their sum by 1.6e-5; a row that is left out is worth about 2.
    for found in on_threads(|| gradient(&input)) {
        let error = (found.mapv(f64::from) - &expected).mapv(f64::abs);
        assert!(error.iter().all(|&error| error < 1e-3), "a shared input: {error}");
    }
    // A dimension of 1 cannot be divided, but the next one can.
    let [input, target] = [17, 18].map(|seed| scattered(&[1 << 17], seed));
    let of = |[x, t]: [ArrayViewD<'_, f32>; 2]| mse_loss(x, t, options).value_and_gradients(None).unwrap();
    let (value, gradients) = of([input.view(), target.view()]);
    for (row_value, row_gradients) in on_threads(|| of([&input, &target].map(|row| row.view().insert_axis(Axis(0))))) {
        let row_gradients = row_gradients.map(|gradient| gradient.remove_axis(Axis(0)));
        assert!((row_value, row_gradients) == (value.clone(), gradients.clone()), "a row");
    }
}

#[test]
fn vectors_that_cannot_be_cut_are_worked_on_as_a_whole() {
    let options = TripletMarginLoss { reduction: Reduction::Sum, ..Default::default() };
    // The gradient of an anchor that all rows share is a sum over the rows.
    let (anchor, [p, n]) = (scattered(&[1, 600], 9), [10, 11].map(|seed| scattered(&[1 << 10, 600], seed)));
    let repeated = anchor.broadcast(p.raw_dim()).expect("one row for all").to_owned();
    let gradient =
        |anchor: &ArrayD<f32>| triplet_margin_loss(anchor, &p, &n, options).value_and_gradient(None).unwrap().1;
    let expected = gradient(&repeated).mapv(f64::from).sum_axis(Axis(0)).insert_axis(Axis(0));
    // The sum of 1024 rows in f32 is off by some 1e-5; a row that is left out or counted twice is worth about 0.05.
    for found in on_threads(|| gradient(&anchor)) {
        let error = (found.mapv(f64::from) - &expected).mapv(f64::abs);
        assert!(error.iter().all(|&error| error < 1e-4), "a shared anchor: {error}");
    }
    // A single vector has no rows to be divided.
    let long = [12, 13, 14].map(|seed| scattered(&[1 << 17], seed));
    let of =
        |[a, p, n]: [ArrayViewD<'_, f32>; 3]| triplet_margin_loss(a, p, n, options).value_and_gradients(None).unwrap();
    let (value, gradients) = of(long.each_ref().map(|vector| vector.view().insert_axis(Axis(0))));
    for (own_value, own_gradients) in on_threads(|| of(long.each_ref().map(|vector| vector.view()))) {
        let own_gradients = own_gradients.map(|gradient| gradient.insert_axis(Axis(0)));
        assert!((own_value, own_gradients) == (value.clone(), gradients.clone()), "a long vector");
    }
}

/// More classes than a part has elements.
#[test]
fn a_row_of_classes_is_worked_on_as_a_whole() {
    let (scores, target) = (scattered(&[1 << 17], 19), classes(1, 1 << 17));
    let options = CrossEntropyLoss { reduction: Reduction::Sum, ..Default::default() };
    let batch = scores.view().insert_axis(Axis(0));
    let (value, gradient) = cross_entropy(&batch, &target, options).value_and_gradient(None).unwrap();
    let class = target.index_axis(Axis(0), 0);
    for (own_value, own_gradient) in
        on_threads(|| cross_entropy(&scores, &class, options).value_and_gradient(None).unwrap())
    {
        assert!((own_value, own_gradient.insert_axis(Axis(0))) == (value.clone(), gradient.clone()));
    }
    // ln of the sum of 2^17 powers of e, the exponents of which are spread evenly from -2 to 2.
    let expected = (131_072.0 * 2f32.sinh() / 2.0).ln() - scores[[0]];
    assert!((value.sum() - expected).abs() < 0.01, "{value}, expected {expected}");
}

#[test]
fn the_samples_of_ctc_are_shared() {
    let log_probs = scattered(&[300, 8, 20], 9).mapv(|x| x - 4.0);
    let targets = ArrayD::from_shape_fn(IxDyn(&[8, 30]), |at| (1 + (at[0] * 31 + at[1] * 7) % 19) as i64);
    let (steps, labels) = (Array1::from_elem(8, 300_i64), Array1::from_elem(8, 30_i64));
    let options = CTCLoss { reduction: Reduction::None, ..Default::default() };
    let call = ctc_loss(&log_probs, &targets, &steps, &labels, options);
    let [one, three] = on_threads(|| call.clone().value_and_gradient(None).unwrap());
    assert!(one == three);
}

/// More samples than a part has; then more outputs than a block has, and more features.
#[test]
fn linear_cross_entropy_is_cross_entropy_after_the_layer() {
    for shape in [[150, 5, 1000], [151, 150, 33], [60, 300, 600]] {
        check_linear_cross_entropy(shape);
    }
}

fn check_linear_cross_entropy([samples, features, outputs]: [usize; 3]) {
    // Small, for the roundings of scores count as much as these are large.
    let (x, w) = (scattered(&[samples, features], 1), scattered(&[outputs, features], 2).mapv(|w| w / 16.0));
    let target = classes(samples, outputs);
    let call = linear_cross_entropy(&x, &w, &target, LinearCrossEntropyLoss::default());
    let [one, three] = on_threads(|| call.clone().value_and_gradients(None).unwrap());
    assert!(one == three);
    let (value, [by_x, by_w, _]) = one;
    let wide = |array: &ArrayD<f32>, rows, columns| {
        array.mapv(f64::from).into_shape_with_order((rows, columns)).expect("as many elements")
    };
    let (x, w) = (wide(&x, samples, features), wide(&w, outputs, features));
    let scores = x.dot(&w.t());
    let call = cross_entropy(&scores, &target, CrossEntropyLoss::default());
    let (expected, by_scores) = call.value_and_gradient(None).unwrap();
    let close = |actual: &ArrayD<f32>, expected: ArrayD<f64>| {
        let scale = expected.iter().fold(0.0_f64, |scale, x| scale.max(x.abs()));
        actual.iter().zip(&expected).all(|(&x, &y)| (f64::from(x) - y).abs() <= 1e-6 * scale)
    };
    let by_scores = by_scores.into_shape_with_order((samples, outputs)).expect("as many elements");
    assert!(close(&value, expected), "value");
    assert!(close(&by_x, by_scores.dot(&w).into_dyn()), "gradient of the input");
    assert!(close(&by_w, by_scores.t().dot(&x).into_dyn()), "gradient of the weight");
}
