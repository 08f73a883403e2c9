//! The random cases: that they reach every option, every optional tensor and every kind of target, of each loss.

use std::collections::{BTreeMap, BTreeSet};

use losscheck::case::{Case, random};
use losscheck::loss::{Inputs, LossExt, LossKind, LossKindExt, Outputs};
use losscheck::tensor::DType;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

const CASES: usize = 1000;
/// Of these, so many at least have each property: edge values are rare by design.
const LEAST: usize = 3;

fn random_cases(kind: LossKind, dtype: DType) -> Vec<Case> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = random::cases(kind, dtype);
    let tree = |_| strategy.new_tree(&mut runner).expect("the strategies filter nothing");
    (0..CASES).map(tree).map(|tree| tree.current()).collect()
}

/// The values that the schema lists for an option, or true and false for one that is either.
fn choices(schema: &Value, option: &str, default: &Value) -> Vec<Value> {
    let listed = schema["properties"][option]["enum"].as_array().cloned().unwrap_or_default();
    if default.is_boolean() { vec![json!(true), json!(false)] } else { listed }
}

fn assert_enough(kind: LossKind, dtype: DType, what: &str, count: usize) {
    assert!(count >= LEAST, "{} in {}: only {count} of {CASES} random cases {what}", kind.name(), dtype.name());
}

#[test]
fn random_cases_reach_every_option() {
    for &kind in LossKind::ALL {
        let defaults = kind.defaults().write_options();
        let schema = kind.options_schema().to_value();
        for &dtype in kind.dtypes() {
            let cases = random_cases(kind, dtype);
            let count = |holds: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| holds(case)).count();
            for (option, default) in defaults.as_object().expect("options by name") {
                let values: Vec<Value> = cases.iter().map(|case| case.loss.write_options()[option].clone()).collect();
                let others = values.iter().filter(|value| *value != default);
                assert_enough(kind, dtype, &format!("set `{option}`"), others.clone().count());
                for choice in choices(&schema, option, default) {
                    let chosen = values.iter().filter(|value| **value == choice).count();
                    assert_enough(kind, dtype, &format!("have `{option}` {choice}"), chosen);
                }
                // A number is drawn from a range, not from a list of one.
                if default.is_f64() {
                    let distinct: BTreeSet<String> = others.map(Value::to_string).collect();
                    assert!(distinct.len() > 1, "{}: `{option}` is always {distinct:?} or {default}", kind.name());
                }
            }
            let signature = kind.signature();
            for &name in signature.optional {
                assert_enough(kind, dtype, &format!("hold `{name}`"), count(&|case| case.inputs.contains_key(name)));
                assert_enough(kind, dtype, &format!("lack `{name}`"), count(&|case| !case.inputs.contains_key(name)));
            }
            let is_index = |name: &&&str| signature.differentiable.contains(name) && !signature.numbers.contains(name);
            for &name in signature.integers.iter().filter(is_index) {
                let is_float = |case: &Case| case.inputs.get(name).is_some_and(|tensor| tensor.dtype().is_float());
                assert_enough(kind, dtype, &format!("have a `{name}` of floats"), count(&is_float));
                assert_enough(kind, dtype, &format!("have a `{name}` of indices"), count(&|case| !is_float(case)));
            }
        }
    }
}

#[test]
fn random_cases_are_accepted_empty_and_extreme() {
    for &kind in LossKind::ALL {
        for &dtype in kind.dtypes() {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for case in random_cases(kind, dtype) {
                assert_eq!(case.dtype(), dtype, "{}", kind.name());
                let accepted = case.loss.evaluate::<f64>(&Inputs::from(&case), Outputs::Value).is_ok();
                let floats = || case.inputs.values().filter(|tensor| tensor.dtype().is_float());
                let numbers: Vec<f64> = floats().flat_map(|tensor| tensor.to_f64()).collect();
                let holds = |property: &dyn Fn(f64) -> bool| numbers.iter().any(|&x| property(x));
                let format = dtype.format();
                let edges = [
                    ("are accepted", accepted),
                    ("have no elements somewhere", case.inputs.values().any(|tensor| tensor.is_empty())),
                    ("hold NaN", holds(&f64::is_nan)),
                    ("hold an infinity", holds(&f64::is_infinite)),
                    ("hold the largest number", holds(&|x| x.abs() == format.largest)),
                    ("hold a subnormal number", holds(&|x| x != 0.0 && x.abs() < format.smallest_normal())),
                    ("hold a negative zero", holds(&|x| x == 0.0 && x.is_sign_negative())),
                ];
                // Probabilities are in the unit interval, or NaN.
                let common = if kind == LossKind::BinaryCrossEntropy { 3 } else { edges.len() };
                for (what, is_so) in edges.into_iter().take(common) {
                    *counts.entry(what).or_default() += usize::from(is_so);
                }
            }
            for (what, count) in counts {
                assert_enough(kind, dtype, what, count);
            }
        }
    }
}
