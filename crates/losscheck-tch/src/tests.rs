//! Rows of inputs and what libtorch answers to them.

use losscheck_backend::LossKind;
use losscheck_backend::backend::{Backend, Outcome, Pass};
use losscheck_backend::case::{Answer, Case};
use losscheck_backend::tensor::{Data, Tensor};
use serde_json::{Value, json};

use crate::Tch;

/// A case without a cotangent or an expectation.
fn case(loss: &str, options: Value, inputs: &[(&str, Tensor)]) -> Case {
    let kind: LossKind = loss.parse().unwrap();
    let inputs = inputs.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect();
    Case::new(format!("{loss}/test"), kind.read_options(options).unwrap(), inputs)
}

fn f32(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape.to_vec(), Data::F32(data.to_vec())).unwrap()
}

fn f64(shape: &[usize], data: &[f64]) -> Tensor {
    Tensor::new(shape.to_vec(), Data::F64(data.to_vec())).unwrap()
}

fn i64(shape: &[usize], data: &[i64]) -> Tensor {
    Tensor::new(shape.to_vec(), Data::I64(data.to_vec())).unwrap()
}

fn u8(shape: &[usize], data: &[u8]) -> Tensor {
    Tensor::new(shape.to_vec(), Data::U8(data.to_vec())).unwrap()
}

