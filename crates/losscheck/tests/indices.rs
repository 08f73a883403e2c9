//! Answers that are indices: they are judged by the numbers that they choose, not by their own distance.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::{Answer, Case, format};
use losscheck::judge::judge;
use losscheck::judge::oracle;
use losscheck::judge::verdict::{DifferenceKind, Verdict};
use losscheck::loss::LossKind;
use losscheck::tensor::{Data, Tensor, Tensors};
use serde_json::{Value, json};

const LOSS: LossKind = LossKind::AdaptiveLogSoftmaxWithLoss;

/// Four classes, two of them in the shortlist; the scores of the one sample are the weights.
fn case(head: [f32; 3], tail: [f32; 2]) -> Case {
    let column = |scores: &[f32]| Tensor::new(vec![scores.len(), 1], Data::F32(scores.to_vec())).expect("a column");
    let named = [
        ("input", column(&[1.0])),
        ("head.weight", column(&head)),
        ("tail.0.0.weight", column(&[1.0])),
        ("tail.0.1.weight", column(&tail)),
    ];
    let options = json!({"in_features": 1, "n_classes": 4, "cutoffs": [2], "div_value": 1.0, "result": "predict"});
    let inputs = named.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    let loss = LOSS.read_options(options).expect("known options");
    Case::new("adaptive_log_softmax_with_loss/f32/test", loss, inputs)
}

fn verdict(case: &Case, class: i64) -> Verdict {
    let value = Tensor::new(vec![1], Data::I64(vec![class])).expect("one element");
    judge(case, &oracle::evaluate(case), &Outcome::Answer(Answer { value, gradients: Tensors::new() }))
}

#[track_caller]
fn assert_differs(kind: DifferenceKind, case: &Case, class: i64) {
    match verdict(case, class) {
        Verdict::Differs { differences, .. } => {
            assert_eq!(differences.iter().map(|it| it.kind).collect::<Vec<_>>(), [kind])
        }
        other => panic!("{class}: {other:?}"),
    }
}

#[test]
fn an_index_is_as_good_as_what_it_names() {
    let clear = case([0.5, 1.0, 0.0], [0.0, 0.0]);
    assert!(matches!(verdict(&clear, 1), Verdict::Agrees));
    assert_differs(DifferenceKind::Zero, &clear, 0);
    for wrong in [2, 3] {
        assert_differs(DifferenceKind::Off, &clear, wrong);
    }
    for none in [-1, 4, i64::MAX] {
        assert_differs(DifferenceKind::Off, &clear, none);
    }

    let near = case([1.0, 1.0 - f32::EPSILON, 0.0], [0.0, 0.0]);
    for either in [0, 1] {
        assert!(matches!(verdict(&near, either), Verdict::Agrees), "{either}");
    }
    assert_differs(DifferenceKind::Off, &near, 2);
}

#[test]
fn what_cannot_be_compared_has_one_answer() {
    let case = case([0.0, f32::NAN, 0.0], [0.0, 0.0]);
    assert!(matches!(verdict(&case, 1), Verdict::Agrees));
    assert_differs(DifferenceKind::Zero, &case, 0);
}

#[test]
fn the_reference_answers_in_integers() {
    match Reference.evaluate(&case([0.0, 0.0, 9.0], [1.0, 2.0])) {
        Outcome::Answer(Answer { value, gradients }) => {
            assert!(matches!(value.data(), Data::I64(classes) if classes == &[3]), "{value:?}");
            assert!(gradients.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_golden_format_has_integers_for_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let read = |change: fn(&mut Value)| {
        let mut case = format::write_case(&case([0.0, 0.0, 9.0], [1.0, 2.0]));
        case["expected"] = json!({"value": {"dtype": "i64", "shape": [1], "data": [3]}});
        change(&mut case);
        let path = folder.path().join("case.json");
        let file = json!({"format": format::FORMAT, "cases": [case]});
        std::fs::write(&path, file.to_string()).expect("a writable folder");
        format::read(&path).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read(|_| {}), Ok(()));
    let floats = read(|case| case["expected"]["value"]["dtype"] = json!("f32")).expect_err("floats");
    let expected = "`expected.value.dtype`: expected i64, because the loss answers with classes, found f32";
    assert!(floats.contains(expected), "{floats}");
    let integers = read(|case| case["options"]["result"] = json!("log_prob")).expect_err("integers");
    assert!(integers.contains("`expected.value.dtype`: expected f16, bf16, f32 or f64, found i64"), "{integers}");
    let tails = read(|case| case["options"]["cutoffs"] = json!([1, 2, 3, 4, 5])).expect_err("five tails");
    assert!(tails.contains("`options.cutoffs`: expected a list of at most 4 integers"), "{tails}");
}
