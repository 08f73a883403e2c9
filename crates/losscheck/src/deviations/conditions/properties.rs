//! What the conditions ask about a case or a part.

use losscheck_options::Reduction;

use crate::case::Case;
use crate::case::parts::Part;
use crate::loss::{Inputs, Loss, LossExt, LossKind, Outputs};
use crate::tensor::{DType, Format, Tensor};

impl Part {
    /// The elements of an input; none if it is left out.
    pub(in crate::deviations) fn numbers(&self, name: &str) -> Vec<f64> {
        elements(&self.case, name)
    }

    /// The only element of an input of a loss of single elements; NaN if it is left out.
    pub(in crate::deviations) fn number(&self, name: &str) -> f64 {
        self.numbers(name).first().copied().unwrap_or(f64::NAN)
    }

    /// Whether a number of a floating-point tensor, or of the cotangent, is such.
    pub(super) fn any(&self, predicate: impl Fn(f64) -> bool) -> bool {
        let floats = self.case.inputs.values().filter(|tensor| tensor.dtype().is_float());
        let numbers = floats.flat_map(Tensor::to_f64).chain(self.cotangents.iter().copied());
        numbers.into_iter().any(predicate)
    }

    /// The slope of Huber's linear part, if it is below 1; a class's share of the multilabel soft margin loss.
    pub(in crate::deviations) fn slope(&self) -> f64 {
        match &self.case.loss {
            Loss::HuberLoss(options) => options.delta.min(1.0),
            Loss::MultilabelSoftMarginLoss(_) => {
                let classes = self.case.input("input").and_then(|input| input.shape().last().copied());
                1.0 / classes.unwrap_or(1).max(1) as f64
            }
            Loss::KlDiv(options) if options.log_target => self.number("target").exp().min(1.0),
            _ => 1.0,
        }
    }
}

/// The format in which libraries compute with a dtype: that of f32 for 16 bits.
pub(super) fn compute_format(dtype: DType) -> Format {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32.format(),
        _ => dtype.format(),
    }
}

pub(super) fn is_mean(case: &Case) -> bool {
    case.loss.reduction() == Some("mean")
}

/// The number of classes: of scores, or of the layer that makes them.
pub(in crate::deviations) fn classes(case: &Case) -> Option<usize> {
    match case.input("linear_weight") {
        Some(weight) => weight.shape().first().copied(),
        None => case.input("input").and_then(|input| {
            let shape = input.shape();
            shape.get(usize::from(shape.len() > 1)).copied()
        }),
    }
}

/// The weights by whose sum a mean divides: those of the target's classes, or of the elements.
pub(super) fn mean_weights(case: &Case) -> Option<Vec<f64>> {
    let weight = case.input("weight")?.to_f64();
    if matches!(case.loss.kind(), LossKind::L1Loss | LossKind::MseLoss) {
        return is_mean(case).then_some(weight);
    }
    let indices = case.input("target")?.to_indices()?;
    let ignored = case.loss.ignore_index();
    let counted = indices.iter().filter(|&&index| Some(index) != ignored);
    let of_class = |&index: &i64| usize::try_from(index).ok().and_then(|class| weight.get(class).copied());
    let weights: Vec<f64> = counted.filter_map(of_class).collect();
    (is_mean(case) && !weights.is_empty()).then_some(weights)
}

/// The elements of an input; none where it is left out.
pub(in crate::deviations) fn elements(case: &Case, name: &str) -> Vec<f64> {
    case.input(name).map_or_else(Vec::new, Tensor::to_f64)
}

/// The size of the largest element of an input.
pub(super) fn most(case: &Case, name: &str) -> f64 {
    elements(case, name).into_iter().fold(0.0, |most, x| most.max(x.abs()))
}

pub(super) fn smallest_normal(case: &Case) -> f64 {
    case.dtype().format().smallest_normal()
}

/// Returns the numbers of the value with another reduction; none if the loss has no reduction or rejects the case.
pub(super) fn value_reduced_by(reduction: Reduction, case: &Case) -> Vec<f64> {
    case.loss.with_reduction(reduction).map_or_else(Vec::new, |loss| value_of(&loss, case))
}

/// Returns the numbers of the value of a loss on the inputs of a case; none if the loss rejects them.
pub(super) fn value_of(loss: &Loss, case: &Case) -> Vec<f64> {
    let results = loss.evaluate::<f64>(&Inputs::from(case), Outputs::Value);
    results.map_or_else(|_| Vec::new(), |results| results.value.into_iter().collect())
}
