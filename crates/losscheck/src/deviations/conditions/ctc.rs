//! Conditions for `ctc_loss`.

use losscheck_options::{CTCLoss, Reduction};

use super::properties::value_of;
use super::{About, Condition};
use crate::case::parts::Part;
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};

/// Returns the lengths in an input: one, if the part is a sample.
fn lengths(part: &Part, name: &str) -> Vec<usize> {
    let lengths = part.case.input(name).and_then(Tensor::to_indices).unwrap_or_default();
    lengths.into_iter().map(|length| usize::try_from(length).unwrap_or(0)).collect()
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "nonfinite_log_probability",
        about: About::Part,
        describes: "CTC with a log-probability, at a step that counts, that is NaN or infinite",
        holds: |part| {
            let classes = part.case.input("log_probs").and_then(|scores| scores.shape().last().copied()).unwrap_or(0);
            // A case that has not been divided into samples has no one length.
            let steps = match lengths(part, "input_lengths").as_slice() {
                [steps] => *steps,
                _ => usize::MAX,
            };
            let numbers = part.numbers("log_probs").into_iter().take(steps.saturating_mul(classes));
            numbers.into_iter().any(|x| !x.is_finite())
        },
    },
    Condition {
        name: "absorbing_log_probability",
        about: About::Part,
        describes: "CTC with a log-probability so large that sums with it round by 1 or more",
        holds: |part| {
            let format = part.case.dtype().format();
            part.numbers("log_probs").into_iter().any(|x| x.is_finite() && format.ulp(x.abs()) >= 1.0)
        },
    },
    Condition {
        name: "zeroed_loss_beyond_range",
        about: About::Part,
        describes: "CTC with `zero_infinity` and a finite loss that is out of range",
        holds: |part| {
            let Loss::CtcLoss(options) = part.case.loss else { return false };
            let loss = Loss::CtcLoss(CTCLoss { zero_infinity: false, reduction: Reduction::None, ..options });
            let dtype = part.case.dtype();
            // Beyond the range of f64 nobody can tell a finite loss from an infinite one.
            let may_be_finite = |loss: f64| loss.is_finite() || dtype == DType::F64;
            let is_beyond = |loss: &f64| loss.abs() > dtype.format().largest && may_be_finite(*loss);
            options.zero_infinity && value_of(&loss, &part.case).iter().any(is_beyond)
        },
    },
    Condition {
        name: "blank_label",
        about: About::Part,
        describes: "CTC with a label, not counting what pads a row, that is the blank",
        holds: |part| {
            let labels = part.case.input("targets").and_then(Tensor::to_indices).unwrap_or_default();
            // What pads a row is no label.
            let count = lengths(part, "target_lengths").into_iter().fold(0, usize::saturating_add);
            matches!(&part.case.loss, Loss::CtcLoss(options)
                if labels.into_iter().take(count).any(|label| label == options.blank))
        },
    },
];
