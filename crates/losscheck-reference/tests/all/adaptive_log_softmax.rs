//! Adaptive softmax: what its results have to do with each other, what it chooses, what it leaves alone and refuses.

use losscheck_reference::{
    AdaptiveBackward, AdaptiveCall, AdaptiveGradients, AdaptiveLogSoftmaxWithLoss, AdaptiveParameters, AdaptiveResult,
    AdaptiveTail, Error, Real, adaptive_log_softmax_with_loss,
};
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, ShapeBuilder};

type Owned<R> = AdaptiveParameters<ArrayD<R>>;
/// Numbers that look random.
fn scattered<R: Real>(shape: &[usize], seed: f64) -> ArrayD<R> {
    let mut state = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = (state * 997.0 + 0.123).fract();
        R::from_f64(4.0 * state - 2.0)
    })
}

fn scattered_parameters<R: Real>(options: &AdaptiveLogSoftmaxWithLoss) -> Owned<R> {
    let mut seed = 0.1;
    AdaptiveParameters::shapes(options).expect("options in range").map(|shape| {
        seed += 0.07;
        scattered(&shape, seed)
    })
}

fn indices(classes: &[i64]) -> ArrayD<i64> {
    ArrayD::from_shape_vec(IxDyn(&[classes.len()]), classes.to_vec()).expect("a vector of any length")
}

fn clustered(in_features: usize, n_classes: usize, cutoffs: &[usize]) -> AdaptiveLogSoftmaxWithLoss {
    AdaptiveLogSoftmaxWithLoss { in_features, n_classes, cutoffs: cutoffs.to_vec(), ..Default::default() }
}

fn loss() -> AdaptiveLogSoftmaxWithLoss {
    AdaptiveLogSoftmaxWithLoss { div_value: 2.0, head_bias: true, ..clustered(5, 9, &[3, 4, 7]) }
}

fn with(options: &AdaptiveLogSoftmaxWithLoss, result: AdaptiveResult) -> AdaptiveLogSoftmaxWithLoss {
    AdaptiveLogSoftmaxWithLoss { result, ..options.clone() }
}

fn call<'a, R: Real>(
    options: &'a AdaptiveLogSoftmaxWithLoss,
    parameters: &'a Owned<R>,
    input: ArrayViewD<'a, R>,
    target: Option<&'a ArrayD<i64>>,
) -> AdaptiveCall<'a, R> {
    let call = adaptive_log_softmax_with_loss(input, parameters.view(), options);
    if let Some(target) = target { call.target(target) } else { call }
}

/// Two classes in the shortlist and two tails, of one class and of two, with scores that are the parameters themselves.
fn plain<R: Real>(head: [f64; 4], tail: [f64; 2]) -> (AdaptiveLogSoftmaxWithLoss, Owned<R>, ArrayD<R>) {
    let loss = AdaptiveLogSoftmaxWithLoss { div_value: 1.0, ..clustered(1, 5, &[2, 3]) };
    let matrix = |numbers: &[f64]| {
        let elements = numbers.iter().map(|&x| R::from_f64(x)).collect();
        ArrayD::from_shape_vec(IxDyn(&[numbers.len(), 1]), elements).expect("a column")
    };
    let tail_of = |numbers: &[f64]| AdaptiveTail { projection: matrix(&[1.0]), output: matrix(numbers) };
    let parameters =
        AdaptiveParameters { head_weight: matrix(&head), head_bias: None, tail: vec![tail_of(&[0.5]), tail_of(&tail)] };
    (loss, parameters, matrix(&[1.0]))
}

fn predicted<R: Real>(loss: &AdaptiveLogSoftmaxWithLoss, parameters: &Owned<R>, input: &ArrayD<R>) -> Vec<i64> {
    call(loss, parameters, input.view(), None).predict().expect("good input").into_iter().collect()
}

