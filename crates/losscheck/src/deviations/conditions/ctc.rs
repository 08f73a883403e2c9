//! Conditions for `ctc_loss`.

use super::Condition;
use super::properties::elements;
use crate::loss::Loss;
use crate::tensor::Tensor;

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "absorbing_score",
        describes: "CTC with a log-probability so large that sums with it round by 1 or more, NaN or an infinity",
        holds: |case| {
            let scores = elements(case, "log_probs");
            scores.iter().any(|score| !score.is_finite() || case.dtype().format().ulp(score.abs()) >= 1.0)
        },
    },
    Condition {
        name: "blank_label",
        describes: "CTC with a label that is the blank",
        holds: |case| {
            let labels = case.input("targets").and_then(Tensor::to_indices);
            matches!(&case.loss, Loss::CtcLoss(options)
                if labels.is_some_and(|labels| labels.contains(&options.blank)))
        },
    },
];
