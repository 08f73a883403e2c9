//! CTC against the sum over all alignments written out, and its rules.

use losscheck_reference::{
    Backward, CTCLoss, CTCLossByLogProbs, DoubleDouble, Error, LogProbsAndLabels, Loss, Reduction, Shapes, ctc_loss,
};
use ndarray::{ArrayD, ArrayView1, IxDyn, arr0};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The tensors of a call.
#[derive(Clone)]
struct Call {
    log_probs: ArrayD<f64>,
    targets: ArrayD<i64>,
    input_lengths: ArrayD<i64>,
    target_lengths: ArrayD<i64>,
}

fn array<T: Clone>(shape: &[usize], elements: &[T]) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(shape), elements.to_vec()).expect("as many elements as the shape asks for")
}

impl Call {
    /// Targets of several samples, one after the other.
    fn new(log_probs: ArrayD<f64>, targets: &[&[i64]], input_lengths: &[i64]) -> Self {
        let lengths: Vec<i64> = targets.iter().map(|target| target.len() as i64).collect();
        let labels = targets.concat();
        Self {
            log_probs,
            targets: array(&[labels.len()], &labels),
            input_lengths: array(&[input_lengths.len()], input_lengths),
            target_lengths: array(&[lengths.len()], &lengths),
        }
    }

    fn value_and_gradient<L>(&self, loss: L) -> Result<(ArrayD<f64>, ArrayD<f64>), Error>
    where
        L: for<'a> Loss<f64, LogProbsAndLabels<'a, f64>, 1>,
    {
        let lengths = (self.input_lengths.view(), self.target_lengths.view());
        loss.value_and_gradient((self.log_probs.view(), self.targets.view(), lengths.0, lengths.1), None)
    }
}

const NONE: CTCLoss = CTCLoss { blank: 0, reduction: Reduction::None, zero_infinity: false };

/// Numbers that are different, of ordinary size, and that are no log-probabilities.
fn scores(shape: &[usize]) -> ArrayD<f64> {
    let count: usize = shape.iter().product();
    array(shape, &(0..count).map(|i| ((i * i + 3 * i) % 17) as f64 / 8.0 - 1.5).collect::<Vec<_>>())
}

/// The loss and its derivative by the scores, of shape (T, C), with each of the C^T alignments by itself.
fn written_out(scores: &ArrayD<f64>, target: &[i64], blank: i64) -> (f64, ArrayD<f64>) {
    let (steps, classes) = (scores.shape()[0], scores.shape()[1]);
    let (mut sum, mut by_scores) = (0.0, ArrayD::zeros(scores.raw_dim()));
    for number in 0..classes.pow(steps as u32) {
        let alignment: Vec<usize> = (0..steps).map(|step| number / classes.pow(step as u32) % classes).collect();
        let mut labels: Vec<i64> = alignment.iter().map(|&class| class as i64).collect();
        labels.dedup();
        labels.retain(|&label| label != blank);
        if labels == target {
            let weight = alignment.iter().enumerate().map(|(step, &class)| scores[[step, class]]).sum::<f64>().exp();
            sum += weight;
            alignment.iter().enumerate().for_each(|(step, &class)| by_scores[[step, class]] -= weight);
        }
    }
    (-sum.ln(), by_scores / sum)
}

#[track_caller]
fn assert_close(what: &str, actual: &ArrayD<f64>, expected: &ArrayD<f64>) {
    let close =
        |(&a, &e): (&f64, &f64)| a == e || a.is_nan() && e.is_nan() || (a - e).abs() <= 1e-14 * e.abs().max(0.1);
    let all = actual.shape() == expected.shape() && actual.iter().zip(expected).all(close);
    assert!(all, "{what}: {actual}, expected {expected}");
}

#[test]
fn all_alignments_are_summed_and_no_other() {
    let targets: [&[i64]; 12] = [
        &[],
        &[1],
        &[2],
        &[1, 2],
        &[2, 1],
        &[1, 1],
        &[2, 2, 1],
        &[1, 2, 1],
        &[1, 1, 1],
        &[1, 2, 1, 2],
        &[1, 1, 2, 2],
        &[1, 1, 1, 1],
    ];
    for steps in 1..=6 {
        let scores = scores(&[steps, 3]);
        for (target, blank) in targets.into_iter().flat_map(|target| [0, 1, 2].map(|blank| (target, blank))) {
            let target: Vec<i64> = target.iter().map(|&label| if label == blank { 0 } else { label }).collect();
            let (value, by_scores) = written_out(&scores, &target, blank);
            let call = Call::new(scores.clone(), &[&target], &[steps as i64]);
            let loss = CTCLoss { blank, ..NONE };
            for (by, results, expected) in [
                ("logits", call.value_and_gradient(loss), &by_scores + &scores.mapv(f64::exp)),
                ("log-probabilities", call.value_and_gradient(CTCLossByLogProbs(loss)), by_scores.clone()),
            ] {
                let what = format!("{target:?} in {steps} steps with blank {blank}, by {by}");
                let (actual, by_hand) = results.expect("good input");
                let expected = if value == INF { by_scores.mapv(|_| NAN) } else { expected };
                assert_close(&what, &actual, &array(&[], &[value]));
                assert_close(&what, &by_hand, &expected);
            }
        }
    }
}

