//! Conditions for `ctc_loss`.

use losscheck_options::{CTCLoss, Reduction};

use super::properties::value_of;
use super::{About, Condition};
use crate::loss::Loss;
use crate::tensor::Tensor;

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "nonfinite_log_probability",
        about: About::Part,
        describes: "CTC with a log-probability that is NaN or infinite",
        holds: |part| part.numbers("log_probs").into_iter().any(|x| !x.is_finite()),
    },
    Condition {
        name: "zeroed_loss_beyond_range",
        about: About::Part,
        describes: "CTC with `zero_infinity` and a finite loss that is out of range",
        holds: |part| {
            let Loss::CtcLoss(options) = part.case.loss else { return false };
            let loss = Loss::CtcLoss(CTCLoss { zero_infinity: false, reduction: Reduction::None, ..options });
            let largest = part.case.dtype().format().largest;
            options.zero_infinity && value_of(&loss, &part.case).iter().any(|loss| loss.abs() > largest)
        },
    },
    Condition {
        name: "blank_label",
        about: About::Part,
        describes: "CTC with a label that is the blank",
        holds: |part| {
            let labels = part.case.input("targets").and_then(Tensor::to_indices);
            matches!(&part.case.loss, Loss::CtcLoss(options)
                if labels.is_some_and(|labels| labels.contains(&options.blank)))
        },
    },
];
