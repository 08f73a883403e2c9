//! What needs no exact answer is judged as it would be with one.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::format::case_of;
use losscheck::case::{Answer, Case, Expected, ExpectedBy, Tolerance};
use losscheck::data::DataFolder;
use losscheck::judge::bounds::Bounds;
use losscheck::judge::oracle::{self, LARGE};
use losscheck::judge::verdict::Verdict;
use losscheck::judge::{Judge, MeasuredAt};
use losscheck::judge::{judge, judge_expected};
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Data, Tensor};
use serde_json::json;

/// By how many ULPs answers are spoiled: from nothing, over both sides of the budget, to what nobody overlooks.
const ERRORS: [f64; 8] = [0.0, 1.0, 3.0, 6.0, 9.0, 20.0, 1e3, 1e9];

fn answer(case: &Case) -> Answer {
    match Reference.evaluate(case) {
        Outcome::Answer(answer) => answer,
        other => panic!("{}: {other:?}", case.id),
    }
}

/// The tensor with the element in the middle changed.
fn spoiled(tensor: &Tensor, change: impl Fn(f64) -> f64) -> Tensor {
    let (elements, at) = (tensor.to_f64(), tensor.len() / 2);
    let changed = elements.iter().enumerate().map(|(i, &x)| if i == at { change(x) } else { x });
    tensor.with_elements(changed).expect("as many elements as before")
}

fn with_output(answer: &Answer, name: Option<&String>, change: impl Fn(f64) -> f64) -> Answer {
    let mut answer = answer.clone();
    match name {
        None => answer.value = spoiled(&answer.value, change),
        Some(name) => {
            let gradient = spoiled(&answer.gradients[name], change);
            answer.gradients.insert(name.clone(), gradient);
        }
    }
    answer
}

