//! Every hand-written gradient against its own value, differentiated by dual numbers in wide arithmetic.

use losscheck::case::{Case, random};
use losscheck::loss::{Inputs, Loss, LossExt, LossKind, Outputs, ValueAndGradients};
use losscheck::tensor::{DType, Tensor};
use losscheck_reference::{CTCLossByLogProbs, DoubleDouble, Dual, Loss as _, Real};
use ndarray::{ArrayD, Axis};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// For each loss and dtype.
const CASES: usize = 300;
/// Of one tensor of one case.
const MOST_ELEMENTS: usize = 30;
const TOLERANCE: f64 = 1.0 / (1u128 << 80) as f64;

fn random_cases(kind: LossKind, dtype: DType) -> Vec<Case> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = random::cases(kind, dtype);
    let tree = |_| strategy.new_tree(&mut runner).expect("the strategies filter nothing");
    (0..CASES).map(tree).map(|tree| tree.current()).collect()
}

fn element<R: Real>(array: &ArrayD<R>, at: usize) -> R {
    *array.iter().nth(at).expect("an element of the array")
}

/// The derivative of the loss by one element of one input, contracted with the cotangent; `prepare` does what comes
/// between the element and the loss.
fn differentiated(
    case: &Case,
    name: &str,
    at: usize,
    prepare: impl Fn(&Case, &mut Inputs<Dual<DoubleDouble>>),
) -> DoubleDouble {
    let mut inputs = Inputs::<Dual<DoubleDouble>>::from(case);
    let variable = inputs.float_mut(name).and_then(|array| array.iter_mut().nth(at)).expect("an element of an input");
    *variable = Dual::variable(variable.value);
    prepare(case, &mut inputs);
    let value = case.loss.evaluate(&inputs, Outputs::Value).expect("an accepted case").value;
    let terms = value.iter().enumerate().map(|(output, value)| match inputs.cotangent() {
        Some(cotangent) => element(&cotangent.to_owned(), output).value * value.derivative,
        None => value.derivative,
    });
    terms.fold(DoubleDouble::ZERO, |sum, term| sum + term)
}

/// Takes the log-probabilities of CTC for logits, by which its gradient is, and makes log-probabilities of them.
fn through_log_softmax<R: Real>(case: &Case, inputs: &mut Inputs<R>) {
    if case.loss.kind() != LossKind::CtcLoss {
        return;
    }
    let logits = inputs.float_mut("log_probs").expect("CTC has log-probabilities");
    let classes = Axis(logits.ndim() - 1);
    for mut row in logits.lanes_mut(classes) {
        let largest = row.iter().copied().reduce(R::maximum).expect("a class");
        let ln_sum = row.iter().fold(R::ZERO, |sum, &x| sum + (x - largest).exp()).ln();
        row.mapv_inplace(|x| (x - largest) - ln_sum);
    }
}

/// Why the value formula has another derivative here than the gradient that PyTorch documents, or none. Where the pieces
/// of Huber and smooth L1 meet, both have the same derivative; that of |d| at 0 is 0 by convention, in `Dual` too.
fn kink(case: &Case, name: &str, at: usize) -> Option<&'static str> {
    let x = || case.inputs["input"].to_f64()[at];
    match &case.loss {
        Loss::GaussianNllLoss(options) if name == "var" && case.inputs[name].to_f64()[at] <= options.eps => {
            Some("the clamp of the variance is in the value alone")
        }
        Loss::BinaryCrossEntropy(_) if x().ln() < -100.0 || (-x()).ln_1p() < -100.0 => {
            Some("the clamp at -100 is in the value alone")
        }
        Loss::BinaryCrossEntropy(_) if x() * (1.0 - x()) < 1e-12 => Some("the floor 1e-12 is in the gradient alone"),
        _ => None,
    }
}

/// What roundings are relative to.
fn scale(case: &Case, inputs: &Inputs<DoubleDouble>, at: usize, magnitude: DoubleDouble) -> DoubleDouble {
    if case.loss.kind() != LossKind::BinaryCrossEntropy {
        return magnitude;
    }
    // Differentiating gives the difference of t / x and (1 - t) / (1 - x), which may cancel.
    let (x, t) = (inputs.float("input"), inputs.float("target"));
    let [x, t] = [x, t].map(|array| element(&array.expect("a float tensor").to_owned(), at));
    let terms = (t / x).abs() + ((DoubleDouble::ONE - t) / (DoubleDouble::ONE - x)).abs();
    let combined = ((x - t) / (x * (DoubleDouble::ONE - x))).abs();
    if combined > DoubleDouble::ZERO {
        magnitude * (terms / combined).maximum(DoubleDouble::ONE)
    } else {
        magnitude.maximum(terms)
    }
}

#[derive(Default)]
struct Tally {
    proven: usize,
    /// Among these.
    nonzero: usize,
    kinks: usize,
    out_of_range: usize,
}

fn finite(x: DoubleDouble) -> bool {
    x.to_f64().is_finite()
}

/// Where an f64 is too small or too large for its square to have a low half.
fn in_range(case: &Case) -> bool {
    let floats = case.inputs.values().chain(&case.cotangent).filter(|tensor| tensor.dtype().is_float());
    floats.flat_map(|tensor| tensor.to_f64()).all(|x| x == 0.0 || (1e-100..1e100).contains(&x.abs()))
}

