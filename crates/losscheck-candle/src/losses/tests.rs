//! The edges of each loss, as PyTorch 2.15 has them.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::*;

mod arbitrary_arguments;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

const NONE: Reduction = Reduction::None;

fn tensor(elements: &[f64]) -> Result<Tensor> {
    Tensor::new(elements, &Device::Cpu)
}

fn rows<const N: usize, const C: usize>(rows: &[[f64; C]; N]) -> Result<Tensor> {
    Tensor::new(rows, &Device::Cpu)
}

fn indices(indices: &[i64]) -> Result<Tensor> {
    Tensor::new(indices, &Device::Cpu)
}

fn elements(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|tensor| tensor.flatten_all()?.to_vec1()).expect("a float tensor")
}

#[track_caller]
fn assert_close(what: &str, got: &[f64], expected: &[f64]) {
    let close = |(&got, &expected): (&f64, &f64)| {
        got == expected || (got.is_nan() && expected.is_nan()) || (got - expected).abs() <= 1e-14 * expected.abs()
    };
    let same = got.len() == expected.len() && got.iter().zip(expected).all(close);
    assert!(same, "{what} is {got:?}, expected {expected:?}");
}

/// Rows of input, target, and the expected value, gradient by the input and gradient by the target.
#[track_caller]
fn elementwise(table: &[[f64; 5]], loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) {
    let evaluate = |x: f64, t: f64| {
        let (input, target) = (Var::new(&[x], &Device::Cpu)?, Var::new(&[t], &Device::Cpu)?);
        let value = loss(&input, &target)?;
        let gradients = value.backward()?;
        let [by_input, by_target] =
            [&input, &target].map(|var| elements(gradients.get(var).expect("both have a gradient")));
        Result::Ok([elements(&value)[0], by_input[0], by_target[0]])
    };
    for &[x, t, value, by_input, by_target] in table {
        let got = evaluate(x, t).unwrap_or_else(|error| panic!("input {x}, target {t}: {error}"));
        assert_close(&format!("input {x}, target {t}: value and gradients"), &got, &[value, by_input, by_target]);
    }
}