/// What a verdict says, without the numbers that are only there for people.
fn says(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Differs { differences, .. } => {
            differences.iter().map(|it| it.message.clone()).collect::<Vec<_>>().join("; ")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn spoiled_answers_to_large_cases_get_the_verdicts_of_exact_answers() {
    let data = DataFolder::shipped();
    let (goldens, bounds) = (data.goldens().expect("readable goldens").cases, data.bounds().expect("readable bounds"));
    let size =
        |case: &Case| case.inputs.values().filter(|tensor| tensor.dtype().is_float()).map(Tensor::len).sum::<usize>();
    let (mut agree, mut differ) = (0, 0);
    for (loss, dtype) in LossKind::ALL.iter().flat_map(|&loss| [(loss, DType::F32), (loss, DType::F64)]) {
        let is_meant = |case: &&Case| {
            let is_of_indices = case.loss.argmax_candidates().is_some();
            case.loss.kind() == loss && case.dtype() == dtype && size(case) >= LARGE && !is_of_indices
        };
        let case = goldens.iter().filter(is_meant).min_by_key(|case| size(case)).expect("a large golden of each loss");
        let (judge_of_case, exact, right) = (Judge::new(case, &bounds), oracle::evaluate(case), answer(case));
        for name in [None].into_iter().chain(right.gradients.keys().map(Some)) {
            let ulps = ERRORS.map(|ulps| move |x: f64| x + ulps * dtype.format().ulp(x.abs()));
            let no_numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            let spoiled = ulps.into_iter().map(|change| with_output(&right, name, change));
            for answer in spoiled.chain(no_numbers.map(|x| with_output(&right, name, |_| x))) {
                if name.is_none() {
                    // As if PyTorch had stored it.
                    let stored = Case { expected: Some(Expected::Answer(answer.clone())), ..case.clone() };
                    let (quick, full) =
                        (Judge::new(&stored, &bounds).judge_expected(), judge_expected(&stored, &exact));
                    assert_eq!(says(&quick), says(&full), "{} stored", case.id);
                }
                let outcome = Outcome::Answer(answer);
                let (quick, full) = (judge_of_case.judge(&outcome), judge(case, &exact, &outcome));
                assert_eq!(says(&quick), says(&full), "{}: {name:?}", case.id);
                *if matches!(full, Verdict::Agrees) { &mut agree } else { &mut differ } += 1;
            }
        }
    }
    assert!(agree > 200 && differ > 200, "{agree} agree, {differ} differ: not both");
}

#[test]
fn an_answer_to_a_golden_is_none_to_another_case_of_its_name() {
    let data = DataFolder::shipped();
    let goldens = data.goldens_of(&[LossKind::MseLoss]).expect("readable goldens").cases;
    let is_meant = |case: &&Case| case.id == "mse_loss/f64/large/mean";
    let case = goldens.iter().find(is_meant).expect("a golden that is large");
    let bounds = Bounds::of([case]);
    let agrees = |case: &Case, answer: &Answer| {
        matches!(Judge::new(case, &bounds).judge_by_oracle(&Outcome::Answer(answer.clone())), Verdict::Agrees)
    };
    let changed = case.with_input("target", case.inputs["target"].map(|x| x + 1e-9));
    assert!(agrees(case, &answer(case)) && agrees(&changed, &answer(&changed)));
    assert!(!agrees(case, &answer(&changed)) && !agrees(&changed, &answer(case)));
}

#[test]
fn no_finite_number_is_near_an_infinite_one() {
    let tensor = |x: &str| json!({"dtype": "f64", "shape": [1], "data": [x]});
    let inputs = json!({"input": tensor("Infinity"), "target": {"dtype": "f64", "shape": [1], "data": [0]}});
    let case = case_of(&json!({"id": "l1_loss/f64/infinite", "loss": "l1_loss", "inputs": inputs})).expect("a case");
    let right = answer(&case);
    let judge = Judge::new(&case, &Bounds::default());
    let verdict = |answer: Answer| judge.judge(&Outcome::Answer(answer));
    assert!(matches!(verdict(right.clone()), Verdict::Agrees));
    for wrong in [0.0, f64::MAX, f64::NEG_INFINITY, f64::NAN] {
        assert!(matches!(verdict(with_output(&right, None, |_| wrong)), Verdict::Differs { .. }), "{wrong}");
    }
}

/// A case whose author expects 1.5 for a loss of 1, with a tolerance that makes this right.
fn roughly_expected() -> Case {
    let tensor = |data: &[f64]| json!({"dtype": "f64", "shape": [data.len()], "data": data});
    let case = case_of(&json!({
        "id": "l1_loss/f64/rough", "loss": "l1_loss", "inputs": {"input": tensor(&[1.0]), "target": tensor(&[0.0])},
        "expected": {"value": {"dtype": "f64", "shape": [], "data": [1.5]}}, "tolerance": {"relative": 0.75},
    }));
    case.expect("a case")
}

#[test]
fn a_tolerance_loosens_what_is_expected_and_no_backend() {
    let case = roughly_expected();
    let pytorch = Case { expected_by: ExpectedBy::Pytorch("2.13.0".into()), ..case.clone() };
    for case in [case, pytorch] {
        let judge = Judge::new(&case, &Bounds::default());
        assert!(matches!(judge.judge_expected(), Verdict::Agrees), "{:?}", judge.judge_expected());
        let by_half = with_output(&answer(&case), None, |x| x + 0.5);
        assert!(matches!(judge.judge(&Outcome::Answer(by_half)), Verdict::Differs { .. }));
        let without = Case { tolerance: None, ..case.clone() };
        let judge = Judge::new(&without, &Bounds::default());
        assert!(matches!(judge.judge_expected(), Verdict::Differs { .. }));
    }
}

#[test]
fn a_relative_tolerance_is_a_part_of_the_exact_number() {
    let agrees = |expected: f64| {
        let target = Tensor::new(vec![1], Data::F64(vec![-3.0])).expect("one element");
        let case =
            Case { tolerance: Some(Tolerance::Relative(0.25)), ..roughly_expected() }.with_input("target", target);
        let value = Tensor::new(Vec::new(), Data::F64(vec![expected])).expect("a scalar");
        let expected = Some(Expected::Answer(Answer { value, gradients: Default::default() }));
        matches!(Judge::new(Case { expected, ..case }, &Bounds::default()).judge_expected(), Verdict::Agrees)
    };
    assert!(agrees(4.9) && agrees(3.1) && !agrees(5.1) && !agrees(2.9));
}

#[test]
fn digits_are_right_up_to_half_of_the_last() {
    let case = |value: f64, digits| {
        let value = Tensor::new(Vec::new(), Data::F64(vec![value])).expect("a scalar");
        let expected = Some(Expected::Answer(Answer { value, gradients: Default::default() }));
        Case { expected, tolerance: Some(Tolerance::Digits(digits)), ..roughly_expected() }
    };
    let agrees = |value, digits| {
        let case = case(value, digits);
        matches!(Judge::new(&case, &Bounds::default()).judge_expected(), Verdict::Agrees)
    };
    assert!(agrees(1.0049, 3) && agrees(0.9951, 3) && agrees(1.4, 1));
    assert!(!agrees(1.0051, 3) && !agrees(0.9949, 3) && !agrees(1.51, 1));
    assert!(!agrees(f64::NAN, 1) && !agrees(f64::INFINITY, 1));
}

#[test]
fn only_pytorch_excuses_a_backend_that_is_off_as_it_is() {
    let without = Case { tolerance: None, ..roughly_expected() };
    let by_half = Outcome::Answer(with_output(&answer(&without), None, |x| x + 0.5));
    let verdict = |case: &Case| Judge::new(case, &Bounds::default()).judge(&by_half);
    assert!(matches!(verdict(&without), Verdict::Differs { .. }));
    let pytorch = Case { expected_by: ExpectedBy::Pytorch("2.13.0".into()), ..without };
    assert!(matches!(verdict(&pytorch), Verdict::LikePyTorch(_)));
}

#[test]
fn plain_ulps_decide_if_the_error_is_measured_at_the_exact_number() {
    // The loss is 2e-9, and the terms that it is the sum of are as large as 20.
    let tensor = |data: &[f64]| json!({"dtype": "f32", "shape": [1, data.len()], "data": data});
    let inputs = json!({"input": tensor(&[20.0, 0.0]), "target": {"dtype": "i64", "shape": [1], "data": [0]}});
    let case = case_of(&json!({"id": "cross_entropy/f32/sure", "loss": "cross_entropy", "inputs": inputs}));
    let case = case.expect("a case");
    let negative = Outcome::Answer(with_output(&answer(&case), None, |_| -1e-7));
    let at = |measured_at| Judge::new(&case, &Bounds::default()).measuring_at(measured_at).judge(&negative);
    assert!(matches!(at(MeasuredAt::ErrorScale), Verdict::Agrees));
    let strict = at(MeasuredAt::ExactNumber);
    let [difference] = strict.differences() else { panic!("{strict:?}") };
    assert!(difference.ulps < 8.0 && difference.plain_ulps > 1e6, "{difference:?}");
    assert_eq!(difference.deciding_ulps(), difference.plain_ulps);
}

/// Returns a case of the Huber loss, which has no value if `delta` is negative.
fn huber(delta: f64, shape: &[usize], reduction: &str) -> Case {
    let tensor = |x: f64| json!({"dtype": "f64", "shape": shape, "data": vec![x; shape.iter().product()]});
    let options = json!({"delta": delta, "reduction": reduction});
    let inputs = json!({"input": tensor(1.0), "target": tensor(0.0)});
    let case =
        case_of(&json!({"id": "huber_loss/f64/mine", "loss": "huber_loss", "options": options, "inputs": inputs}));
    case.expect("a case")
}

/// Returns what is wrong with the expectation of a case if its author expects it, and if PyTorch does.
fn wrongly_expected(case: &Case, expected: Expected) -> [String; 2] {
    [ExpectedBy::Author, ExpectedBy::Pytorch("2.13.0".into())].map(|expected_by| {
        let case = Case { expected: Some(expected.clone()), expected_by, ..case.clone() };
        let (quick, full) =
            (Judge::new(&case, &Bounds::default()).judge_expected(), judge_expected(&case, &oracle::evaluate(&case)));
        assert_eq!(says(&quick), says(&full));
        says(&quick)
    })
}

#[test]
fn an_answer_that_is_expected_where_the_loss_has_none_is_wrong() {
    let invalid = huber(-1.0, &[], "mean");
    let answer = Expected::Answer(answer(&huber(1.0, &[], "mean")));
    let [of_author, of_pytorch] = wrongly_expected(&invalid, answer);
    assert!(of_author.starts_with("expected an answer, but the loss has none: "), "{of_author}");
    assert!(of_pytorch.starts_with("accepted, though "), "{of_pytorch}");
    let rejection = Expected::Rejection { error: "ValueError".into(), message: "no".into() };
    assert_eq!(wrongly_expected(&invalid, rejection), ["Agrees", "Agrees"]);
}

#[test]
fn a_rejection_that_is_expected_where_the_loss_has_a_value_is_wrong() {
    let rejection = |message: &str| Expected::Rejection { error: "ValueError".into(), message: message.into() };
    let found = |expected: &str, found: &str| {
        format!("the case expects {expected}, but the loss has a value for its inputs and options: {found}")
    };
    let (scalar, two) = (huber(1.0, &[2], "mean"), huber(1.0, &[2], "none"));
    let [of_author, of_pytorch] = wrongly_expected(&scalar, rejection("no"));
    assert_eq!((of_author, of_pytorch), (found("ValueError: no", "5e-1"), "rejected: no".to_owned()));
    // Without a message there is nothing of PyTorch's to repeat.
    let unnamed = found("a rejection", "5e-1");
    assert_eq!(wrongly_expected(&scalar, rejection("")), [unnamed.clone(), unnamed]);
    let [of_two, _] = wrongly_expected(&two, rejection("no"));
    assert_eq!(of_two, found("ValueError: no", "a tensor of shape [2]"));
}

#[test]
fn a_case_is_refused_if_the_loss_has_no_value_for_it() {
    let is_refused = |delta| Judge::new(huber(delta, &[2], "mean"), &Bounds::default()).refusal().is_some();
    assert!(is_refused(-1.0) && !is_refused(1.0));
}
