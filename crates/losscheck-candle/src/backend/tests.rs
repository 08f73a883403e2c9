use losscheck_backend::LossKind;
use losscheck_backend::backend::{Backend, Coverage, Outcome, Pass};
use losscheck_backend::case::Case;
use losscheck_backend::tensor::{Data, Tensor};
use serde_json::json;

use super::{Candle, CandleNn, VERSION};

fn vector(data: Data) -> Tensor {
    Tensor::new(vec![data.len()], data).expect("a vector has any length")
}

fn matrix(rows: usize, data: &[f64]) -> Tensor {
    Tensor::new(vec![rows, data.len() / rows], Data::F64(data.to_vec())).expect("rows of one length")
}

fn case(loss: LossKind, options: serde_json::Value, inputs: &[(&str, Tensor)]) -> Case {
    let loss = loss.read_options(options).expect("known options");
    let inputs = inputs.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect();
    Case::new("", loss, inputs)
}

fn classes(loss: LossKind, targets: Data) -> Case {
    let logits = matrix(targets.len(), &vec![0.5; targets.len() * 300]);
    case(loss, json!({}), &[("input", logits), ("target", vector(targets))])
}

#[track_caller]
fn gradients(backend: &dyn Backend, case: &Case) -> (Vec<f64>, Vec<f64>) {
    match backend.evaluate(case) {
        Outcome::Answer(answer) => (answer.value.to_f64(), answer.gradients["input"].to_f64()),
        other => panic!("{} does not answer: {other:?}", backend.name()),
    }
}

#[test]
fn the_version_is_the_one_that_is_built() {
    let lock = include_str!("../../../../Cargo.lock");
    for name in ["candle-core", "candle-nn"] {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{VERSION}\"\n")),
            "VERSION is not that of {name}"
        );
    }
}

#[test]
fn the_backward_pass_starts_from_the_cotangent() {
    let (input, target) = (matrix(1, &[1., f64::INFINITY]), matrix(1, &[3., 0.]));
    let mut case = case(LossKind::L1Loss, json!({}), &[("input", input), ("target", target)]);
    case.cotangent = Some(Tensor::new(vec![], Data::F64(vec![0.5])).expect("a scalar"));
    assert_eq!(gradients(&Candle, &case), (vec![f64::INFINITY], vec![-0.25, 0.25]));
}

#[test]
fn nothing_depends_on_a_target_broadcast_to_nothing() {
    let (input, target) = (Tensor::new(vec![0, 2], Data::F64(vec![])).expect("empty"), matrix(1, &[1., 2.]));
    let case = case(LossKind::MseLoss, json!({}), &[("input", input), ("target", target)]);
    let Outcome::Answer(answer) = Candle.evaluate(&case) else { panic!("an empty batch has a loss") };
    assert!(answer.value.to_f64()[0].is_nan());
    assert_eq!(answer.gradients["target"].to_f64(), [0., 0.]);
}

#[test]
fn candle_nn_lacks_most_options() {
    let pair = [("input", matrix(2, &[0.; 4])), ("target", matrix(2, &[0.; 4]))];
    let with = |name, tensor| [pair.as_slice(), &[(name, tensor)]].concat();
    let weight = || vector(Data::F64(vec![1., 1.]));
    let broadcast = [("input", matrix(2, &[0.; 4])), ("target", matrix(1, &[0.; 2]))];
    let batch = [("input", matrix(2, &[0.; 4])), ("target", vector(Data::I64(vec![0, 1])))];
    let unbatched = [
        ("input", vector(Data::F64(vec![0.; 2]))),
        ("target", Tensor::new(vec![], Data::I64(vec![0])).expect("a scalar")),
    ];
    let cases = [
        (case(LossKind::L1Loss, json!({}), &pair), "no such loss"),
        (case(LossKind::SmoothL1Loss, json!({}), &pair), "no such loss"),
        (case(LossKind::BinaryCrossEntropy, json!({}), &pair), "no such loss"),
        (case(LossKind::BinaryCrossEntropyWithLogits, json!({}), &with("weight", weight())), "no weight"),
        (case(LossKind::BinaryCrossEntropyWithLogits, json!({}), &with("pos_weight", weight())), "no pos_weight"),
        (case(LossKind::MseLoss, json!({}), &broadcast), "does not broadcast"),
        (case(LossKind::HuberLoss, json!({}), &broadcast), "does not broadcast"),
        (case(LossKind::CrossEntropy, json!({ "label_smoothing": 0.1 }), &batch), "no label_smoothing"),
        (case(LossKind::CrossEntropy, json!({}), &pair), "class indices alone"),
        (case(LossKind::CrossEntropy, json!({}), &unbatched), "inputs of shape (N, C) alone"),
        (classes(LossKind::NllLoss, Data::I64(vec![1, -100])), "no ignore_index"),
    ];
    for (case, reason) in cases {
        match CandleNn.evaluate(&case) {
            Outcome::NotProvided(message) => assert!(message.contains(reason), "`{message}` is not about {reason}"),
            other => panic!("{} with {reason}: {other:?}", case.loss.kind().name()),
        }
        assert!(CandleNn.workload(&case, Pass::Forward).is_none());
    }
    let provided: Vec<LossKind> =
        LossKind::ALL.iter().copied().filter(|&loss| CandleNn.coverage(loss) != Coverage::Missing).collect();
    let expected = [
        LossKind::BinaryCrossEntropyWithLogits,
        LossKind::CrossEntropy,
        LossKind::HuberLoss,
        LossKind::MseLoss,
        LossKind::NllLoss,
    ];
    assert_eq!(provided, expected);
}

/// What candle-nn gets wrong reaches it: the largest value of an index type counts as no class.
#[test]
fn candle_nn_skips_the_largest_index() {
    let targets = [Data::U8(vec![255]), Data::I64(vec![i64::from(u32::MAX)]), Data::I64(vec![i64::MAX])];
    for targets in targets {
        let case = classes(LossKind::NllLoss, targets);
        assert_eq!(gradients(&CandleNn, &case), (vec![-0.], vec![0.; 300]));
    }
    let valid = classes(LossKind::NllLoss, Data::I64(vec![255]));
    assert_eq!(gradients(&CandleNn, &valid).0, [-0.5]);
    assert_eq!(gradients(&Candle, &classes(LossKind::NllLoss, Data::U8(vec![255]))).0, [-0.5]);
    assert!(matches!(CandleNn.evaluate(&classes(LossKind::NllLoss, Data::I64(vec![300]))), Outcome::Rejection(_)));
    assert!(matches!(CandleNn.evaluate(&classes(LossKind::NllLoss, Data::I64(vec![-1]))), Outcome::Rejection(_)));
}

#[test]
fn both_provide_workloads() {
    let case = classes(LossKind::CrossEntropy, Data::I64(vec![3, 7]));
    for backend in [&Candle as &dyn Backend, &CandleNn] {
        for pass in [Pass::Forward, Pass::ForwardAndGradient] {
            let mut work = backend.workload(&case, pass).expect("a workload");
            work();
        }
    }
    assert!(Candle.workload(&classes(LossKind::CrossEntropy, Data::I64(vec![300])), Pass::Forward).is_none());
}