#[test]
fn a_batch_is_its_samples() {
    let (steps, targets): (_, [&[i64]; 4]) = ([6, 4, 5, 0], [&[1, 2, 1], &[3], &[2, 2], &[]]);
    let all = scores(&[6, 4, 4]);
    let call = Call::new(all.clone(), &targets, &steps);
    let padded: Vec<i64> =
        targets.iter().flat_map(|labels| [labels, [-1; 5].as_slice()].concat().into_iter().take(5)).collect();
    let padded = Call { targets: array(&[4, 5], &padded), ..call.clone() };
    let (value, gradient) = call.value_and_gradient(NONE).expect("good input");
    assert_eq!(padded.value_and_gradient(NONE), Ok((value.clone(), gradient.clone())));
    for (sample, target) in targets.into_iter().enumerate() {
        let own = all.index_axis(ndarray::Axis(1), sample).to_owned();
        let (value_of_one, gradient_of_one) =
            Call::new(own, &[target], &steps[sample..][..1]).value_and_gradient(NONE).expect("good input");
        assert_eq!(value_of_one[[].as_slice()], value[[sample]]);
        assert_eq!(gradient_of_one, gradient.index_axis(ndarray::Axis(1), sample));
    }
    let mean = CTCLoss { reduction: Reduction::Mean, ..NONE };
    let (mean, by_scores) = call.value_and_gradient(mean).expect("good input");
    let lengths = [3.0, 1.0, 2.0, 1.0];
    let expected = value.iter().zip(lengths).map(|(loss, length)| loss / length).sum::<f64>() / 4.0;
    assert_close("the mean", &mean, &array(&[], &[expected]));
    for (sample, length) in lengths.into_iter().enumerate() {
        let of_sample = |gradient: &ArrayD<f64>| gradient.index_axis(ndarray::Axis(1), sample).to_owned();
        assert_close("the gradient of the mean", &of_sample(&by_scores), &(of_sample(&gradient) / (4.0 * length)));
    }
}

#[test]
fn layouts_and_buffers_do_not_show() {
    let call = Call::new(scores(&[5, 3, 4]), &[&[1, 2], &[3, 3], &[1]], &[5, 5, 4]);
    let (value, gradient) = call.value_and_gradient(NONE).expect("good input");
    // Batch first, and seen as (T, N, C).
    let batch_first = call.log_probs.clone().permuted_axes([1, 0, 2].as_slice()).as_standard_layout().to_owned();
    let log_probs = batch_first.view().permuted_axes([1, 0, 2].as_slice());
    let inputs = || (log_probs.view(), call.targets.view(), call.input_lengths.view(), call.target_lengths.view());
    let (mut losses, mut slopes) = (ArrayD::from_elem(IxDyn(&[3]), NAN), ArrayD::from_elem(IxDyn(&[3, 5, 4]), NAN));
    let buffer = slopes.view_mut().permuted_axes([1, 0, 2].as_slice());
    let backward = Backward { cotangent: None, gradients: [Some(buffer)] };
    NONE.evaluate_into(inputs(), losses.view_mut(), Some(backward)).expect("good input");
    assert_eq!(losses, value);
    assert_eq!(slopes.permuted_axes([1, 0, 2].as_slice()), gradient);

    let shapes = Shapes { value: vec![3], gradients: [vec![5, 3, 4]] };
    assert_eq!(NONE.shapes(&inputs()), Ok(shapes));
    let wrong = NONE.value_into(inputs(), array(&[2], &[0.0; 2]).view_mut()).expect_err("another shape");
    assert_eq!(wrong.to_string(), "`value` has shape [2], expected [3]");
}