#[test]
fn the_results_go_together() {
    let loss = loss();
    let parameters = scattered_parameters::<f64>(&loss);
    let input = scattered(&[40, 5], 0.3);
    let classes: Vec<i64> = (0..40).map(|sample| sample * 7 % 9).collect();
    let target = indices(&classes);
    let value =
        |result, target| call(&with(&loss, result), &parameters, input.view(), target).value().expect("good input");
    let log_prob = value(AdaptiveResult::LogProb, None);
    let output = value(AdaptiveResult::Output, Some(&target));
    for (sample, (&class, row)) in classes.iter().zip(log_prob.outer_iter()).enumerate() {
        assert!((row.mapv(f64::exp).sum() - 1.0).abs() < 1e-14, "the probabilities of sample {sample}");
        let (from_all, own) = (row[[class as usize].as_slice()], output[[sample].as_slice()]);
        assert!((from_all - own).abs() <= 1e-15 * own.abs(), "{own} is not {from_all}");
    }
    let mean = value(AdaptiveResult::Loss, Some(&target))[[].as_slice()];
    assert!((mean + output.mean().expect("elements")).abs() < 1e-14);

    // A sample by itself, with and without a batch.
    let first = indices(&classes[..1]);
    for (input, target) in [
        (input.slice_axis(Axis(0), (0..1).into()), first.view()),
        (input.index_axis(Axis(0), 0), first.index_axis(Axis(0), 0)),
    ] {
        let options = with(&loss, AdaptiveResult::Output);
        let alone = adaptive_log_softmax_with_loss(input, parameters.view(), &options).target(target).value();
        let alone = alone.expect("good input");
        assert_eq!(alone.first(), output.first());
    }

    let best = |row: ArrayViewD<'_, f64>| {
        // The first of several.
        let classes = (0..row.len()).rev();
        classes.max_by(|&a, &b| row[[a].as_slice()].total_cmp(&row[[b].as_slice()]))
    };
    let best: Vec<_> = log_prob.outer_iter().map(|row| best(row).expect("classes") as i64).collect();
    assert_eq!(predicted(&loss, &parameters, &input), best);
    assert!(best.iter().any(|&class| class < 3) && best.iter().any(|&class| class >= 3));
}

#[test]
fn a_confident_prediction_keeps_its_digits() {
    // In f32, 1 + e^-19.375 is 1.
    let (loss, parameters, input) = plain::<f32>([0.0, 0.0, 0.0, 19.375], [0.0, 19.375]);
    let target = indices(&[4]);
    let softplus = f64::exp(-19.375).ln_1p();
    let expected = (3.0 * f64::exp(-19.375)).ln_1p() + softplus;
    let result = call(&loss, &parameters, input.view(), Some(&target)).value_and_gradients(None);
    let (value, AdaptiveGradients { input: by_input, parameters: by_parameters }) = result.expect("good input");
    let agrees = |own: f32, exact: f64| (f64::from(own) - exact).abs() <= 3e-7 * exact.abs();
    assert!(agrees(value[[].as_slice()], expected), "{value} is not {expected}");
    let e = f64::exp(-19.375);
    assert!(agrees(by_parameters.head_weight[[3, 0].as_slice()], -3.0 * e / (1.0 + 3.0 * e)));
    assert!(agrees(by_parameters.tail[1].output[[1, 0].as_slice()], -e / (1.0 + e)));
    assert!(agrees(by_input[[0, 0].as_slice()], -19.375 * (3.0 * e / (1.0 + 3.0 * e) + e / (1.0 + e))));
}

