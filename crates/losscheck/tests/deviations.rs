//! What deviations say, which wrong numbers that covers, and which it does not.

use std::path::Path;

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Outcome};
use losscheck::case::format::case_of;
use losscheck::case::parts::Part;
use losscheck::case::{Answer, Case, Expected, ExpectedBy};
use losscheck::data::DataFolder;
use losscheck::deviations::{Bound, Deviations, Explained, Gives, JudgedBy, Policy, Scope, Statement, Unit};
use losscheck::judge::bounds::Bounds;
use losscheck::judge::verdict::{DifferenceKind, Verdict};
use losscheck::judge::{Judge, MeasuredAt, judge, oracle};
use losscheck::loss::{LossKind, Output};
use losscheck::run::conformance::{JudgedAs, judge_all};
use losscheck::tensor::DType;
use serde_json::{Value, json};

const BACKENDS: [&str; 5] = ["pytorch", "reference", "candle", "candle-nn", "tch"];

fn parse(loss: LossKind, text: &str) -> Result<Statement, String> {
    Statement::parse(text, loss.signature())
}

fn tensor(dtype: &str, shape: &[usize], data: Value) -> Value {
    json!({"dtype": dtype, "shape": shape, "data": data})
}

/// Returns a case of a loss on vectors of one dtype.
fn case_in(dtype: &str, loss: &str, options: Value, inputs: &[(&str, Value)]) -> Case {
    let mut case = json!({"id": "mine", "loss": loss, "options": options, "inputs": {}});
    for (name, data) in inputs {
        let length = data.as_array().map_or(0, Vec::len);
        case["inputs"][name] = tensor(dtype, &[length], data.clone());
    }
    read(&case)
}

fn case(loss: &str, options: Value, inputs: &[(&str, Value)]) -> Case {
    case_in("f32", loss, options, inputs)
}

fn read(case: &Value) -> Case {
    case_of(case).unwrap_or_else(|message| panic!("{case}: {message}"))
}

fn right(case: &Case) -> Answer {
    match Reference.evaluate(case) {
        Outcome::Answer(answer) => answer,
        other => panic!("{}: {other:?}", case.id),
    }
}

/// Returns the right answer with one number of one output changed, or all of them.
fn wrong(case: &Case, output: Output, at: Option<usize>, change: impl Fn(f64) -> f64) -> Answer {
    let mut answer = right(case);
    let tensor = answer.output(output).expect("an output of the loss");
    let elements = tensor.to_f64().into_iter().enumerate();
    let changed = elements.map(|(index, x)| if at.is_none_or(|at| at == index) { change(x) } else { x });
    let tensor = tensor.with_elements(changed).expect("as many elements as before");
    match output {
        Output::Value => answer.value = tensor,
        Output::Gradient(name) => drop(answer.gradients.insert(name.to_owned(), tensor)),
    }
    answer
}

fn explain(policy: &Policy, case: &Case, outcome: &Outcome) -> Vec<Explained> {
    let verdict = judge(case, &oracle::evaluate(case), outcome);
    assert!(!verdict.differences().is_empty(), "{outcome:?} is no wrong answer to {case:?}");
    policy.explain(case, &verdict)
}

/// Returns whether a policy knows all that is wrong with an answer.
fn knows(policy: &Policy, case: &Case, answer: Answer) -> bool {
    explain(policy, case, &Outcome::Answer(answer)).iter().all(|it| it.known.is_some())
}

/// Returns whether a policy knows nothing of what is wrong with an answer.
fn knows_nothing(policy: &Policy, case: &Case, answer: Answer) -> bool {
    explain(policy, case, &Outcome::Answer(answer)).iter().all(|it| it.known.is_none())
}

fn shipped(backend: &str) -> Policy {
    DataFolder::shipped().policy(backend, Scope::Others).expect("a readable record")
}

/// Reads a record out of the text of a file.
fn record(text: &str) -> Result<Deviations, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    let failed = |error: losscheck::error::DataError| error.to_string();
    Deviations::read(&file).map_err(failed)
}

fn deviation(loss: &str, gives: &[&str], when: Option<&str>, cases: &[&str]) -> String {
    let when = when.map_or_else(String::new, |when| format!("when = {when:?}\n"));
    format!(
        "[[deviation]]\nloss = {loss:?}\nname = \"mine\"\ngives = {gives:?}\nreason = \"a test\"\n\
         upstream = \"unreported\"\nwitness = \"mine\"\n{when}cases = {cases:?}\n"
    )
}