/// The value and its gradient by the input.
fn over_classes(input: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<(Vec<f64>, Vec<f64>)> {
    let input = Var::from_tensor(input)?;
    let value = loss(&input)?;
    let gradients = value.backward()?;
    Ok((elements(&value), elements(gradients.get(&input).expect("the input has a gradient"))))
}

#[track_caller]
fn assert_refuses(result: Result<Tensor>, message: &str) {
    let error = result.expect_err("the input is refused").to_string();
    assert!(error.contains(message), "the error is `{error}`, expected `{message}`");
}

#[test]
fn mse() {
    elementwise(
        &[
            [1., 3., 4., -4., 4.],
            [0., 0., 0., 0., 0.],
            [INF, 0., INF, INF, -INF],
            [INF, INF, NAN, NAN, NAN],
            [NAN, 0., NAN, NAN, NAN],
        ],
        |x, t| mse_loss(x, t, None, MSELoss { reduction: NONE }),
    );
}

#[test]
fn l1() {
    elementwise(
        &[
            [1., 3., 2., -1., 1.],
            [2., 2., 0., 0., 0.],
            [-INF, 0., INF, -1., 1.],
            [INF, INF, NAN, NAN, NAN],
            [NAN, 0., NAN, NAN, NAN],
        ],
        |x, t| l1_loss(x, t, None, L1Loss { reduction: NONE }),
    );
}

#[test]
fn smooth_l1() {
    let with = |beta| move |x: &Tensor, t: &Tensor| smooth_l1_loss(x, t, SmoothL1Loss { beta, reduction: NONE });
    elementwise(
        &[
            [0., 0., 0., 0., 0.],
            [1., 0., 0.25, 0.5, -0.5],
            [2., 0., 1., 1., -1.],
            [-2., 0., 1., -1., 1.],
            [1e300, 0., 1e300, 1., -1.],
            [INF, 0., INF, 1., -1.],
            [NAN, 0., NAN, NAN, NAN],
        ],
        with(2.),
    );
    elementwise(&[[0., 0., 0., 0., 0.], [-3., 0., 3., -1., 1.]], with(0.));
    let zeros = Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap();
    assert_close("in f32", &elements(&with(1e-50)(&zeros, &zeros).unwrap()), &[0., 0.]);
    assert_refuses(with(-1.)(&zeros, &zeros), "beta is -1");
    assert_refuses(with(NAN)(&zeros, &zeros), "beta is NaN");
}

#[test]
fn huber() {
    let with = |delta| move |x: &Tensor, t: &Tensor| huber_loss(x, t, None, HuberLoss { delta, reduction: NONE });
    elementwise(
        &[
            [0., 0., 0., 0., 0.],
            [1., 0., 0.5, 1., -1.],
            [2., 0., 2., 2., -2.],
            [-3., 0., 4., -2., 2.],
            [1e300, 0., 2e300, 2., -2.],
            [-INF, 0., INF, -2., 2.],
            [NAN, 0., NAN, NAN, NAN],
        ],
        with(2.),
    );
    let empty = tensor(&[]).unwrap();
    assert_refuses(with(0.)(&empty, &empty), "delta is 0");
    assert_refuses(with(NAN)(&empty, &empty), "delta is NaN");
}

#[test]
fn bce() -> Result<()> {
    let options = BCELoss { reduction: NONE };
    let ln2 = std::f64::consts::LN_2;
    elementwise(
        &[
            [0.5, 0.5, ln2, 0., 0.],
            [0., 0., 0., 0., INF],
            [1., 1., 0., 0., -INF],
            [0., 1., 100., -1e12, INF],
            [1., 0., 100., 1e12, -INF],
            [1e-20, 0., 1e-20, 1e-8, -1e-20f64.ln()],
            [1e-60, 1., 100., -1e12, -1e-60f64.ln()],
        ],
        |x, t| binary_cross_entropy(x, t, None, options),
    );
    let half = tensor(&[0.5])?;
    for outside in [-0.1, 1.5, NAN, INF] {
        let outside = tensor(&[outside])?;
        assert_refuses(binary_cross_entropy(&outside, &half, None, options), "input has elements outside of [0, 1]");
        assert_refuses(binary_cross_entropy(&half, &outside, None, options), "target has elements outside of [0, 1]");
    }
    assert_refuses(binary_cross_entropy(&half, &tensor(&[0., 1.])?, None, options), "target has shape [2]");
    assert_refuses(binary_cross_entropy(&half, &half, Some(&tensor(&[0., 1.])?), options), "weight has shape [2]");
    Ok(())
}

#[test]
fn bce_with_logits() -> Result<()> {
    let options = BCEWithLogitsLoss { reduction: NONE };
    let ln2 = std::f64::consts::LN_2;
    let confident = (-50f64).exp();
    elementwise(
        &[
            [0., 0.5, ln2, 0., 0.],
            [50., 1., confident, -confident, -50.],
            [-50., 0., confident, confident, 50.],
            [1000., 0., 1000., 1., -1000.],
            [-1000., 1., 1000., -1., 1000.],
            [1000., 1., 0., 0., -1000.],
            [200., 2., -200., -1., -200.],
            [INF, 0., INF, 1., -INF],
            [INF, 1., NAN, 0., -INF],
            [INF, 0.5, INF, 0.5, -INF],
            [-INF, 0., NAN, 0., INF],
            [NAN, 1., NAN, NAN, NAN],
            [3., NAN, NAN, NAN, -3.],
        ],
        |x, t| binary_cross_entropy_with_logits(x, t, None, None, options),
    );
    let pos_weight = tensor(&[2.])?;
    elementwise(
        &[
            [0., 0.5, 1.5 * ln2, -0.25, ln2],
            [50., 1., 2. * confident, -2. * confident, -50.],
            [-1000., 1., 2000., -2., 2000.],
            [INF, 0., INF, 1., -INF],
        ],
        |x, t| binary_cross_entropy_with_logits(x, t, None, Some(&pos_weight), options),
    );
    let (one, two) = (tensor(&[0.])?, tensor(&[0., 1.])?);
    let refusals = [
        (binary_cross_entropy_with_logits(&one, &two, None, None, options), "target has shape [2]"),
        (binary_cross_entropy_with_logits(&one, &one, Some(&two), None, options), "weight has shape [2]"),
        (binary_cross_entropy_with_logits(&one, &one, None, Some(&two), options), "pos_weight has shape [2]"),
    ];
    refusals.into_iter().for_each(|(result, message)| assert_refuses(result, message));
    Ok(())
}

#[test]
fn weights_scale_and_do_not_enter_the_mean() -> Result<()> {
    let (input, target) = (rows(&[[0.5, 0.25], [0.5, 0.25]])?, rows(&[[1., 1.], [1., 1.]])?);
    let ln2 = std::f64::consts::LN_2;
    let loss = binary_cross_entropy(&input, &target, Some(&tensor(&[1., 3.])?), BCELoss::default())?;
    assert_close("the mean", &elements(&loss), &[(ln2 + 6. * ln2) / 2.]);
    Ok(())
}

#[test]
fn cross_entropy_at_the_edges() -> Result<()> {
    let options = CrossEntropyLoss { reduction: NONE, ..Default::default() };
    let confident = (-50f64).exp();
    let table: [([f64; 2], i64, f64, [f64; 2]); 9] = [
        ([0., 0.], 1, std::f64::consts::LN_2, [0.5, -0.5]),
        ([50., 0.], 0, confident, [-confident, confident]),
        ([0., 50.], 0, 50. + confident, [-1., 1.]),
        ([-INF, 0.], 0, INF, [-1., 1.]),
        ([-INF, 0.], 1, 0., [0., 0.]),
        ([-INF, -INF], 0, NAN, [NAN, NAN]),
        ([-INF, -INF], -100, 0., [NAN, NAN]),
        ([INF, 0.], 1, NAN, [NAN, NAN]),
        ([0., NAN], 0, NAN, [NAN, NAN]),
    ];
    for (logits, class, value, gradient) in table {
        let loss = over_classes(&tensor(&logits)?, |input| {
            cross_entropy(input, &indices(&[class])?.squeeze(0)?, None, options)
        })?;
        assert_close(&format!("the loss of {logits:?}, {class}"), &loss.0, &[value]);
        assert_close(&format!("the gradient of {logits:?}, {class}"), &loss.1, &gradient);
    }
    Ok(())
}

#[test]
fn ignored_samples_are_removed_samples() -> Result<()> {
    let logits = rows(&[[1., 2., 3.], [NAN, 0., 0.], [0.5, -1., 0.]])?;
    let weight = tensor(&[1., 2., 3.])?;
    for label_smoothing in [0., 0.2] {
        let options = CrossEntropyLoss { ignore_index: 7, label_smoothing, ..Default::default() };
        let whole = cross_entropy(&logits, &indices(&[1, 7, 2])?, Some(&weight), options)?;
        let rest = logits.index_select(&indices(&[0, 2])?, 0)?;
        let rest = cross_entropy(&rest, &indices(&[1, 2])?, Some(&weight), options)?;
        assert_close("the mean without the ignored sample", &elements(&whole), &elements(&rest));

        let none_left = |input: &Tensor| cross_entropy(input, &indices(&[7, 7, 7])?, Some(&weight), options);
        let (value, gradient) = over_classes(&logits.zeros_like()?, none_left)?;
        assert_close("the mean of none", &value, &[NAN]);
        assert_close("the gradient of the mean of none", &gradient, &[0.; 9]);
    }
    Ok(())
}

#[test]
fn one_hot_probabilities_are_indices() -> Result<()> {
    let logits = Tensor::arange(0f64, 24., &Device::Cpu)?.sin()?.reshape((2, 3, 4))?;
    let classes = indices(&[0, 2, 1, 1, 2, 0, 0, 1])?.reshape((2, 4))?;
    let one_hot = rows(&[[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]])?;
    let one_hot = one_hot.index_select(&classes.flatten_all()?, 0)?.reshape((2, 4, 3))?.transpose(1, 2)?;
    let weight = tensor(&[0.5, 0., 2.])?;
    for weight in [None, Some(&weight)] {
        for (label_smoothing, reduction) in [(0., NONE), (0.3, NONE), (1., Reduction::Sum), (0.3, Reduction::Sum)] {
            let options = CrossEntropyLoss { label_smoothing, reduction, ..Default::default() };
            let by_index = over_classes(&logits, |input| cross_entropy(input, &classes, weight, options))?;
            let by_share = over_classes(&logits, |input| cross_entropy(input, &one_hot, weight, options))?;
            assert_close("the loss", &by_share.0, &by_index.0);
            let difference = by_index.1.iter().zip(&by_share.1).map(|(a, b)| (a - b).abs()).fold(0., f64::max);
            assert!(difference < 1e-14, "the gradients differ by {difference}");
        }
    }
    Ok(())
}

#[test]
fn probabilities_have_a_gradient_whatever_the_smoothing() -> Result<()> {
    let target = Var::new(&[0.25f64, 0.75], &Device::Cpu)?;
    for label_smoothing in [0., 0.5, 1.] {
        let options = CrossEntropyLoss { label_smoothing, ..Default::default() };
        let loss = cross_entropy(&tensor(&[0., 0.])?, &target, None, options)?;
        let gradient = elements(loss.backward()?.get(&target).expect("a gradient"));
        assert_close("the gradient", &gradient, &[(1. - label_smoothing) * std::f64::consts::LN_2; 2]);
    }
    Ok(())
}

#[test]
fn every_integer_dtype_holds_classes() -> Result<()> {
    let log_probabilities = Tensor::arange(0f64, 256., &Device::Cpu)?.reshape((1, 256))?;
    for dtype in [DType::U8, DType::U32, DType::I64] {
        let target = Tensor::new(&[255u32], &Device::Cpu)?.to_dtype(dtype)?;
        let loss = nll_loss(&log_probabilities, &target, None, NLLLoss::default())?;
        assert_eq!(elements(&loss), [-255.]);
    }
    Ok(())
}

#[test]
fn classes_have_to_fit() -> Result<()> {
    let logits = Tensor::zeros((2, 3), DType::F64, &Device::Cpu)?;
    let refusals = [
        (indices(&[3, 0])?, "target 3 is out of bounds"),
        (indices(&[0, -1])?, "target -1 is out of bounds"),
        (indices(&[0, i64::MAX])?, "out of bounds"),
        (Tensor::new(&[0u32, u32::MAX], &Device::Cpu)?, "out of bounds"),
        (Tensor::new(&[0u8, 255], &Device::Cpu)?, "out of bounds"),
        (indices(&[0, 0, 0])?, "target has shape [3], expected [2]"),
        (indices(&[0, 0])?.unsqueeze(1)?, "target has shape [2, 1]"),
        (tensor(&[0., 0.])?, "target has"),
    ];
    for (target, message) in refusals {
        assert_refuses(nll_loss(&logits, &target, None, NLLLoss::default()), message);
        assert_refuses(cross_entropy(&logits, &target, None, CrossEntropyLoss::default()), message);
    }
    let target = indices(&[0, 0])?;
    assert_refuses(nll_loss(&logits, &target, Some(&tensor(&[1., 1.])?), NLLLoss::default()), "weight has shape [2]");
    let options = CrossEntropyLoss { label_smoothing: 1.5, ..Default::default() };
    assert_refuses(cross_entropy(&logits, &target, None, options), "label_smoothing is 1.5");
    let options = CrossEntropyLoss { ignore_index: 0, ..Default::default() };
    assert_refuses(cross_entropy(&logits, &logits, None, options), "ignore_index is 0");
    Ok(())
}

#[test]
fn empty_batches() -> Result<()> {
    let empty = Tensor::zeros((0, 3), DType::F64, &Device::Cpu)?;
    let classes = indices(&[])?;
    for (reduction, expected) in [(NONE, vec![]), (Reduction::Mean, vec![NAN]), (Reduction::Sum, vec![0.])] {
        let options = CrossEntropyLoss { label_smoothing: 0.1, reduction, ..Default::default() };
        let losses = [
            binary_cross_entropy(&empty, &empty, None, BCELoss { reduction })?,
            binary_cross_entropy_with_logits(&empty, &empty, None, None, BCEWithLogitsLoss { reduction })?,
            cross_entropy(&empty, &classes, None, options)?,
            cross_entropy(&empty, &empty, None, options)?,
            huber_loss(&empty, &empty, None, HuberLoss { reduction, ..Default::default() })?,
            l1_loss(&empty, &empty, None, L1Loss { reduction })?,
            mse_loss(&empty, &empty, None, MSELoss { reduction })?,
            nll_loss(&empty, &classes, None, NLLLoss { reduction, ..Default::default() })?,
            smooth_l1_loss(&empty, &empty, SmoothL1Loss { reduction, ..Default::default() })?,
        ];
        for loss in &losses {
            assert_close("the loss", &elements(loss), &expected);
        }
    }
    Ok(())
}

#[test]
fn inputs_and_targets_broadcast() -> Result<()> {
    let (input, target) = (Var::new(&[[1f64], [2.]], &Device::Cpu)?, Var::new(&[1f64, 2., 4.], &Device::Cpu)?);
    let loss = mse_loss(&input, &target, None, MSELoss { reduction: Reduction::Sum })?;
    let gradients = loss.backward()?;
    assert_close("the loss", &elements(&loss), &[15.]);
    assert_close("the gradient by the input", &elements(gradients.get(&input).unwrap()), &[-8., -2.]);
    assert_close("the gradient by the target", &elements(gradients.get(&target).unwrap()), &[-2., 2., 10.]);
    Ok(())
}

#[test]
fn a_target_with_more_dimensions_than_the_input_is_refused() -> Result<()> {
    let (input, target) = (tensor(&[0., 1.])?, rows(&[[1., -1.]])?);
    assert_refuses(
        soft_margin_loss(&input, &target, SoftMarginLoss::default()),
        "target has shape [1, 2], expected one that broadcasts to [2]",
    );
    assert_refuses(
        multilabel_soft_margin_loss(&input, &target, None, MultiLabelSoftMarginLoss::default()),
        "at most the 1 dimensions",
    );
    Ok(())
}

#[test]
fn shapes_with_more_elements_than_can_be_counted_are_refused() -> Result<()> {
    let empty = |shape: &[usize]| Tensor::zeros(shape, DType::F64, &Device::Cpu);
    let huge = 1 << 63;
    let message = "expected dimensions whose product fits a usize";
    assert_refuses(mse_loss(&empty(&[2, 1, 0])?, &empty(&[1, huge, 0])?, None, MSELoss { reduction: NONE }), message);
    assert_refuses(nll_loss(&empty(&[2, 0, huge])?, &indices(&[])?, None, NLLLoss::default()), message);
    let (input, linear_weight, target) = (empty(&[huge, 0])?, empty(&[1, 2, 0])?, indices(&[])?);
    let options = LinearCrossEntropyLoss::default();
    assert_refuses(linear_cross_entropy(&input, &linear_weight, None, &target, None, options), message);
    let options = AdaptiveLogSoftmaxWithLoss { n_classes: 2, cutoffs: vec![1], div_value: 1., ..Default::default() };
    let module = AdaptiveLogSoftmax::new(&options, empty(&[2, 0])?, None, vec![[empty(&[0, 0])?, empty(&[1, 0])?]])?;
    assert_refuses(module.log_prob(&input), message);
    Ok(())
}

/// Value and gradient of one sample, with steps in rows.
fn ctc<const T: usize, const C: usize>(
    scores: &[[f64; C]; T],
    target: &[i64],
    options: CTCLoss,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let lengths = [T as i64, target.len() as i64].map(|length| Tensor::new(length, &Device::Cpu));
    let [input_length, target_length] = lengths;
    let (input_length, target_length, target) = (input_length?, target_length?, indices(target)?);
    over_classes(&rows(scores)?, |scores| ctc_loss(scores, &target, &input_length, &target_length, options))
}

#[test]
fn ctc_sums_over_alignments() -> Result<()> {
    let options = CTCLoss { reduction: NONE, ..Default::default() };
    // 1 1, 1 0 and 0 1 of a fair coin; the first step is 1 in two of the three, and so is the second.
    let half = 0.5f64.ln();
    let (value, gradient) = ctc(&[[half; 2]; 2], &[1], options)?;
    assert_close("the value", &value, &[-0.75f64.ln()]);
    let (one, two) = (0.5 - 1. / 3., 0.5 - 2. / 3.);
    assert_close("the gradient", &gradient, &[one, two, one, two]);
    // A blank has to stand between.
    let (value, _) = ctc(&[[half; 2]; 3], &[1, 1], options)?;
    assert_close("the value", &value, &[-0.125f64.ln()]);
    let (value, _) = ctc(&[[half; 2]; 3], &[], options)?;
    assert_close("the value", &value, &[-0.125f64.ln()]);
    let (mean, _) = ctc(&[[half; 2]; 3], &[1, 1], CTCLoss::default())?;
    assert_close("the mean", &mean, &[-0.125f64.ln() / 2.]);
    // A way that leads through minus infinity is one: minus infinity and infinity are no number.
    let (value, _) = ctc(&[[-INF, half], [INF, half]], &[], options)?;
    assert_close("the value", &value, &[NAN]);
    // A class that cannot be.
    let (value, gradient) = ctc(&[[0., -INF, -INF], [half, half, -INF]], &[1], options)?;
    assert_close("the value", &value, &[-half]);
    assert_close("the gradient", &gradient, &[0., 0., 0., 0.5, -0.5, 0.]);
    Ok(())
}

#[test]
fn ctc_without_alignment() -> Result<()> {
    let options = CTCLoss { reduction: NONE, ..Default::default() };
    let scores = [[-1.; 3]; 2];
    let (value, gradient) = ctc(&scores, &[1, 1], options)?;
    assert_close("the value", &value, &[INF]);
    assert_close("the gradient", &gradient, &[NAN; 6]);
    let (value, gradient) = ctc(&scores, &[1, 1], CTCLoss { zero_infinity: true, ..options })?;
    assert_close("the value", &value, &[0.]);
    assert_close("the gradient", &gradient, &[0.; 6]);
    for (target, message) in [([1, 3], "target 3 is out of bounds"), ([-1, 0], "target -1 is out of bounds")] {
        assert_refuses(ctc(&scores, &target, options).and_then(|_| indices(&[])), message);
    }
    let blank = CTCLoss { blank: 3, ..options };
    assert_refuses(ctc(&scores, &[1, 2], blank).and_then(|_| indices(&[])), "blank is 3");
    Ok(())
}

/// Two classes in the shortlist and two tails, of one class and of two; the scores of a sample 1 are the weights.
fn adaptive(head: [f64; 4], tail: [f64; 2]) -> Result<AdaptiveLogSoftmax> {
    let options = AdaptiveLogSoftmaxWithLoss {
        in_features: 1,
        n_classes: 5,
        cutoffs: vec![2, 3],
        div_value: 1.,
        ..Default::default()
    };
    let column = |scores: &[f64]| Tensor::new(scores, &Device::Cpu)?.unsqueeze(1);
    let tails = [&[0.5][..], &tail].map(|scores| Ok([column(&[1.])?, column(scores)?]));
    AdaptiveLogSoftmax::new(&options, column(&head)?, None, tails.into_iter().collect::<Result<_>>()?)
}

#[test]
fn adaptive_log_softmax_adds_up() -> Result<()> {
    let (head, tail) = ([0.5, -1., 2., 0.25], [1., -0.5]);
    let module = adaptive(head, tail)?;
    let ln = |scores: &[f64], at: usize| scores[at] - scores.iter().map(|x| x.exp()).sum::<f64>().ln();
    let expected = [ln(&head, 0), ln(&head, 1), ln(&head, 2), ln(&head, 3) + ln(&tail, 0), ln(&head, 3) + ln(&tail, 1)];
    let log_prob = elements(&module.log_prob(&rows(&[[1.]])?)?);
    let close = |got: &[f64], expected: &[f64]| got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14);
    assert!(close(&log_prob, &expected), "{log_prob:?}, expected {expected:?}");

    let (batch, target) = (rows(&[[1.]; 5])?, indices(&[4, 0, 3, 1, 2])?);
    let AdaptiveOutput { output, loss } = module.forward(&batch, &target)?;
    let of_targets = [4, 0, 3, 1, 2].map(|class| expected[class]);
    assert!(close(&elements(&output), &of_targets), "{output}");
    assert!(close(&elements(&loss), &[-of_targets.iter().sum::<f64>() / 5.]), "{loss}");
    let AdaptiveOutput { output, .. } = module.forward(&tensor(&[1.])?, &indices(&[3])?.squeeze(0)?)?;
    assert!(output.dims().is_empty() && close(&elements(&output), &expected[3..4]), "{output}");
    Ok(())
}

