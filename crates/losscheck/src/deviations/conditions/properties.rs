//! What the conditions ask about a case.

use losscheck_options::Reduction;

use crate::case::Case;
use crate::loss::{Inputs, Loss, LossExt, Outputs};
use crate::tensor::{DType, Tensor};

pub(super) fn is_mean(case: &Case) -> bool {
    case.loss.reduction() == Some("mean")
}

/// The smallest part of a gradient that is not 0: the cotangent, in a mean over the number of elements or the sum of their
/// weights (over classes where each row is a mean of them), times an element's weight, or times the probability or the count
/// that is the target; and times the slope of Huber's linear part.
pub(super) fn smallest_share(case: &Case) -> f64 {
    let target_or_weight = match &case.loss {
        Loss::KlDiv(options) if options.log_target => elements(case, "target").into_iter().map(f64::exp).collect(),
        Loss::KlDiv(_) => elements(case, "target"),
        Loss::PoissonNllLoss(options) if !options.log_input => elements(case, "target"),
        _ => elements(case, "weight"),
    };
    let divides_by_weights = matches!(
        case.loss,
        Loss::L1Loss(_)
            | Loss::MseLoss(_)
            | Loss::CrossEntropy(_)
            | Loss::LinearCrossEntropy(_)
            | Loss::NllLoss(_)
            | Loss::NllLoss2d(_)
    );
    let total = match case.loss {
        Loss::MultilabelSoftMarginLoss(_) if !is_mean(case) => {
            case.input("input").and_then(|input| input.shape().last().copied()).unwrap_or(1) as f64
        }
        _ if !is_mean(case) => 1.0,
        Loss::KlDiv(_) | Loss::PoissonNllLoss(_) => broadcast_len(case) as f64,
        _ if divides_by_weights && case.input("weight").is_some() => {
            target_or_weight.iter().map(|weight| weight.abs()).sum()
        }
        _ => case.inputs.values().map(Tensor::len).max().unwrap_or(0) as f64,
    };
    let least = |numbers: Vec<f64>| numbers.into_iter().map(f64::abs).filter(|&size| size > 0.0).reduce(f64::min);
    let cotangent = case.cotangent.as_ref().and_then(|cotangent| least(cotangent.to_f64())).unwrap_or(1.0);
    let slope = if let Loss::HuberLoss(options) = &case.loss { options.delta.min(1.0) } else { 1.0 };
    least(target_or_weight).unwrap_or(1.0).min(1.0) * slope * cotangent / total
}

/// Returns the number of elements that the tensors broadcast to, at most `usize::MAX`: a case may hold empty tensors with
/// large dimensions.
pub(super) fn broadcast_len(case: &Case) -> usize {
    let shapes: Vec<_> = case.inputs.values().map(Tensor::shape).collect();
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let dims = (0..rank).map(|axis| shapes.iter().map(|shape| dim(shape, axis)).max().unwrap_or(1));
    dims.fold(1, usize::saturating_mul)
}

/// The elements of an input; none where it is left out.
pub(super) fn elements(case: &Case, name: &str) -> Vec<f64> {
    case.input(name).map_or_else(Vec::new, Tensor::to_f64)
}

/// The size of the largest element of an input.
pub(super) fn most(case: &Case, name: &str) -> f64 {
    elements(case, name).into_iter().fold(0.0, |most, x| most.max(x.abs()))
}

pub(super) fn smallest_normal(case: &Case) -> f64 {
    case.dtype().format().smallest_normal()
}

pub(super) fn any(case: &Case, predicate: impl Fn(f64) -> bool) -> bool {
    let floats = case.inputs.values().filter(|tensor| tensor.dtype().is_float());
    floats.chain(&case.cotangent).any(|tensor| tensor.to_f64().into_iter().any(&predicate))
}

pub(super) fn extreme(dtype: DType, x: f64) -> bool {
    let (small, large) = match dtype {
        DType::F16 => (8e-3, 250.0),
        DType::BF16 | DType::F32 => (1e-18, 1e18),
        DType::F64 | DType::I64 | DType::U8 => (1e-150, 1e150),
    };
    !x.is_finite() || x.abs() > large || (x != 0.0 && x.abs() < small)
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
