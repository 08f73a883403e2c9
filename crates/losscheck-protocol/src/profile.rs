//! Selections of cases for adapters that cannot take all.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use losscheck::case::{Case, Expected};
use losscheck::tensor::Tensor;
use serde_json::Value;

/// Returns some hundreds of the cases, in their order: of each loss every pair of values of an option, the dtype and the rank
/// of an input, and every flag. An adapter that compiles for each signature answers them in minutes.
#[must_use]
pub fn compiled(cases: Vec<Case>) -> Vec<Case> {
    let features: Vec<Vec<String>> = cases.iter().map(features).collect();
    let size = |n: usize| cases[n].inputs.values().map(Tensor::len).sum::<usize>();
    // The case that covers most comes first; of several, one with small tensors.
    let mut left: BinaryHeap<(usize, Reverse<(usize, usize)>)> =
        (0..cases.len()).map(|n| (features[n].len(), Reverse((size(n), n)))).collect();
    let (mut covered, mut is_taken) = (HashSet::new(), vec![false; cases.len()]);
    while let Some((most, Reverse((size, n)))) = left.pop() {
        let new = features[n].iter().filter(|feature| !covered.contains(*feature)).count();
        match new {
            0 => {}
            // What it covered when it was last looked at may be covered by now.
            _ if new < most => left.push((new, Reverse((size, n)))),
            _ => {
                covered.extend(&features[n]);
                is_taken[n] = true;
            }
        }
    }
    cases.into_iter().zip(is_taken).filter_map(|(case, is_taken)| is_taken.then_some(case)).collect()
}

/// Returns what a selection has to have of a case.
fn features(case: &Case) -> Vec<String> {
    let loss = case.loss.kind().name();
    // Each value is compiled with each other: what has few of them.
    let mut paired = vec![format!("{}", case.dtype())];
    let mut single: Vec<String> = case.flags.iter().map(|flag| format!("flag {flag}")).collect();
    if let Value::Object(options) = case.loss.write_options() {
        for (name, value) in &options {
            let of = if value.is_number() || value.is_array() { &mut single } else { &mut paired };
            of.push(format!("{name}={value}"));
        }
    }
    for (position, (name, tensor)) in case.inputs.iter().enumerate() {
        let dtype = if tensor.dtype().is_float() { "" } else { tensor.dtype().name() };
        let shape = format!("{name}:{dtype}{}", tensor.shape().len());
        if position == 0 { &mut paired } else { &mut single }.push(shape);
    }
    let pairs = paired.iter().enumerate().flat_map(|(at, a)| paired[..at].iter().map(move |b| format!("{a} {b}")));
    pairs.chain(single).map(|feature| format!("{loss} {feature}")).collect()
}

/// Returns whether a case has neither NaN nor infinity in its inputs, its options, or what it expects.
#[must_use]
pub fn is_finite(case: &Case) -> bool {
    let all = |tensor: &Tensor| tensor.to_f64().into_iter().all(f64::is_finite);
    let is_finite_option =
        |value: &Value| value.as_str().is_none_or(|text| !["NaN", "Infinity", "-Infinity"].contains(&text));
    let options = match case.loss.write_options() {
        Value::Object(options) => options.values().all(is_finite_option),
        _ => true,
    };
    let expected = match &case.expected {
        Some(Expected::Answer(answer)) => all(&answer.value) && answer.gradients.values().all(all),
        Some(Expected::Rejection { .. }) | None => true,
    };
    options && expected && case.inputs.values().all(all) && case.cotangent.as_ref().is_none_or(all)
}