#[test]
fn adaptive_log_softmax_predicts_the_first_of_the_largest() -> Result<()> {
    for (head, tail, class) in [
        ([1., 1., 1., 1.], [0., 0.], 0),
        ([0.5, 0.25, 1., 1.], [0., 9.], 2),
        ([0.5, 0.25, 0.75, 1.], [0., 9.], 4),
        ([0., 0.9, 0.5, 1.], [0., 0.], 1),
        ([9., NAN, 0., 0.], [0., 0.], 1),
        ([9., 0., NAN, 0.], [0., 0.], 0),
        ([0., 0., 1., 0.], [NAN, 0.], 3),
    ] {
        let classes = adaptive(head, tail)?.predict(&rows(&[[1.], [1.]])?)?;
        assert_eq!(classes.to_vec1::<u32>()?, [class; 2], "{head:?}, {tail:?}");
    }
    assert_eq!(adaptive([0.; 4], [0.; 2])?.predict(&Tensor::zeros((0, 1), DType::F64, &Device::Cpu)?)?.dims(), [0]);
    Ok(())
}

#[test]
fn adaptive_log_softmax_refuses() -> Result<()> {
    let module = adaptive([0.; 4], [0.; 2])?;
    let (batch, row) = (rows(&[[1.], [1.]])?, tensor(&[1.])?);
    let forward = |input: &Tensor, target: &Tensor| module.forward(input, target).map(|result| result.loss);
    let refusals = [
        (forward(&batch, &indices(&[0, 5])?), "there are 5 classes"),
        (forward(&batch, &indices(&[-1, 0])?), "out of bounds"),
        (forward(&batch, &indices(&[0])?), "have shapes [2, 1] and [1]"),
        (forward(&row, &indices(&[0])?), "have shapes [1] and [1]"),
        (forward(&batch, &tensor(&[0., 1.])?), "target has dtype F64"),
        (forward(&rows(&[[1., 1.]])?, &indices(&[0])?), "expected 1 elements"),
        (module.log_prob(&row), "expected (N, 1)"),
        (module.predict(&rows(&[[1., 1.]])?), "expected 1 elements"),
    ];
    for (result, message) in refusals {
        assert_refuses(result, message);
    }
    let options = |cutoffs: &[usize], div_value, head_bias| AdaptiveLogSoftmaxWithLoss {
        in_features: 1,
        n_classes: 4,
        cutoffs: cutoffs.to_vec(),
        div_value,
        head_bias,
        ..Default::default()
    };
    let (head, one) =
        (Tensor::zeros((3, 1), DType::F64, &Device::Cpu)?, Tensor::zeros((1, 1), DType::F64, &Device::Cpu)?);
    let output = Tensor::zeros((2, 1), DType::F64, &Device::Cpu)?;
    for (options, output, message) in [
        (options(&[], 1., false), &output, "cutoffs are []"),
        (options(&[3, 2], 1., false), &output, "cutoffs are [3, 2]"),
        (options(&[4], 1., false), &output, "cutoffs are [4]"),
        (options(&[2], 0., false), &output, "div_value is 0"),
        (options(&[2], 2., false), &output, "tail.0.0.weight has shape [1, 1], expected [0, 1]"),
        (options(&[2], 1., true), &output, "head.bias is given: false"),
        (options(&[1, 2], 1., false), &output, "there are 1 tails"),
        (options(&[2], 1., false), &one, "tail.0.1.weight has shape [1, 1], expected [2, 1]"),
    ] {
        let module = AdaptiveLogSoftmax::new(&options, head.clone(), None, vec![[one.clone(), output.clone()]]);
        assert_refuses(module.map(|_| one.clone()), message);
    }
    Ok(())
}
