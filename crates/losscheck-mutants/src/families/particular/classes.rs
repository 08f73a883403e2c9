//! Mistakes with class indices and with the softmax.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::Case;
use losscheck::loss::LossKind;
use losscheck::tensor::Tensor;
use serde_json::json;

use super::option;
use crate::Mutant;
use crate::mutant::{Part, is_reduced_by, with_input, with_option};

/// The number of classes of scores: of a layer's outputs, where there is a layer.
pub(super) fn number(case: &Case) -> Option<f64> {
    let (scores, axis) = match case.input("linear_weight") {
        Some(weight) => (weight, 0),
        None => (case.input("input")?, 1),
    };
    let shape = scores.shape();
    shape.get(if shape.len() == 1 { 0 } else { axis }).map(|&classes| classes as f64)
}

/// The index of the rows that count for nothing, where the target is of classes.
fn ignore_index(case: &Case) -> Option<f64> {
    let is_of_classes = !case.inputs["target"].dtype().is_float();
    is_of_classes.then(|| case.loss.ignore_index().unwrap_or(-100) as f64)
}

/// Those with indices.
pub(super) fn indices(loss: LossKind) -> Vec<Mutant> {
    let counted = |case: &Case| {
        let ignored = ignore_index(case)?;
        let has_ignored = case.inputs["target"].to_f64().contains(&ignored);
        let first = |class: f64| if class == ignored { 0.0 } else { class };
        let other = has_ignored.then(|| with_input(case, "target", |target| target.map(first)))??;
        with_option(&other, "ignore_index", json!(-100)).or(Some(other))
    };
    let clamped = |case: &Case| {
        let last = number(case)? - 1.0;
        let clamp = |target: &Tensor| target.map(|class| class.clamp(0.0, last));
        (ignore_index(case).is_some() && last >= 0.0).then(|| with_input(case, "target", clamp))?
    };
    let of_part = |part| Mutant::of_another_case(loss, "ignored rows count as of the first class", part, counted);
    let mut mutants: Vec<Mutant> = Part::EACH.into_iter().map(of_part).collect();
    mutants.push(
        Mutant::of_answer(loss, "the mean is 0 where all rows are ignored", |case, answer| {
            let classes = case.inputs["target"].to_f64();
            let all = ignore_index(case).is_some_and(|ignored| classes.iter().all(|&class| class == ignored));
            if all && !classes.is_empty() && is_reduced_by(case, "mean") {
                answer.value = answer.value.map(|_| 0.0);
            }
        })
        .known("https://github.com/huggingface/candle/pull/3161"),
    );
    mutants.push(Mutant::of_outcome(loss, "indices are clamped to the classes", move |case, own| match own {
        Outcome::Rejection(_) => clamped(case).map_or(own, |case| Reference.evaluate(&case)),
        own => own,
    }));
    mutants
}

/// Those with logits.
pub(super) fn of_logits(loss: LossKind) -> Vec<Mutant> {
    vec![
        Mutant::of_another_case(loss, "the labels are smoothed over the other classes alone", Part::All, |case| {
            let classes = number(case).filter(|&classes| classes > 1.0)?;
            let spread = option(case, "label_smoothing") * classes / (classes - 1.0);
            with_option(case, "label_smoothing", json!(spread.min(1.0)))
        }),
        Mutant::of_answer(loss, "a logit beyond the range of the exponential overflows", |case, answer| {
            let limit = case.dtype().format().largest.ln();
            if case.inputs["input"].to_f64().iter().any(|x| *x > limit && x.is_finite()) {
                answer.value = answer.value.map(|_| f64::INFINITY);
            }
        }),
    ]
}

/// Cross-entropy that is NLL.
pub(super) fn without_softmax() -> Vec<Mutant> {
    vec![Mutant::of_another_case(LossKind::CrossEntropy, "the softmax is left out", Part::All, |case| {
        ignore_index(case).and_then(|_| as_loss(case, LossKind::NllLoss))
    })]
}

/// NLL that is cross-entropy.
pub(super) fn with_softmax(loss: LossKind) -> Mutant {
    Mutant::of_another_case(loss, "the input is taken for logits", Part::All, |case| {
        as_loss(case, LossKind::CrossEntropy)
    })
}

fn as_loss(case: &Case, loss: LossKind) -> Option<Case> {
    let options = case.loss.write_options();
    let kept = json!({ "ignore_index": options["ignore_index"], "reduction": options["reduction"] });
    Some(Case { loss: loss.read_options(kept).ok()?, ..case.clone() })
}