#[track_caller]
fn answer(case: &Case) -> Answer {
    match Tch.evaluate(case) {
        Outcome::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_rejects(message: &str, case: &Case) {
    match Tch.evaluate(case) {
        Outcome::Rejection(found) => assert_eq!(found, message),
        other => panic!("{other:?}"),
    }
    assert!(Tch.workload(case, Pass::ForwardAndGradient).is_none());
}

/// Same dtype, same shape, and elements that agree to single precision; NaN with NaN.
#[track_caller]
fn assert_close(found: &Tensor, expected: &Tensor) {
    let (a, b) = (found.to_f64(), expected.to_f64());
    let close = a.iter().zip(&b).all(|(a, b)| a == b || (a - b).abs() <= 1e-6 * b.abs() || (a.is_nan() && b.is_nan()));
    let alike = found.dtype() == expected.dtype() && found.shape() == expected.shape() && close;
    assert!(alike, "{found:?}\n  is not\n{expected:?}");
}

#[track_caller]
fn assert_answers(case: &Case, value: &Tensor, gradients: &[(&str, Tensor)]) {
    let answer = answer(case);
    assert_close(&answer.value, value);
    assert_eq!(answer.gradients.len(), gradients.len(), "{:?}", answer.gradients.keys());
    for (name, gradient) in gradients {
        assert_close(&answer.gradients[*name], gradient);
    }
}

#[test]
fn errors_come_without_stack_traces() {
    answer(&case("l1_loss", json!({}), &[("input", f32(&[], &[3.0])), ("target", f32(&[], &[3.0]))]));
    match tch::Tensor::from(1f32).f_reshape([2]) {
        Err(tch::TchError::Torch(message)) => assert!(!message.contains("frame #"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mse_and_its_gradients_start_from_the_cotangent() {
    let mut case =
        case("mse_loss", json!({}), &[("input", f32(&[2], &[1.5, -2.0])), ("target", f32(&[2], &[1.0, 1.0]))]);
    let gradients = [("input", f32(&[2], &[0.5, -3.0])), ("target", f32(&[2], &[-0.5, 3.0]))];
    assert_answers(&case, &f32(&[], &[4.625]), &gradients);

    case.cotangent = Some(f32(&[], &[-2.0]));
    let gradients = [("input", f32(&[2], &[-1.0, 6.0])), ("target", f32(&[2], &[1.0, -6.0]))];
    assert_answers(&case, &f32(&[], &[4.625]), &gradients);
}

#[test]
fn a_cotangent_of_the_wrong_shape_is_not_broadcast() {
    let inputs = [("input", f64(&[2], &[1.0, 2.0])), ("target", f64(&[2], &[0.0, 0.0]))];
    let mut case = case("l1_loss", json!({"reduction": "none"}), &inputs);
    case.cotangent = Some(f64(&[], &[1.0]));
    assert_rejects("the cotangent's shape is [], the output's [2]", &case);
}

#[test]
fn broadcast_inputs_get_gradients_of_their_own_shape() {
    let inputs = [("input", f64(&[2, 1], &[1.0, 5.0])), ("target", f64(&[2], &[0.0, 2.0]))];
    let gradients = [("input", f64(&[2, 1], &[0.0, 4.0])), ("target", f64(&[2], &[-3.0, -1.0]))];
    assert_answers(&case("mse_loss", json!({}), &inputs), &f64(&[], &[9.0]), &gradients);
}

#[test]
fn l1_of_scalars_and_of_nothing() {
    let scalars = [("input", f32(&[], &[3.0])), ("target", f32(&[], &[3.0]))];
    let gradients = [("input", f32(&[], &[0.0])), ("target", f32(&[], &[0.0]))];
    assert_answers(&case("l1_loss", json!({"reduction": "none"}), &scalars), &f32(&[], &[0.0]), &gradients);

    let nothing = [("input", f32(&[0, 3], &[])), ("target", f32(&[0, 3], &[]))];
    assert_answers(&case("l1_loss", json!({}), &nothing), &f32(&[], &[f32::NAN]), &nothing);
    assert_answers(&case("l1_loss", json!({"reduction": "none"}), &nothing), &f32(&[0, 3], &[]), &nothing);
}

#[test]
fn smooth_l1_at_beta_0_is_libtorchs_own() {
    let inputs = [("input", f32(&[2], &[1.0, 4.0])), ("target", f32(&[2], &[1.0, 1.0]))];
    // Python says 0 for the first of each, since its smooth_l1_loss calls l1_loss here.
    let gradients = [("input", f32(&[2], &[-1.0, 1.0])), ("target", f32(&[2], &[-1.0, -1.0]))];
    assert_answers(
        &case("smooth_l1_loss", json!({"beta": 0.0, "reduction": "sum"}), &inputs),
        &f32(&[], &[3.0]),
        &gradients,
    );
}

#[test]
fn huber_at_an_infinite_difference() {
    let inputs = [("input", f32(&[1], &[f32::INFINITY])), ("target", f32(&[1], &[0.0]))];
    let gradients = [("input", f32(&[1], &[0.5])), ("target", f32(&[1], &[-0.5]))];
    assert_answers(&case("huber_loss", json!({"delta": 0.5}), &inputs), &f32(&[], &[f32::INFINITY]), &gradients);
    assert_rejects(
        "huber_loss does not support non-positive values for delta.",
        &case("huber_loss", json!({"delta": 0.0}), &inputs),
    );
}

#[test]
fn binary_cross_entropy_clamps_all_but_the_gradient_of_the_target() {
    let inputs = [("input", f32(&[2], &[0.0, 0.5])), ("target", f32(&[2], &[1.0, 1.0])), ("weight", f32(&[1], &[2.0]))];
    let gradients = [("input", f32(&[2], &[-2e12, -4.0])), ("target", f32(&[2], &[f32::INFINITY, 0.0]))];
    let value = f32(&[2], &[200.0, 2.0 * std::f32::consts::LN_2]);
    assert_answers(&case("binary_cross_entropy", json!({"reduction": "none"}), &inputs), &value, &gradients);
}

#[test]
fn binary_cross_entropy_checks_sizes_and_probabilities() {
    let inputs = [("input", f32(&[2], &[0.25, 1.5])), ("target", f32(&[2], &[1.0, 1.0]))];
    assert_rejects(
        "all elements of input should be between 0 and 1",
        &case("binary_cross_entropy", json!({}), &inputs),
    );
    let inputs = [("input", f32(&[2], &[0.25, 0.5])), ("target", f32(&[1], &[1.0]))];
    assert_rejects(
        "Using a target size (torch.Size([1])) that is different to the input size (torch.Size([2])) is deprecated. \
         Please ensure they have the same size.",
        &case("binary_cross_entropy", json!({}), &inputs),
    );
    assert_rejects(
        "Target size (torch.Size([1])) must be the same as input size (torch.Size([2]))",
        &case("binary_cross_entropy_with_logits", json!({}), &inputs),
    );
}

#[test]
fn binary_cross_entropy_with_logits_weighs_positives() {
    let inputs = [
        ("input", f64(&[1, 2], &[0.0, 0.0])),
        ("target", f64(&[1, 2], &[1.0, 0.0])),
        ("pos_weight", f64(&[2], &[3.0, 3.0])),
    ];
    let gradients = [("input", f64(&[1, 2], &[-1.5, 0.5])), ("target", f64(&[1, 2], &[2.0 * 2f64.ln(); 2]))];
    let value = f64(&[], &[4.0 * 2f64.ln()]);
    assert_answers(&case("binary_cross_entropy_with_logits", json!({"reduction": "sum"}), &inputs), &value, &gradients);
}

#[test]
fn nll_takes_indices_of_either_width() {
    let input = f32(&[2, 3], &[-0.1, -2.0, -3.0, -1.0, -0.5, -4.0]);
    let gradients = [("input", f32(&[2, 3], &[0.0, 0.0, -0.75, -0.25, 0.0, 0.0]))];
    for target in [i64(&[2], &[2, 0]), u8(&[2], &[2, 0])] {
        let inputs = [("input", input.clone()), ("target", target), ("weight", f32(&[3], &[1.0, 2.0, 3.0]))];
        assert_answers(&case("nll_loss", json!({}), &inputs), &f32(&[], &[2.5]), &gradients);
    }
    let inputs = [("input", input), ("target", i64(&[2], &[2, 3]))];
    assert_rejects("Target 3 is out of bounds.", &case("nll_loss", json!({}), &inputs));
}

#[test]
fn cross_entropy_with_indices_and_with_probabilities() {
    let ln2 = std::f64::consts::LN_2;
    let input = f64(&[2, 2], &[0.0, 0.0, 1.0, 1.0]);
    let indices = [("input", input.clone()), ("target", i64(&[2], &[1, -100]))];
    let gradients = [("input", f64(&[2, 2], &[0.5, -0.5, 0.0, 0.0]))];
    assert_answers(&case("cross_entropy", json!({}), &indices), &f64(&[], &[ln2]), &gradients);

    let probabilities = [("input", input), ("target", f64(&[2, 2], &[1.0, 0.0, 0.25, 0.75]))];
    let gradients = [("input", f64(&[2, 2], &[-0.25, 0.25, 0.125, -0.125])), ("target", f64(&[2, 2], &[0.5 * ln2; 4]))];
    assert_answers(&case("cross_entropy", json!({}), &probabilities), &f64(&[], &[ln2]), &gradients);
}

#[test]
fn tensors_survive_the_way_there_and_back() {
    let edges = f32(&[1, 4], &[-0.0, f32::MIN_POSITIVE / 3.0, f32::NEG_INFINITY, f32::MAX]);
    for tensor in [edges, f64(&[], &[0.1]), i64(&[2], &[i64::MIN, i64::MAX]), u8(&[1, 1], &[255]), f64(&[2, 0], &[])] {
        let back = crate::convert::from_torch(&crate::convert::to_torch(&tensor).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{tensor:?}"));
    }
}

#[test]
fn workloads_run_again_and_again() {
    let inputs = [("input", f32(&[2, 3], &[0.5; 6])), ("target", u8(&[2], &[2, 0]))];
    let case = case("cross_entropy", json!({"reduction": "none"}), &inputs);
    for pass in [Pass::Forward, Pass::ForwardAndGradient] {
        let mut work = Tch.workload(&case, pass).unwrap();
        work();
        work();
    }
}

#[test]
fn ctc_never_sees_a_label_out_of_range() {
    let log_probs = f32(&[2, 2, 2], &[-std::f32::consts::LN_2; 8]);
    let with = |shape: &[usize], targets: &[i64], lengths: &[i64]| {
        let inputs = [
            ("log_probs", log_probs.clone()),
            ("targets", i64(shape, targets)),
            ("input_lengths", i64(&[2], &[2, 2])),
            ("target_lengths", i64(&[lengths.len()], lengths)),
        ];
        case("ctc_loss", json!({"reduction": "sum"}), &inputs)
    };
    // Padding is not read.
    let value = answer(&with(&[2, 2], &[1, -1, 1, 99], &[1, 1])).value.to_f64()[0];
    assert!((value + 2.0 * 0.75f64.ln()).abs() < 1e-6, "{value}");
    for case in [
        with(&[2, 2], &[1, -1, 1, 99], &[2, 1]),
        with(&[2, 1], &[1, 2], &[1, 1]),
        with(&[2], &[1, i64::MIN], &[1, 1]),
        with(&[2], &[1, 2], &[1]),
        with(&[2, 1], &[1, 2], &[1]),
    ] {
        assert!(matches!(Tch.evaluate(&case), Outcome::NotProvided(_)), "{:?}", case.inputs);
    }
    assert_rejects("input_lengths must be of size batch_size", &{
        let mut case = with(&[2], &[1, 1], &[1, 1]);
        case.inputs.insert("input_lengths".into(), i64(&[1], &[2]));
        case
    });
}

#[test]
fn adaptive_softmax_leaves_tails_alone_and_predicts_integers() {
    let options =
        |result| json!({"in_features": 1, "n_classes": 4, "cutoffs": [1, 2], "div_value": 1.0, "result": result});
    let ln2 = std::f64::consts::LN_2;
    let parameters = [
        ("input", f64(&[1, 1], &[1.0])),
        ("head.weight", f64(&[3, 1], &[0.0, 0.0, ln2])),
        ("tail.0.0.weight", f64(&[1, 1], &[f64::NAN])),
        ("tail.0.1.weight", f64(&[1, 1], &[1.0])),
        ("tail.1.0.weight", f64(&[1, 1], &[1.0])),
        ("tail.1.1.weight", f64(&[2, 1], &[0.0, 0.0])),
    ];
    let with_target = |class| [&parameters[..], &[("target", i64(&[1], &[class]))]].concat();
    let gradients = [
        ("input", f64(&[1, 1], &[-0.5 * ln2])),
        ("head.weight", f64(&[3, 1], &[0.25, 0.25, -0.5])),
        ("tail.0.0.weight", f64(&[1, 1], &[0.0])),
        ("tail.0.1.weight", f64(&[1, 1], &[0.0])),
        ("tail.1.0.weight", f64(&[1, 1], &[0.0])),
        ("tail.1.1.weight", f64(&[2, 1], &[0.5, -0.5])),
    ];
    let name = "adaptive_log_softmax_with_loss";
    assert_answers(&case(name, options("loss"), &with_target(3)), &f64(&[], &[2.0 * ln2]), &gradients);
    assert_answers(&case(name, options("predict"), &parameters), &i64(&[1], &[1]), &[]);
    assert_rejects(
        "Target values should be in [0, 3], but others were found.",
        &case(name, options("loss"), &with_target(4)),
    );
}
