//! Losses that are put together wrongly.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::{Answer, Case};
use losscheck::loss::LossKind;
use losscheck::tensor::Tensor;
use serde_json::json;

use crate::Mutant;
use crate::mutant::{Part, is_reduced_by, with_option};

/// What a mean divides by.
#[derive(Clone, Copy, Debug)]
enum Denominator {
    /// The number of elements of the first tensor.
    Elements,
    /// The first dimension of the first tensor.
    Batch,
    /// The number of losses that there are before the reduction.
    Losses,
}

impl Denominator {
    fn describe(self) -> &'static str {
        match self {
            Self::Elements => "the number of elements of the first tensor",
            Self::Batch => "the size of the batch",
            Self::Losses => "the number of losses",
        }
    }

    /// The denominators that are wrong for the mean of a loss.
    fn wrong(loss: LossKind) -> &'static [Self] {
        use LossKind as Kind;
        match loss {
            // Right are the weights of the rows that are not ignored, those of the elements, the lengths of the targets.
            Kind::CrossEntropy
            | Kind::LinearCrossEntropy
            | Kind::NllLoss
            | Kind::NllLoss2d
            | Kind::L1Loss
            | Kind::MseLoss
            | Kind::HuberLoss
            | Kind::CtcLoss => &[Self::Elements, Self::Batch, Self::Losses],
            // The rows.
            Kind::CosineEmbeddingLoss
            | Kind::MultiMarginLoss
            | Kind::MultilabelMarginLoss
            | Kind::MultilabelSoftMarginLoss
            | Kind::TripletMarginLoss
            | Kind::TripletMarginWithDistanceLoss => &[Self::Elements],
            // The elements.
            _ => &[Self::Batch],
        }
    }

    fn of(self, case: &Case) -> Option<f64> {
        let first = case.input(case.loss.kind().signature().first())?;
        Some(match self {
            Self::Elements => first.len(),
            Self::Batch => first.shape().first().copied().unwrap_or(1),
            Self::Losses => {
                let Outcome::Answer(answer) = Reference.evaluate(&case.unreduced()) else { return None };
                answer.value.len()
            }
        } as f64)
    }
}

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    if loss.defaults().reduction().is_none() {
        return Vec::new();
    }
    let mut mutants = Vec::new();
    for (given, taken) in [("mean", "sum"), ("sum", "mean"), ("none", "mean")] {
        for part in Part::EACH {
            // The cotangent of one is not that of the other.
            if given == "none" && part != Part::Value {
                continue;
            }
            let rewrite = move |case: &Case| {
                let is_given = is_reduced_by(case, given);
                let other = is_given.then(|| with_option(case, "reduction", json!(taken)))??;
                Some(if given == "none" { Case { cotangent: None, ..other } } else { other })
            };
            let mistake = format!("the reduction `{given}` is taken for `{taken}`");
            mutants.push(Mutant::of_another_case(loss, mistake, part, rewrite));
        }
    }
    for &denominator in Denominator::wrong(loss) {
        let mistake = format!("the mean divides by {}", denominator.describe());
        mutants.push(Mutant::of_outcome(loss, mistake, move |case, own| {
            if !is_reduced_by(case, "mean") || !matches!(own, Outcome::Answer(_)) {
                return own;
            }
            let sum = with_option(case, "reduction", json!("sum")).map(|case| Reference.evaluate(&case));
            match (denominator.of(case), sum) {
                (Some(denominator), Some(Outcome::Answer(sum))) => {
                    let divided = |tensor: &Tensor| tensor.map(|x| x / denominator);
                    let gradients = sum.gradients.iter().map(|(name, gradient)| (name.clone(), divided(gradient)));
                    Outcome::Answer(Answer { value: divided(&sum.value), gradients: gradients.collect() })
                }
                _ => own,
            }
        }));
    }
    // CTC refuses an empty batch.
    if loss == LossKind::CtcLoss {
        return mutants;
    }
    mutants.push(Mutant::of_answer(loss, "the mean of nothing is 0", |case, answer| {
        if is_reduced_by(case, "mean") && case.inputs.values().any(|tensor| tensor.is_empty()) {
            answer.value = answer.value.map(|x| if x.is_nan() { 0.0 } else { x });
        }
    }));
    mutants
}