#[test]
fn what_no_alignment_uses_has_no_influence() {
    let plain = Call::new(scores(&[6, 1, 4]), &[&[1, 2, 3]], &[5]);
    let (value, gradient) = plain.value_and_gradient(NONE).expect("good input");
    // Too early, too late, and beyond the length.
    for (step, class) in [(1, 3), (3, 1), (5, 0), (5, 1)] {
        for x in [NAN, INF, -INF, 1e300] {
            let mut call = plain.clone();
            call.log_probs[[step, 0, class]] = x;
            let (same, mut slopes) = call.value_and_gradient(NONE).expect("good input");
            let expected = if step < 5 { x.exp() } else { 0.0 };
            let slope = slopes[[step, 0, class]];
            assert!(slope == expected || slope.is_nan() && expected.is_nan(), "{x} at {step}, {class}: {slope}");
            slopes[[step, 0, class]] = gradient[[step, 0, class]];
            assert_eq!((same, slopes), (value.clone(), gradient.clone()), "{x} at {step}, {class}");
        }
    }
    let mut call = plain;
    call.log_probs[[2, 0, 0]] = NAN;
    let (value, gradient) = call.value_and_gradient(NONE).expect("good input");
    assert!(value[[0]].is_nan());
    assert!(gradient.indexed_iter().all(|(place, slope)| slope.is_nan() == (place[0] < 5)), "{gradient}");
}

#[test]
fn what_cannot_be_first_has_no_influence() {
    // Without a step to spare no blank is emitted.
    let mut call = Call::new(scores(&[2, 1, 3]), &[&[1, 2]], &[2]);
    let (value, _) = call.value_and_gradient(NONE).expect("good input");
    call.log_probs[[0, 0, 0]] = NAN;
    assert_eq!(call.value_and_gradient(NONE).expect("good input").0, value);
}

#[test]
fn classes_that_cannot_be_have_gradient_0() {
    let mut call = Call::new(scores(&[5, 1, 4]), &[&[1, 2]], &[5]);
    for class in [1, 3] {
        call.log_probs[[2, 0, class]] = -INF;
    }
    for results in [call.value_and_gradient(NONE), call.value_and_gradient(CTCLossByLogProbs(NONE))] {
        let (value, slopes) = results.expect("good input");
        assert!(value.iter().chain(&slopes).all(|x| x.is_finite()), "{slopes}");
        assert_eq!([slopes[[2, 0, 1]], slopes[[2, 0, 3]]], [0.0; 2]);
    }
}

#[test]
fn impossible_targets_are_infinite_or_0() {
    let mut nowhere = scores(&[4, 1, 3]);
    nowhere.index_axis_mut(ndarray::Axis(0), 1).fill(-INF);
    let calls = [
        (Call::new(scores(&[4, 1, 3]), &[&[1, 2, 1]], &[2]), 2),
        (Call::new(scores(&[4, 1, 3]), &[&[1, 1, 1]], &[4]), 4),
        (Call::new(scores(&[4, 1, 3]), &[&[1]], &[0]), 0),
        (Call::new(nowhere, &[&[1]], &[4]), 4),
    ];
    for (call, steps) in calls {
        let (value, gradient) = call.value_and_gradient(NONE).expect("good input");
        assert_eq!(value[[0]], INF);
        let is_right = |(place, slope): (IxDyn, &f64)| if place[0] < steps { slope.is_nan() } else { *slope == 0.0 };
        assert!(gradient.indexed_iter().all(is_right), "{gradient}");
        let (value, gradient) = call.value_and_gradient(CTCLoss { zero_infinity: true, ..NONE }).expect("good input");
        assert!(value.iter().chain(&gradient).all(|&x| x == 0.0), "{value} {gradient}");
    }
}

#[test]
fn minus_infinity_and_infinity_along_an_alignment_are_no_number() {
    for (first, then) in [(-INF, INF), (-INF, NAN), (INF, -INF)] {
        let mut scores = scores(&[4, 1, 3]);
        scores.index_axis_mut(ndarray::Axis(0), 0).fill(first);
        scores.index_axis_mut(ndarray::Axis(0), 2).fill(then);
        let (value, _) = Call::new(scores, &[&[1]], &[4]).value_and_gradient(NONE).expect("good input");
        assert!(value[[0]].is_nan(), "{first} and {then}: {value}");
    }
}

/// How far f32 is from wide arithmetic, in units of f32's epsilon: the value relative to itself, and the gradients.
fn errors_in_f32(log_probs: &ArrayD<f32>, labels: &[i64]) -> (f64, Vec<f64>) {
    let exact = log_probs.mapv(|x| DoubleDouble::sum_of(f64::from(x), 0.0));
    let labels = ArrayView1::from(labels);
    let [steps, length] = [log_probs.shape()[0], labels.len()].map(|length| arr0(length as i64));
    let of_f32 = ctc_loss(log_probs, labels, &steps, &length, NONE);
    let of_wide = ctc_loss(&exact, labels, &steps, &length, NONE);
    let (value, gradient) = of_f32.value_and_gradient(None).expect("good input");
    let (exact, exact_gradient) = of_wide.value_and_gradient(None).expect("good input");
    let error = |x: f32, exact: DoubleDouble| (f64::from(x) - exact.high()).abs() / f64::from(f32::EPSILON);
    let (value, exact) = (value[[].as_slice()], exact[[].as_slice()]);
    let gradient: Vec<f64> = gradient.iter().zip(&exact_gradient).map(|(&x, &exact)| error(x, exact)).collect();
    // A maximum passes over NaN.
    assert!(gradient.iter().all(|error| !error.is_nan()), "{gradient:?}");
    (error(value, exact) / exact.high().abs(), gradient)
}