fn policy(text: &str, scope: Scope) -> Policy {
    Policy::new("mine", scope, record(text).unwrap_or_else(|message| panic!("{text}: {message}")))
}

#[test]
fn statements_are_printed_as_they_are_read() {
    for text in [
        "accepts",
        "rejects",
        "fails",
        "crashes",
        "times out",
        "value: NaN",
        "value: infinity, 0, finite",
        "gradient of input: off by 0.5 ULPs",
        "gradient of target: NaN, off by 300 ULPs in f32, off by 20 ULPs in bf16",
        "value: off by 4e-9 relative in f64",
        "value: off by 1 absolute",
        "value: off by 2 smallest numbers per cubed length",
        "gradient of input: 0, off by 1 underflows per 1/|x - t| in f16",
        "value: off by 0.5 ULPs per pair of classes",
        "value: off by 1e6 ULPs",
        "value: off by 1e7 ULPs",
    ] {
        let statement = parse(LossKind::MseLoss, text);
        assert_eq!(statement.map(|statement| statement.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn statements_say_what_they_are_about() {
    let per =
        parse(LossKind::MseLoss, "gradient of target: NaN, off by 3 ULPs per class in bf16").expect("a statement");
    let Statement::Numbers { output, gives } = &per else { panic!("{per:?}") };
    assert_eq!(*output, Output::Gradient("target"));
    let [Gives::Special(DifferenceKind::Nan), Gives::Off { by, dtype: Some(DType::BF16) }] = gives.as_slice() else {
        panic!("{gives:?}")
    };
    assert!(matches!(by, Bound { amount: 3.0, unit: Unit::Ulps, per: Some(measure) } if measure.name == "class"));
    assert_eq!(per.kinds().collect::<Vec<_>>(), [DifferenceKind::Nan, DifferenceKind::Off]);
    let accepts = parse(LossKind::MseLoss, "accepts").expect("a statement");
    assert_eq!(accepts.kinds().collect::<Vec<_>>(), [DifferenceKind::WronglyAccepted]);
    let per = |measure: &str| parse(LossKind::MseLoss, &format!("value: off by 3 ULPs per {measure}"));
    assert!(per("class") == per("class") && per("class") != per("term"));
    assert!(format!("{:?}", per("class")).contains("class"));
}

#[test]
fn what_is_no_statement_is_refused_with_what_is_expected() {
    let gives = "expected `NaN`, `infinity`, `0`, `finite` or `off by 300 ULPs in f32`";
    for (text, message) in [
        (
            "explodes",
            "`explodes`, expected `accepts`, `rejects`, `fails`, `crashes`, `times out`, `changes its inputs` or `OUTPUT: WHAT, WHAT`".to_owned(),
        ),
        (
            "gradient of weight: NaN",
            "`gradient of weight`, expected `value` or `gradient of` one of input, target".to_owned(),
        ),
        ("value: nan", format!("`nan`, {gives}")),
        ("value: ", format!("``, {gives}")),
        ("value: NaN,0", format!("`NaN,0`, {gives}")),
        ("value: off by 3", format!("`off by 3`, {gives}")),
        ("value: off by 3 metres", format!("`off by 3 metres`, {gives}")),
        ("value: off by many ULPs", format!("`off by many ULPs`, {gives}")),
        ("value: off by 0 ULPs", format!("`off by 0 ULPs`, {gives}")),
        ("value: off by -1 ULPs", format!("`off by -1 ULPs`, {gives}")),
        ("value: off by inf ULPs", format!("`off by inf ULPs`, {gives}")),
        ("value: off by NaN ULPs", format!("`off by NaN ULPs`, {gives}")),
        (
            "value: off by 1 ULPs per row",
            "`row`, expected one of class, term, pair of classes, e^|x|, e^log_prob, 1/|x - t|, |x1 - x2|, probability, \
             slope by the target, 1/target, 1/weight, 1/|x|, cubed length, power of a difference"
                .to_owned(),
        ),
    ] {
        assert_eq!(parse(LossKind::MseLoss, text), Err(message), "{text}");
    }
    let of_no_dtype = parse(LossKind::MseLoss, "value: off by 1 ULPs in f128").expect_err("no dtype");
    assert!(of_no_dtype.contains("f128"), "{of_no_dtype}");
}

/// Returns what a measure says of a case that is its only part.
fn measure(name: &str, case: &Case) -> f64 {
    let statement = parse(case.loss.kind(), &format!("value: off by 1 ULPs per {name}")).expect("a statement");
    let Statement::Numbers { gives, .. } = statement else { panic!("{statement:?}") };
    let [Gives::Off { by: Bound { per: Some(measure), .. }, .. }] = gives.as_slice() else { panic!("{gives:?}") };
    measure.of(&Part::whole(case))
}

#[test]
fn measures_measure_what_they_name() {
    let pair = |loss: &str, options: Value, input: Value, target: Value| {
        case_in("f64", loss, options, &[("input", input), ("target", target)])
    };
    let scores = |loss: &str, target: Value| {
        let inputs = json!({"input": tensor("f64", &[5], json!([1, 2, 3, 4, 5])), "target": target});
        read(&json!({"id": "mine", "loss": loss, "inputs": inputs}))
    };
    let logits = pair("binary_cross_entropy_with_logits", json!({}), json!([1, -3]), json!([0, 0]));
    let mse = |input: Value, target: Value| pair("mse_loss", json!({}), input, target);
    let none = json!({"reduction": "none"});
    let cosine = |dtype: &str, length: f64| {
        let vector = |data: [f64; 2]| tensor(dtype, &[2], json!(data));
        let inputs = json!({"input1": vector([0.0, length]), "input2": vector([0.5, 0.0]), "target": tensor(dtype, &[], json!([1]))});
        read(&json!({"id": "mine", "loss": "cosine_embedding_loss", "inputs": inputs}))
    };
    let weighted = [("input", json!([1, 1, 1])), ("target", json!([0, 0, 0])), ("weight", json!([4, 0.5, 0]))];
    let triplet = |p: f64, [anchor, positive, negative]: [f64; 3]| {
        let vectors = [("anchor", anchor), ("positive", positive), ("negative", negative)];
        let vectors = vectors.map(|(name, x)| (name, json!([x])));
        case_in("f64", "triplet_margin_loss", json!({"p": p, "eps": 0}), &vectors)
    };
    let ranked = [("input1", json!([1])), ("input2", json!([4])), ("target", json!([1]))];
    for (name, case, expected) in [
        ("class", scores("cross_entropy", tensor("i64", &[], json!([0]))), 5.0),
        ("term", mse(json!([1, 2, 3]), json!([0])), 3.0),
        ("pair of classes", scores("multilabel_margin_loss", tensor("i64", &[5], json!([3, 1, -1, 2, 0]))), 10.0),
        ("e^|x|", logits, 3f64.exp()),
        ("1/|x - t|", mse(json!([1]), json!([1.5])), 2.0),
        ("|x1 - x2|", case_in("f64", "margin_ranking_loss", json!({}), &ranked), 3.0),
        ("1/target", mse(json!([1]), json!([-0.25])), 4.0),
        ("1/weight", mse(json!([1]), json!([0.25])), 1.0),
        ("1/weight", case_in("f64", "mse_loss", none.clone(), &weighted), 2.0),
        ("1/weight", pair("huber_loss", json!({"delta": 0.25}), json!([1]), json!([0])), 4.0),
        ("1/weight", pair("multilabel_soft_margin_loss", json!({}), json!([1, 1]), json!([0, 0])), 2.0),
        ("1/weight", pair("kl_div", json!({"log_target": true}), json!([-1]), json!([-3])), 3f64.exp()),
        ("1/|x|", mse(json!([-0.25]), json!([1])), 4.0),
        ("cubed length", cosine("f64", 2.0), 8.0),
        ("cubed length", cosine("f64", 0.5), 1.0),
        ("probability", pair("kl_div", json!({"log_target": true}), json!([-1]), json!([2])), 2f64.exp()),
        ("probability", pair("kl_div", json!({"log_target": true}), json!([-1]), json!([-3])), 1.0),
        ("probability", pair("kl_div", json!({}), json!([-1]), json!([3])), 3.0),
        ("slope by the target", pair("kl_div", json!({"log_target": true}), json!([-1]), json!([2])), 4.0 * 2f64.exp()),
        ("slope by the target", pair("kl_div", json!({}), json!([-1]), json!([3])), 2.0 + 3f64.ln()),
        ("power of a difference", triplet(3.0, [5.0, -1.0, 1.0]), 36.0),
        ("power of a difference", triplet(3.0, [0.5, 0.0, 0.0]), 1.0),
    ] {
        let found = measure(name, &case);
        assert!((found - expected).abs() <= 1e-12 * expected, "{name}: {found}, expected {expected}");
    }
}

#[test]
fn a_deviation_covers_its_outputs_kinds_bounds_and_elements_alone() {
    let gives = ["gradient of input: NaN, off by 100 ULPs in f32"];
    let record = deviation("binary_cross_entropy_with_logits", &gives, Some("small_logit"), &[]);
    let policy = policy(&record, Scope::Others);
    let inputs = [("input", json!([0.5, 3])), ("target", json!([0, 0]))];
    let none = json!({"reduction": "none"});
    let case = case("binary_cross_entropy_with_logits", none.clone(), &inputs);
    let (input, small, other) = (Output::Gradient("input"), Some(0), Some(1));
    let off = |ulps: f64| move |x: f64| x + ulps * DType::F32.format().ulp(x);
    assert!(knows(&policy, &case, wrong(&case, input, small, off(60.0))));
    assert!(knows(&policy, &case, wrong(&case, input, small, |_| f64::NAN)));
    for (why, answer) in [
        ("it is off by more", wrong(&case, input, small, off(400.0))),
        ("it is not of the element", wrong(&case, input, other, off(60.0))),
        ("it is not of the element", wrong(&case, input, other, |_| f64::NAN)),
        ("it is another kind", wrong(&case, input, small, |_| f64::INFINITY)),
        ("it is another kind", wrong(&case, input, small, |_| 0.0)),
        ("it is another output", wrong(&case, Output::Value, small, off(60.0))),
        ("it is another output", wrong(&case, Output::Gradient("target"), small, |_| f64::NAN)),
    ] {
        assert!(knows_nothing(&policy, &case, answer), "{why}");
    }
    let wide = case_in("f64", "binary_cross_entropy_with_logits", none, &inputs);
    let off_in_f64 = |x: f64| x + 60.0 * DType::F64.format().ulp(x);
    assert!(knows_nothing(&policy, &wide, wrong(&wide, input, small, off_in_f64)), "it is another dtype");
    // One answer may be wrong in a known way and in a new one.
    let both = explain(&policy, &case, &Outcome::Answer(wrong(&case, input, None, |_| f64::NAN)));
    assert_eq!(both.iter().map(|it| it.known.is_some()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn one_odd_element_does_not_excuse_a_sum() {
    let sum = |inputs: [f64; 10]| {
        let inputs = [("input", json!(inputs)), ("target", json!(vec![1; 10]))];
        case("soft_margin_loss", json!({"reduction": "sum"}), &inputs)
    };
    let record = |gives: &str| deviation("soft_margin_loss", &[gives], Some("overflowing_exponential"), &[]);
    let one = sum([-100.0, -80.0, -80.0, -80.0, -80.0, -80.0, -80.0, -80.0, -80.0, -80.0]);
    let all = sum([-100.0; 10]);
    let gives = |case: &Case, number: f64| wrong(case, Output::Value, None, |_| number);
    // Infinity in one place shows in the sum, and the difference of two infinities is NaN.
    let infinite = policy(&record("value: infinity"), Scope::Others);
    assert!(knows(&infinite, &one, gives(&one, f64::INFINITY)));
    assert!(!knows(&infinite, &one, gives(&one, f64::NAN)));
    assert!(knows(&infinite, &all, gives(&all, f64::NAN)));
    assert!(!knows(&infinite, &all, gives(&all, 500.0)));
    // A loss of 0 in one place leaves the others.
    let zero = policy(&record("value: 0"), Scope::Others);
    assert!(knows(&zero, &one, gives(&one, 720.0)));
    assert!(!knows(&zero, &one, gives(&one, 500.0)));
    assert!(!knows(&zero, &one, gives(&one, 0.0)));
    assert!(knows(&zero, &all, gives(&all, 0.0)));
    // A number that is no sum is 0 or it is not.
    let inputs = [("input", json!([-100])), ("target", json!([1]))];
    let alone = case("soft_margin_loss", json!({"reduction": "none"}), &inputs);
    assert!(knows(&zero, &alone, gives(&alone, 0.0)) && !knows(&zero, &alone, gives(&alone, 50.0)));
}

#[test]
fn a_share_counts_the_cotangent_and_is_equal_if_all_terms_are_0() {
    let of = |gives: &str| policy(&deviation("mse_loss", &[gives], Some("small_logit"), &[]), Scope::Others);
    // The terms of the gradient of the target are -100 and -6, and only the first is affected.
    let gradient = Output::Gradient("target");
    let inputs = [("input", json!([0.5, 3])), ("target", json!([0]))];
    let mut case = case("mse_loss", json!({"reduction": "none"}), &inputs);
    case.cotangent = Some(right(&case).value.with_elements([100.0, 1.0].into_iter()).expect("two elements"));
    let relative = of("gradient of target: off by 0.1 relative");
    let known = |by: f64| knows(&relative, &case, wrong(&case, gradient, None, |x| x + by));
    assert!(known(9.5) && !known(10.5));
    let inputs = [("input", json!([0, 0])), ("target", json!([0, 0]))];
    let zero = self::case("mse_loss", json!({}), &inputs);
    let smallest = DType::F32.format().ulp(0.0);
    let ulps = of("value: off by 100 ULPs");
    let known = |count: f64| knows(&ulps, &zero, wrong(&zero, Output::Value, None, |_| count * smallest));
    assert!(known(90.0) && !known(150.0));
}

#[test]
fn a_deviation_that_affects_nothing_covers_no_plain_ulps() {
    // The loss is 2e-9, and the terms that it is the sum of are as large as 20.
    let inputs = json!({"input": tensor("f32", &[1, 2], json!([20, 0])), "target": tensor("i64", &[1], json!([0]))});
    let case = read(&json!({"id": "mine", "loss": "cross_entropy", "inputs": inputs}));
    let answer = Outcome::Answer(wrong(&case, Output::Value, None, |_| -1e-7));
    let verdict = Judge::new(&case, &Bounds::default()).measuring_at(MeasuredAt::ExactNumber).judge(&answer);
    let explained = |when: &str| {
        let record = deviation("cross_entropy", &["value: off by 1 ULPs"], Some(when), &[]);
        policy(&record, Scope::Others).explain(&case, &verdict).iter().all(|it| it.known.is_some())
    };
    assert!(!verdict.differences().is_empty() && !explained("empty"));
}

#[test]
fn the_bound_of_a_sum_is_the_sum_of_the_shares() {
    let gives = ["value: off by 1000 ULPs"];
    let record = deviation("binary_cross_entropy_with_logits", &gives, Some("small_logit"), &[]);
    let policy = policy(&record, Scope::Others);
    let with_small = |count: usize| {
        let logits: Vec<f64> = (0..100).map(|index| if index < count { 1.0 } else { 1.5 }).collect();
        let inputs = [("input", json!(logits)), ("target", json!(vec![0; 100]))];
        case("binary_cross_entropy_with_logits", json!({}), &inputs)
    };
    let off = |case: &Case, ulps: f64| wrong(case, Output::Value, None, |x| x + ulps * DType::F32.format().ulp(x));
    let (none, one, half, all) = (with_small(0), with_small(1), with_small(50), with_small(100));
    assert!(!knows(&policy, &none, off(&none, 12.0)));
    assert!(knows(&policy, &one, off(&one, 12.0)) && !knows(&policy, &one, off(&one, 40.0)));
    assert!(knows(&policy, &half, off(&half, 300.0)) && !knows(&policy, &half, off(&half, 700.0)));
    assert!(knows(&policy, &all, off(&all, 900.0)) && !knows(&policy, &all, off(&all, 1100.0)));
}

#[test]
fn each_unit_of_a_bound_is_what_it_says() {
    let of = |output: Output, bound: &str| {
        let gives = format!("{output}: off by {bound}");
        policy(&deviation("binary_cross_entropy_with_logits", &[&gives], Some("small_logit"), &[]), Scope::Others)
    };
    let mean = {
        let inputs = [("input", json!([0.5, 3, 3, 3])), ("target", json!([0, 0, 0, 0]))];
        case("binary_cross_entropy_with_logits", json!({}), &inputs)
    };
    let (value, gradient, first) = (Output::Value, Output::Gradient("input"), Some(0));
    let knows_of =
        |policy: &Policy, output: Output, by: f64| knows(policy, &mean, wrong(&mean, output, first, |x| x + by));
    // One of four elements is affected. It is 0.974 of 10.12.
    for (bound, output, most) in [
        ("0.25 absolute", value, 0.25 / 4.0),
        ("0.25 absolute", gradient, 0.25 / 4.0),
        ("0.1 relative", value, 0.1 * 0.9741 / 4.0),
        ("100000 ULPs", value, 1e5 * DType::F32.format().ulp(2.53) * 0.0963),
    ] {
        let policy = of(output, bound);
        assert!(knows_of(&policy, output, 0.95 * most) && !knows_of(&policy, output, 1.05 * most), "{output}: {bound}");
    }
    // A cotangent of 71 times the smallest number, and a slope of 0.62.
    let mut tiny = json!({"id": "mine", "loss": "binary_cross_entropy_with_logits", "options": {"reduction": "none"}});
    let tensors = [("input", json!([0.5])), ("target", json!([0]))];
    for (name, data) in tensors {
        tiny["inputs"][name] = tensor("f32", &[1], data);
    }
    tiny["cotangent"] = tensor("f32", &[1], json!([1e-43]));
    let tiny = read(&tiny);
    let smallest = DType::F32.format().ulp(0.0);
    for (bound, most) in [("100 smallest numbers", 100.0_f64), ("100 underflows", 62.0)] {
        let policy = of(gradient, bound);
        let known = |count: f64| knows(&policy, &tiny, wrong(&tiny, gradient, first, |x| x + count * smallest));
        assert!(known((0.9 * most).floor()) && !known((1.1 * most + 8.0).ceil()), "{bound}");
    }
}

#[test]
fn a_mean_is_allowed_what_the_affected_element_is_allowed() {
    let odd = |logit: f64| {
        let logits: Vec<f64> = [logit].into_iter().chain(std::iter::repeat_n(0.5, 9_999)).collect();
        let inputs = [("input", json!(logits)), ("target", json!(vec![0; 10_000]))];
        case("binary_cross_entropy_with_logits", json!({}), &inputs)
    };
    // The element may even be left out: it is 12 of 9752.
    let (policy, case, ordinary) = (shipped("candle-nn"), odd(12.0), odd(0.5));
    let off = |ulps: f64| move |x: f64| x + ulps * DType::F32.format().ulp(x);
    assert!(knows(&policy, &case, wrong(&case, Output::Value, None, off(100.0))));
    for change in [&off(30_000.0) as &dyn Fn(f64) -> f64, &|x| 1.01 * x, &|x| -x, &|_| 0.0, &|_| f64::NAN, &|_| 42.0] {
        assert!(!knows(&policy, &case, wrong(&case, Output::Value, None, change)), "{}", change(1.0));
    }
    assert!(!knows(&policy, &ordinary, wrong(&ordinary, Output::Value, None, off(100.0))));
}

#[test]
fn no_backend_is_known_to_be_wrong_on_ordinary_inputs() {
    let scores: Vec<f64> = (0..17).map(|class| f64::from(class * 7 % 17) / 4.0 - 2.0).collect();
    let of_classes = |loss: &str, target: Value| {
        let inputs = json!({"input": tensor("f32", &[1, 17], json!(scores)), "target": target});
        read(&json!({"id": "mine", "loss": loss, "inputs": inputs}))
    };
    let input = Output::Gradient("input");
    let cross_entropy = of_classes("cross_entropy", tensor("i64", &[1], json!([3])));
    let labels: Vec<i64> = [3, 5].into_iter().chain([-1; 15]).collect();
    let multilabel = of_classes("multilabel_margin_loss", tensor("i64", &[1, 17], json!(labels)));
    let logits = [("input", json!([6])), ("target", json!([0]))];
    let logit = case("binary_cross_entropy_with_logits", json!({}), &logits);
    let zero_target = [("input", json!([-1, -2])), ("target", json!([0, 0.5]))];
    let kl_div = case("kl_div", json!({}), &zero_target);
    for backend in BACKENDS {
        let policy = shipped(backend);
        for (what, case, answer) in [
            ("a value of 42", &cross_entropy, wrong(&cross_entropy, Output::Value, None, |_| 42.0)),
            ("a value that is NaN", &cross_entropy, wrong(&cross_entropy, Output::Value, None, |_| f64::NAN)),
            ("gradients of 7", &cross_entropy, wrong(&cross_entropy, input, None, |_| 7.0)),
            ("a gradient of -1000", &logit, wrong(&logit, input, None, |_| -1000.0)),
            ("a value of -42", &multilabel, wrong(&multilabel, Output::Value, None, |_| -42.0)),
            ("NaN in the value", &kl_div, wrong(&kl_div, Output::Value, None, |_| f64::NAN)),
        ] {
            assert!(knows_nothing(&policy, case, answer), "{backend}: {what} of {}", case.loss.kind().name());
        }
    }
}

#[test]
fn the_nan_of_a_zero_target_is_known_where_it_is() {
    let inputs = [("input", json!([-1, -2])), ("target", json!([0, 0.5]))];
    let case = case("kl_div", json!({}), &inputs);
    let target = Output::Gradient("target");
    for backend in ["pytorch", "tch"] {
        let policy = shipped(backend);
        assert!(knows(&policy, &case, wrong(&case, target, Some(0), |_| f64::NAN)), "{backend}");
        assert!(!knows(&policy, &case, wrong(&case, target, Some(1), |_| f64::NAN)), "{backend}");
    }
}

#[test]
fn outcomes_are_known_under_their_condition() {
    let policy = policy(&deviation("huber_loss", &["accepts"], Some("invalid_delta"), &[]), Scope::Others);
    let huber =
        |delta: f64| case("huber_loss", json!({"delta": delta}), &[("input", json!([1])), ("target", json!([0]))]);
    let (invalid, valid) = (huber(-1.0), huber(1.0));
    let known = |case: &Case, outcome: &Outcome| explain(&policy, case, outcome).iter().all(|it| it.known.is_some());
    assert!(known(&invalid, &Outcome::Answer(right(&valid))));
    assert!(!known(&invalid, &Outcome::Failed("boom".to_owned())));
    assert!(!known(&valid, &Outcome::Rejection("no".to_owned())));
    let policy = self::policy(&deviation("mse_loss", &["rejects"], Some("empty"), &[]), Scope::Others);
    let known = |case: &Case, outcome: &Outcome| explain(&policy, case, outcome).iter().all(|it| it.known.is_some());
    let mse = |input: Value| case("mse_loss", json!({}), &[("input", input.clone()), ("target", input)]);
    assert!(known(&mse(json!([])), &Outcome::Rejection("no".to_owned())));
    assert!(!known(&mse(json!([1])), &Outcome::Rejection("no".to_owned())));
}

#[test]
fn a_deviation_without_a_condition_covers_the_goldens_that_it_lists() {
    let record = deviation("mse_loss", &["value: NaN"], None, &["golden/*"]);
    let golden = Case {
        id: "golden/1".to_owned(),
        ..case("mse_loss", json!({}), &[("input", json!([1])), ("target", json!([0]))])
    };
    let other = Case { id: "other/1".to_owned(), ..golden.clone() };
    let nan = || wrong(&golden, Output::Value, None, |_| f64::NAN);
    assert!(knows(&policy(&record, Scope::Goldens), &golden, nan()));
    assert!(!knows(&policy(&record, Scope::Goldens), &other, nan()));
    assert!(!knows(&policy(&record, Scope::Others), &golden, nan()));
}

#[test]
fn a_deviation_covers_no_other_loss() {
    let record = deviation("mse_loss", &["value: NaN"], Some("many_terms"), &[]);
    let of = |loss: &str| case(loss, json!({}), &[("input", json!(vec![1; 17])), ("target", json!([0]))]);
    let policy = policy(&record, Scope::Others);
    for (loss, is_known) in [("mse_loss", true), ("l1_loss", false)] {
        let case = of(loss);
        assert_eq!(knows(&policy, &case, wrong(&case, Output::Value, None, |_| f64::NAN)), is_known, "{loss}");
    }
}

#[test]
fn a_borrowed_deviation_names_its_owner() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a writable folder");
    let read = |name: &str| Deviations::read(&folder.path().join(name)).map_err(|error| error.to_string());
    write("other.toml", &deviation("mse_loss", &["value: NaN"], Some("many_terms"), &[]));
    write("mine.toml", "same_as = [\"other/mse_loss/mine\"]\n");
    let own = read("mine.toml").expect("a readable record");
    assert_eq!(own.same_as().collect::<Vec<_>>(), ["other/mse_loss/mine"]);
    let case = case("mse_loss", json!({}), &[("input", json!(vec![1; 17])), ("target", json!([0]))]);
    let nan = Outcome::Answer(wrong(&case, Output::Value, None, |_| f64::NAN));
    let explained = explain(&Policy::new("mine", Scope::Others, own), &case, &nan);
    let owners: Vec<_> = explained.iter().map(|it| it.known.as_ref().map(|known| known.of.as_str())).collect();
    assert_eq!(owners, [Some("other")]);
    let known = explained[0].known.clone().expect("a known difference");
    let of_another = policy(&deviation("mse_loss", &["value: NaN"], Some("many_terms"), &[]), Scope::Others);
    let other = explain(&of_another, &case, &nan).remove(0).known.expect("a known difference");
    assert!(known.is_same_as(&known.clone()) && !known.is_same_as(&other));
    // Without the entry the record of another backend is none of ours.
    let alone = Policy::new("mine", Scope::Others, Deviations::default());
    assert!(explain(&alone, &case, &nan).iter().all(|it| it.known.is_none()));
    for (path, message) in [
        ("other", "`same_as`: `other`: expected `BACKEND/LOSS/NAME`".to_owned()),
        ("mine/mse_loss/mine", "`same_as`: `mine/mse_loss/mine`: expected a deviation of another backend".to_owned()),
        (
            "other/mse_loss/none",
            format!(
                "`same_as`: `other/mse_loss/none`: there is no such deviation in {}",
                folder.path().join("other.toml").display()
            ),
        ),
    ] {
        write("mine.toml", &format!("same_as = [{path:?}]\n"));
        let error = read("mine.toml").expect_err("no such deviation");
        assert!(error.ends_with(&message), "{error}");
    }
}

#[test]
fn a_record_says_which_field_is_wrong() {
    let valid = deviation("mse_loss", &["value: NaN"], Some("empty"), &[]);
    assert!(record(&valid).is_ok());
    for (text, message) in [
        (
            deviation("mse_loss", &["value: nan"], Some("empty"), &[]),
            "deviation mse_loss/mine: `gives`: `nan`, expected `NaN`, `infinity`, `0`, `finite` or `off by 300 ULPs in f32`",
        ),
        (
            deviation("mse_loss", &["value: NaN"], None, &[]),
            "deviation mse_loss/mine: `cases`: expected goldens, or a condition in `when`",
        ),
        (
            format!("{valid}\n{valid}"),
            "deviation mse_loss/mine: `name`: expected a name that no other deviation of the loss has",
        ),
    ] {
        let error = record(&text).expect_err("a wrong record");
        assert!(error.ends_with(message), "{error}");
    }
    let unknown = record(&deviation("mse_loss", &["value: NaN"], Some("full_moon"), &[])).expect_err("a wrong record");
    assert!(unknown.contains("deviation mse_loss/mine: `when`: `full_moon`, expected one of empty, "), "{unknown}");
}

/// A backend that answers what it is told to.
struct Answers(Answer);

impl Backend for Answers {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn version(&self) -> String {
        "none".to_owned()
    }

    fn coverage(&self, _: LossKind) -> Coverage {
        Coverage::Native
    }

    fn evaluate(&self, _: &Case) -> Outcome {
        Outcome::Answer(self.0.clone())
    }
}

#[test]
fn the_reference_is_not_excused_by_an_answer_of_pytorch() {
    let data = DataFolder::shipped();
    let policies =
        |name: &str| ["pytorch", name].map(|name| data.policy(name, Scope::Goldens).expect("a readable record"));
    let case = case("mse_loss", json!({}), &[("input", json!([1, 3])), ("target", json!([0, 0]))]);
    let answer = wrong(&case, Output::Value, None, |x| 1.5 * x);
    let golden =
        Case { expected: Some(Expected::Answer(answer.clone())), expected_by: ExpectedBy::Pytorch("2".into()), ..case };
    let verdict = |name: &str| {
        let backend = Answers(answer.clone());
        let by = JudgedAs::new(&[], Scope::Others, None, &[&backend], &data).expect("the current version");
        judge_all(&golden, &[&backend], &policies(name), &by, &Bounds::default()).remove(1)
    };
    assert_eq!(data.deviations("reference").expect("a readable record").judged_by, JudgedBy::Oracle);
    assert!(matches!(verdict("reference"), Verdict::Differs { .. }), "{:?}", verdict("reference"));
    // What is judged by either is like PyTorch.
    assert!(matches!(verdict("candle"), Verdict::LikePyTorch(_)), "{:?}", verdict("candle"));
}

#[test]
fn a_record_that_is_not_there_says_nothing() {
    let record = Deviations::read(Path::new("no/such/file.toml")).expect("an empty record");
    assert!(record.is_empty() && record.judged_by == JudgedBy::OracleOrPytorch);
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("mine.toml");
    let deviation = deviation("mse_loss", &["value: NaN"], Some("empty"), &["mse_loss/f32/a"]);
    for judged_by in ["", "judged_by = \"oracle\"\n"] {
        let own = record(&format!("{judged_by}[provided]\nmse_loss = 3\n{deviation}")).expect("a valid record");
        own.write(&file).expect("a writable folder");
        let again = Deviations::read(&file).expect("what was written");
        assert_eq!((again.judged_by, &again.provided), (own.judged_by, &own.provided));
        assert_eq!(again.iter().collect::<Vec<_>>(), own.iter().collect::<Vec<_>>());
        // What is usual is left out.
        let text = std::fs::read_to_string(&file).expect("what was written");
        assert_eq!(text.contains("judged_by"), !judged_by.is_empty(), "{text}");
    }
    // An empty record has no file.
    for _ in 0..2 {
        Deviations::default().write(&file).expect("a writable folder");
        assert!(!file.exists());
    }
    let error = Deviations::default().write(folder.path()).expect_err("a folder is no file");
    assert!(error.to_string().contains("cannot be removed"), "{error}");
}
