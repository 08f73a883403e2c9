//! Losses that are put together wrongly.

use losscheck::backend::{Backend, Outcome};
use losscheck::backends::Reference;
use losscheck::case::{Answer, Case};
use losscheck::loss::LossKind;
use serde_json::json;

use crate::Mutant;
use crate::mutant::{Part, defaults, map, reduction, with_other_option};

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
            // The weights of the rows that are not ignored.
            Kind::CrossEntropy | Kind::LinearCrossEntropy | Kind::NllLoss | Kind::NllLoss2d => {
                &[Self::Elements, Self::Batch, Self::Losses]
            }
            // The weights.
            Kind::L1Loss | Kind::MseLoss | Kind::HuberLoss => &[Self::Elements, Self::Batch, Self::Losses],
            // Each loss is divided by the length of its target.
            Kind::CtcLoss => &[Self::Elements, Self::Batch, Self::Losses],
            Kind::CosineEmbeddingLoss
            | Kind::MultiMarginLoss
            | Kind::MultilabelMarginLoss
            | Kind::MultilabelSoftMarginLoss
            | Kind::TripletMarginLoss
            | Kind::TripletMarginWithDistanceLoss => &[Self::Elements],
            _ => &[Self::Batch],
        }
    }

    fn of(self, case: &Case) -> Option<f64> {
        let first = case.input(case.loss.kind().signature().first())?;
        Some(match self {
            Self::Elements => first.len(),
            Self::Batch => first.shape().first().copied().unwrap_or(1),
            Self::Losses => {
                let loss = case.loss.unreduced();
                match Reference.evaluate(&Case { loss, cotangent: None, ..case.clone() }) {
                    Outcome::Answer(answer) => answer.value.len(),
                    _ => return None,
                }
            }
        } as f64)
    }
}

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    let options = defaults(loss);
    if options["reduction"].is_null() {
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
                let is_given = reduction(case).as_deref() == Some(given);
                let other = is_given.then(|| with_other_option(case, "reduction", json!(taken)))??;
                Some(if given == "none" { Case { cotangent: None, ..other } } else { other })
            };
            let mistake = format!("the reduction `{given}` is taken for `{taken}`");
            mutants.push(Mutant::of_another_case(loss, mistake, part, rewrite));
        }
    }
    for &denominator in Denominator::wrong(loss) {
        let mistake = format!("the mean divides by {}", denominator.describe());
        mutants.push(Mutant::of_outcome(loss, mistake, move |case, own| {
            if reduction(case).as_deref() != Some("mean") || !matches!(own, Outcome::Answer(_)) {
                return own;
            }
            let sum = with_other_option(case, "reduction", json!("sum")).map(|case| Reference.evaluate(&case));
            match (denominator.of(case), sum) {
                (Some(denominator), Some(Outcome::Answer(sum))) => {
                    let divided = |tensor| map(tensor, |x| x / denominator);
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
        if reduction(case).as_deref() == Some("mean") && case.inputs.values().any(|tensor| tensor.is_empty()) {
            answer.value = map(&answer.value, |x| if x.is_nan() { 0.0 } else { x });
        }
    }));
    mutants
}
