//! Mistakes with CTC's lengths and its blank.

use losscheck::case::Case;
use losscheck::loss::LossKind;
use serde_json::json;

use super::{of_input, option};
use crate::Mutant;
use crate::mutant::{Part, is_reduced_by, with_input, with_option};

pub(super) fn of() -> Vec<Mutant> {
    let loss = LossKind::CtcLoss;
    let one_less: fn(f64) -> f64 = |length| (length - 1.0).max(0.0);
    let classes = |case: &Case| case.inputs["log_probs"].shape().last().map(|&classes| classes as i64);
    vec![
        Mutant::of_another_case(loss, "the blank is the next class", Part::All, move |case| {
            let next = (option(case, "blank") as i64).checked_add(1)?;
            with_option(case, "blank", json!(next.checked_rem(classes(case)?)?))
        }),
        Mutant::of_another_case(loss, "the blank is the last class", Part::All, move |case| {
            with_option(case, "blank", json!(classes(case)? - 1))
        }),
        of_input(loss, "a target is one label short", "target_lengths", one_less),
        of_input(loss, "an input is one step short", "input_lengths", one_less),
        Mutant::of_another_case(loss, "an input is one step short", Part::Gradients, move |case| {
            with_input(case, "input_lengths", |lengths| lengths.map(one_less))
        }),
        Mutant::of_another_case(loss, "all steps count, whatever `input_lengths` says", Part::All, |case| {
            let steps = case.inputs["log_probs"].shape().first().copied()? as f64;
            with_input(case, "input_lengths", |lengths| lengths.map(|_| steps))
        }),
        Mutant::of_answer(loss, "the mean divides by the length 0 of an empty target", |case, answer| {
            if is_reduced_by(case, "mean") && case.inputs["target_lengths"].to_f64().contains(&0.0) {
                answer.value = answer.value.map(|x| x / 0.0);
            }
        }),
        Mutant::of_answer(loss, "an empty target has the loss 0", |case, answer| {
            if case.inputs["target_lengths"].to_f64().iter().all(|&length| length == 0.0) {
                answer.value = answer.value.map(|_| 0.0);
            }
        }),
    ]
}