#[test]
fn what_is_predicted() {
    const NAN: f64 = f64::NAN;
    for (head, tail, class) in [
        ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0], 0),
        ([0.5, 1.0, 1.0, 1.0], [0.0, 0.0], 1),
        // The only class of its tail is as likely as the tail.
        ([0.5, 0.25, 1.0, 1.0], [0.0, 9.0], 2),
        ([0.5, 0.25, 0.75, 1.0], [9.0, 0.0], 3),
        // A tail is the likeliest cluster, but neither of its classes is the likeliest.
        ([0.0, 0.9, 0.5, 1.0], [0.0, 0.0], 1),
        ([0.0, 0.5, 0.9, 1.0], [0.0, 0.0], 2),
        // NaN is the largest; all log-probabilities are NaN then.
        ([9.0, NAN, 0.0, 0.0], [0.0, 0.0], 1),
        ([9.0, 0.0, NAN, 0.0], [0.0, 0.0], 0),
        // It shows only where the tails are looked at.
        ([1.0, 0.0, 0.0, 0.0], [NAN, 0.0], 0),
        ([0.0, 0.0, 1.0, 0.0], [NAN, 0.0], 3),
    ] {
        let (loss, parameters, input) = plain::<f64>(head, tail);
        assert_eq!(predicted(&loss, &parameters, &input), [class], "{head:?}, {tail:?}");
    }
}

#[test]
fn a_tail_without_targets_counts_for_nothing() {
    let loss = loss();
    let mut parameters = scattered_parameters::<f32>(&loss);
    let (input, target) = (scattered(&[3, 5], 0.3), indices(&[0, 3, 8]));
    let evaluate = |parameters: &Owned<f32>| {
        let options = with(&loss, AdaptiveResult::Output);
        call(&options, parameters, input.view(), Some(&target)).value_and_gradients(None).expect("good input")
    };
    let before = evaluate(&parameters);
    parameters.tail[1].projection.fill(f32::NAN);
    parameters.tail[1].output.fill(f32::INFINITY);
    let after = evaluate(&parameters);
    assert_eq!(before, after);
    let AdaptiveTail { projection, output } = &after.1.parameters.tail[1];
    assert!(projection.iter().chain(output).all(|&gradient| gradient == 0.0));
}

#[test]
fn a_projection_to_nothing_makes_all_classes_of_a_tail_equal() {
    let loss = clustered(4, 7, &[1, 3]);
    let parameters = scattered_parameters::<f64>(&loss);
    assert_eq!(parameters.tail[1].projection.shape(), [0, 4]);
    let input = scattered(&[2, 4], 0.3);
    let options = with(&loss, AdaptiveResult::LogProb);
    let log_prob = call(&options, &parameters, input.view(), None).value().expect("good input");
    for row in log_prob.outer_iter() {
        assert!(row.iter().skip(3).all(|x| x == &row[[3].as_slice()]));
    }
}

#[test]
fn the_shapes_of_parameters() {
    let shapes = |in_features: usize, n_classes: usize, cutoffs: &[usize], div_value: f64, head_bias: bool| {
        let cutoffs = cutoffs.to_vec();
        let options =
            AdaptiveLogSoftmaxWithLoss { in_features, n_classes, cutoffs, div_value, head_bias, ..Default::default() };
        AdaptiveParameters::shapes(&options).map(|shapes| shapes.into_iter().collect::<Vec<_>>())
    };
    // https://github.com/pytorch/pytorch/issues/16658
    let outermost = shapes(56, 56, &[1, 55], 4.0, true);
    assert_eq!(outermost, Ok(vec![vec![3, 56], vec![3], vec![14, 56], vec![54, 14], vec![3, 56], vec![1, 3]]));
    // In Python 4 // 0.1 is 39.
    let growing = shapes(4, 4, &[2], 0.1, false);
    assert_eq!(growing, Ok(vec![vec![3, 4], vec![39, 4], vec![2, 39]]));
    let nothing = shapes(4, 4, &[2], f64::INFINITY, false);
    assert_eq!(nothing, Ok(vec![vec![3, 4], vec![0, 4], vec![2, 0]]));
    for cutoffs in [&[][..], &[0, 2], &[2, 2], &[3, 2], &[4], &[1, 5]] {
        let refused = Error::Cutoffs { cutoffs: cutoffs.to_vec(), n_classes: 4 };
        assert_eq!(shapes(4, 4, cutoffs, 4.0, false), Err(refused));
    }
    for (in_features, div_value) in
        [(4, 0.0), (4, -2.0), (4, f64::NAN), (4, f64::NEG_INFINITY), (0, 0.0), (0, f64::NAN)]
    {
        let refused = shapes(in_features, 4, &[2], div_value, false);
        assert!(matches!(refused, Err(Error::Option { name: "div_value", .. })), "{refused:?}");
    }
}

