//! What needs no exact answer is judged as it would be with one.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::format::case_of;
use losscheck::case::{Answer, Case, Expected};
use losscheck::data::DataFolder;
use losscheck::judge::Judge;
use losscheck::judge::bounds::Bounds;
use losscheck::judge::oracle::{self, LARGE};
use losscheck::judge::verdict::Verdict;
use losscheck::judge::{judge, judge_golden};
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Tensor};
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
                    let (quick, full) = (Judge::new(&stored, &bounds).judge_golden(), judge_golden(&stored, &exact));
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