/// The same numbers as f64: the proof is about the formula, not about the range of f32.
fn in_f64(mut case: Case) -> Case {
    for tensor in case.inputs.values_mut().chain(&mut case.cotangent).filter(|tensor| tensor.dtype().is_float()) {
        let data = tensor.data().to(DType::F64);
        *tensor = Tensor::new(tensor.shape().to_vec(), data).expect("the elements are as many as before");
    }
    case
}

fn prove(case: &Case, tally: &mut [(&'static str, Tally)]) {
    let mut inputs = Inputs::<DoubleDouble>::from(case);
    if case.loss.evaluate(&inputs, Outputs::Value).is_err() {
        return;
    }
    through_log_softmax(case, &mut inputs);
    let exact = case.loss.evaluate(&inputs, Outputs::Gradients).expect("an accepted case");
    if !in_range(case) || !exact.value.iter().all(|&value| finite(value)) {
        return;
    }
    let magnitudes = case.loss.error_scale(&inputs).expect("an accepted case");
    let ValueAndGradients { gradients, .. } = exact;
    for ((name, gradient), (_, magnitudes)) in gradients.iter().zip(&magnitudes.gradients) {
        let (_, tally) = tally.iter_mut().find(|(known, _)| known == name).expect("a differentiable input");
        let step = gradient.len().div_ceil(MOST_ELEMENTS).max(1);
        for at in (0..gradient.len()).step_by(step) {
            if kink(case, name, at).is_some() {
                tally.kinks += 1;
                continue;
            }
            let (hand_written, magnitude) = (element(gradient, at), element(magnitudes, at));
            let scale = scale(case, &inputs, at, magnitude);
            if !finite(hand_written) || !finite(scale) || scale.to_f64() < 1e-270 && hand_written != DoubleDouble::ZERO
            {
                tally.out_of_range += 1;
                continue;
            }
            let dual = differentiated(case, name, at, through_log_softmax);
            let error = (dual - hand_written).abs().to_f64();
            assert!(
                error <= TOLERANCE * scale.to_f64(),
                "{}, gradient by {name} at {at}: {hand_written:?}, but the value's derivative is {dual:?}\n{}",
                case.loss.kind().name(),
                losscheck::case::format::write_case(case)
            );
            tally.proven += 1;
            tally.nonzero += usize::from(hand_written != DoubleDouble::ZERO);
        }
    }
}

#[test]
fn gradients_are_the_derivatives_of_the_values() {
    for &kind in LossKind::ALL {
        let names = kind.signature().differentiable;
        assert!(!names.is_empty(), "{} has no gradient", kind.name());
        let mut tallies: Vec<_> = names.iter().map(|&name| (name, Tally::default())).collect();
        for dtype in [DType::F32, DType::F64] {
            for case in random_cases(kind, dtype) {
                prove(&in_f64(case), &mut tallies);
            }
        }
        for (name, Tally { proven, nonzero, kinks, out_of_range }) in tallies {
            let what = format!("{}, gradient by {name}", kind.name());
            eprintln!("{what}: {proven} elements proven, {kinks} kinks, {out_of_range} out of range left out");
            assert!(nonzero >= 300, "{what}: only {nonzero} elements that are not 0");
            // Two in five of the generated probabilities are 0, 1 or all but.
            let most = match kind {
                LossKind::BinaryCrossEntropy => 0.5,
                LossKind::GaussianNllLoss if name == "var" => 0.2,
                _ => 0.02,
            };
            assert!((kinks as f64) < most * (proven + kinks) as f64, "{what}: {kinks} kinks beside {proven}");
            assert!(out_of_range * 20 < proven, "{what}: {out_of_range} out of range beside {proven}");
        }
    }
}

#[test]
fn ctc_gives_the_derivative_by_log_probs_too() {
    let mut nonzero = 0;
    for case in [DType::F32, DType::F64].into_iter().flat_map(|dtype| random_cases(LossKind::CtcLoss, dtype)) {
        let Loss::CtcLoss(options) = &case.loss else { panic!("a case of another loss") };
        let loss = CTCLossByLogProbs(*options);
        let inputs = Inputs::<DoubleDouble>::from(&case);
        let log_probs = inputs.float("log_probs").expect("log-probabilities");
        let [targets, input_lengths, target_lengths] = ["targets", "input_lengths", "target_lengths"]
            .map(|name| inputs.indices(name).expect("the generator draws integers"));
        let tensors = (log_probs, targets, input_lengths, target_lengths);
        let Ok((value, gradient)) = loss.value_and_gradient(tensors, inputs.cotangent()) else { continue };
        if !in_range(&case) || !value.iter().all(|&value| finite(value)) {
            continue;
        }
        let magnitudes = case.loss.error_scale(&inputs).expect("an accepted case").gradients.remove(0).1;
        let step = gradient.len().div_ceil(MOST_ELEMENTS).max(1);
        for at in (0..gradient.len()).step_by(step) {
            let (by_hand, dual) = (element(&gradient, at), differentiated(&case, "log_probs", at, |_, _| ()));
            let error = (dual - by_hand).abs().to_f64();
            let scale = element(&magnitudes, at).to_f64();
            let shown = losscheck::case::format::write_case(&case);
            assert!(error <= TOLERANCE * scale, "at {at}: {by_hand:?}, but the derivative is {dual:?}\n{shown}");
            nonzero += usize::from(by_hand != DoubleDouble::ZERO);
        }
    }
    assert!(nonzero >= 300, "only {nonzero} elements that are not 0");
}