#[test]
fn layouts_do_not_show() {
    let loss = loss();
    let parameters = scattered_parameters::<f32>(&loss);
    let (input, target) = (scattered::<f32>(&[20, 5], 0.3), indices(&[0, 4, 8, 3, 6].repeat(4)));
    let by_columns = |array: &ArrayD<f32>| {
        let mut turned = ArrayD::zeros(array.raw_dim().f());
        turned.assign(array);
        turned
    };
    let turned = parameters.as_ref().map(by_columns);
    let of_loss = scattered(&[], 0.7);
    let of_output = scattered(&[20], 0.7);
    let of_log_prob = by_columns(&scattered(&[20, 9], 0.7));
    for (result, target, cotangent) in [
        (AdaptiveResult::Loss, Some(&target), of_loss),
        (AdaptiveResult::Output, Some(&target), of_output),
        (AdaptiveResult::LogProb, None, of_log_prob),
    ] {
        let options = with(&loss, result);
        let call_of_plain = || call(&options, &parameters, input.view(), target);
        let plain = call_of_plain().value_and_gradients(Some(cotangent.view())).expect("good input");
        let mut value = by_columns(&plain.0.mapv(|_| f32::NAN));
        let (mut by_input, mut by_parameters) = (by_columns(&input), turned.clone());
        let backward = AdaptiveBackward {
            cotangent: Some(cotangent.view()),
            input: Some(by_input.view_mut()),
            parameters: Some(by_parameters.as_mut().map(|gradient| gradient.view_mut())),
        };
        let turned_input = by_columns(&input);
        call(&options, &turned, turned_input.view(), target)
            .evaluate_into(value.view_mut(), Some(backward))
            .expect("good input");
        assert_eq!((&value, &by_input, &by_parameters), (&plain.0, &plain.1.input, &plain.1.parameters), "{result:?}");
        let first = call_of_plain().value_and_gradient(Some(cotangent.view()));
        assert_eq!(first, Ok((plain.0.clone(), plain.1.input)));
        assert_eq!(call_of_plain().value(), Ok(plain.0));
    }
}

#[test]
fn nothing_in_the_batch() {
    let loss = loss();
    let parameters = scattered_parameters::<f64>(&loss);
    let (input, target) = (ArrayD::zeros(IxDyn(&[0, 5])), indices(&[]));
    let result = call(&loss, &parameters, input.view(), Some(&target)).value_and_gradients(None);
    let (value, gradients) = result.expect("good input");
    assert!(value[[].as_slice()].is_nan());
    assert!(gradients.parameters.into_iter().all(|gradient| gradient.iter().all(|&x| x == 0.0)));
    assert!(predicted(&loss, &parameters, &input).is_empty());
}