#[test]
fn long_sums_keep_their_digits() {
    // Equal steps round equally: where all that came before is summed up in f32, the errors add up.
    let uniform = ArrayD::from_elem(IxDyn(&[2000, 4]), 0.25f32.ln());
    let labels: Vec<i64> = (0..300).map(|k| 1 + k % 3).collect();
    let (value, gradient) = errors_in_f32(&uniform, &labels);
    let worst = gradient.into_iter().fold(0.0, f64::max);
    assert!(value < 40.0 && worst < 60.0, "value {value}, gradient {worst}");
}

#[test]
fn certain_alignments_keep_their_digits() {
    // Along one alignment every posterior is all but 1, and so is the probability. Their complements have all digits.
    let (path, rest) = ([1, 1, 0, 2, 0, 1], |step: usize| 1e-6 * (step + 1) as f32);
    let row = |(step, &path): (usize, &usize)| {
        (0..3).map(move |class| if class == path { (-2.0 * rest(step)).ln_1p() } else { rest(step).ln() })
    };
    let rows: Vec<f32> = path.iter().enumerate().flat_map(row).collect();
    let (value, gradient) = errors_in_f32(&array(&[6, 3], &rows), &[1, 2, 1]);
    let along = path.iter().enumerate().map(|(step, path)| gradient[3 * step + path] / f64::from(rest(step)));
    let worst = along.fold(0.0, f64::max);
    assert!(value < 4.0 && worst < 20.0, "value {value}, gradient {worst}");
}

#[test]
fn a_large_score_that_leads_nowhere_takes_no_digits() {
    // With scores that are no log-probabilities: a blank first is likely, the label that must follow it is not.
    let scores = [50.3, 0.000_7, 0.001_1, -120.0];
    let (value, gradient) = errors_in_f32(&array(&[2, 2], &scores), &[1]);
    assert!(value < 4.0, "value {value}, gradient {gradient:?}");
}

#[test]
fn scores_that_rise_above_what_they_fell_to_keep_their_digits() {
    let scores: Vec<f32> = [-5.3, -7.1].into_iter().chain([3.3, 2.7].repeat(59)).collect();
    let (value, gradient) = errors_in_f32(&array(&[60, 2], &scores), &[1]);
    let worst = gradient.into_iter().fold(0.0, f64::max);
    assert!(value < 8.0 && worst < 40.0, "value {value}, gradient {worst}");
}

#[test]
fn errors_say_what_was_expected() {
    let call = Call::new(scores(&[4, 2, 3]), &[&[1, 2], &[1]], &[4, 3]);
    let with = |change: fn(&mut Call)| {
        let mut call = call.clone();
        change(&mut call);
        call.value_and_gradient(NONE)
    };
    let blank = |blank| call.value_and_gradient(CTCLoss { blank, ..NONE });
    for (result, message) in [
        (
            with(|call| call.log_probs = scores(&[3])),
            "`log_probs` has shape [3], expected (T, N, C) or (T, C), none of these 0",
        ),
        (
            with(|call| call.log_probs = scores(&[4, 0, 3])),
            "`log_probs` has shape [4, 0, 3], expected (T, N, C) or (T, C), none of these 0",
        ),
        (blank(3), "`blank` is 3, expected the index of a class"),
        (blank(-1), "`blank` is -1, expected the index of a class"),
        (
            with(|call| call.targets = array(&[2], &[1, 2])),
            "`targets` has shape [2], expected (3), the sum of the target lengths, or (2, S)",
        ),
        (
            with(|call| call.targets = array(&[3, 2], &[1; 6])),
            "`targets` has shape [3, 2], expected (2, S), or the sum of the target lengths",
        ),
        (with(|call| call.targets = array(&[2, 1], &[1; 2])), "`target_lengths` holds 2 at 0, expected 0 to 1"),
        (
            with(|call| call.input_lengths = array(&[1], &[4])),
            "`input_lengths` has shape [1], expected (2), one length for each sample",
        ),
        (with(|call| call.input_lengths[1] = 5), "`input_lengths` holds 5 at 1, expected 0 to 4"),
        (with(|call| call.target_lengths[0] = -1), "`target_lengths` holds -1 at 0, expected 0 to 3"),
        (with(|call| call.targets[2] = 3), "`targets` holds 3 at 2, expected 0 to 2"),
        (with(|call| call.targets[0] = i64::MIN), "`targets` holds -9223372036854775808 at 0, expected 0 to 2"),
    ] {
        assert_eq!(result.expect_err(message).to_string(), message);
    }
}