#[test]
fn errors_say_what_was_expected() {
    let loss = AdaptiveLogSoftmaxWithLoss { div_value: 2.0, ..clustered(4, 6, &[2, 4]) };
    let parameters = scattered_parameters::<f32>(&loss);
    let (input, wide) = (scattered::<f32>(&[2, 4], 0.3), scattered::<f32>(&[2, 5], 0.3));
    let row = input.index_axis(Axis(0), 0);
    let (fit, few, beyond, negative) = (indices(&[0, 5]), indices(&[0]), indices(&[0, 6]), indices(&[-1, 0]));
    let changed = |change: fn(&mut Owned<f32>)| {
        let mut parameters = parameters.clone();
        change(&mut parameters);
        call(&with(&loss, AdaptiveResult::LogProb), &parameters, input.view(), None).value().map(drop)
    };
    let of = |input: ArrayViewD<'_, f32>, target: Option<&ArrayD<i64>>| {
        call(&with(&loss, AdaptiveResult::Output), &parameters, input, target).value().map(drop)
    };
    let of_a_target = |result| call(&with(&loss, result), &parameters, input.view(), Some(&fit)).value().map(drop);
    let predict = |input, target| call(&loss, &parameters, input, target).predict().map(drop);
    let mut wrong = ArrayD::zeros(IxDyn(&[3]));
    let mut scalar = ArrayD::zeros(IxDyn(&[]));
    let cotangent = scattered::<f32>(&[2], 0.3);
    let backward = AdaptiveBackward { cotangent: Some(cotangent.view()), input: None, parameters: None };
    let of_loss = |value, backward| call(&loss, &parameters, input.view(), Some(&fit)).evaluate_into(value, backward);
    let rows: Vec<(Result<(), Error>, &str)> = vec![
        (
            AdaptiveParameters::shapes(&clustered(4, 6, &[4, 2])).map(drop),
            "`cutoffs` is [4, 2], expected one or more increasing numbers from 1 to 5",
        ),
        (
            changed(|it| it.head_weight = ArrayD::zeros(IxDyn(&[3, 4]))),
            "`head_weight` has shape [3, 4], expected [4, 4]",
        ),
        (
            changed(|it| it.head_bias = Some(ArrayD::zeros(IxDyn(&[4])))),
            "`head_bias` has shape [4], expected none, for the option `head_bias` is false",
        ),
        (changed(|it| drop(it.tail.pop())), "`tail` has shape [1], expected [2]"),
        (
            changed(|it| it.tail[1].projection = ArrayD::zeros(IxDyn(&[2, 4]))),
            "`projection` has shape [2, 4], expected [1, 4] in tail 1",
        ),
        (
            changed(|it| it.tail[0].output = ArrayD::zeros(IxDyn(&[2]))),
            "`output` has shape [2], expected [2, 2] in tail 0",
        ),
        (of(wide.view(), Some(&fit)), "`input` has shape [2, 5], expected (4) or (N, 4)"),
        (predict(row.view(), None), "`input` has shape [4], expected (N, 4)"),
        (predict(input.view(), Some(&fit)), "`target` is present, expected none, since the result is not of a target"),
        (
            of_a_target(AdaptiveResult::LogProb),
            "`target` is present, expected none, since the result is not of a target",
        ),
        (of_a_target(AdaptiveResult::Predict), "`result` is `Predict`, expected a result with a gradient"),
        (of(input.view(), None), "`target` is missing, expected the class of each sample"),
        (of(input.view(), Some(&few)), "`target` has shape [1], expected [2]"),
        (of(row.view(), Some(&few)), "`target` has shape [1], expected []"),
        (of(input.view(), Some(&beyond)), "`target` holds the index 6 at row 1, expected 0 to 5"),
        (of(input.view(), Some(&negative)), "`target` holds the index -1 at row 0, expected 0 to 5"),
        (of_loss(wrong.view_mut(), None), "`value` has shape [3], expected []"),
        (of_loss(scalar.view_mut(), Some(backward)), "`cotangent` has shape [2], expected []"),
    ];
    for (result, message) in rows {
        assert_eq!(result.expect_err(message).to_string(), message);
    }
    let biased = AdaptiveLogSoftmaxWithLoss { head_bias: true, ..loss };
    let missing = call(&biased, &parameters, input.view(), None).predict().expect_err("no bias").to_string();
    assert_eq!(missing, "`head_bias` has shape [0], expected [4]");
}
