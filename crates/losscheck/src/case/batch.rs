//! Which dimension of which tensor the batch is.

use crate::case::Case;
use crate::loss::LossKind;
use crate::tensor::Tensor;

/// The axis of the batch of every tensor that has one, where all of them do.
pub(crate) fn batch_axes(case: &Case) -> Option<Vec<(&'static str, usize)>> {
    use LossKind as Kind;
    let shape = |name: &str| case.input(name).map(Tensor::shape);
    let has_rank = |name: &str, rank: usize| shape(name).is_some_and(|shape| shape.len() >= rank);
    match case.loss.kind() {
        Kind::CrossEntropy
        | Kind::NllLoss
        | Kind::NllLoss2d
        | Kind::MultiMarginLoss
        | Kind::AdaptiveLogSoftmaxWithLoss => {
            let is_batch = has_rank("input", 2);
            let with_target = case.input("target").is_some();
            is_batch.then(|| [("input", 0), ("target", 0)].into_iter().take(1 + usize::from(with_target)).collect())
        }
        Kind::LinearCrossEntropy => has_rank("input", 2).then(|| vec![("input", 0), ("target", 0)]),
        Kind::CtcLoss => {
            let is_batch = has_rank("log_probs", 3) && has_rank("targets", 2);
            let axes = [("log_probs", 1), ("targets", 0), ("input_lengths", 0), ("target_lengths", 0)];
            is_batch.then(|| axes.to_vec())
        }
        // The elements of one list of labels have an order.
        Kind::MultilabelMarginLoss => has_rank("input", 2).then(|| vec![("input", 0), ("target", 0)]),
        Kind::CosineEmbeddingLoss => {
            let is_batch = has_rank("input1", 2) && has_rank("input2", 2) && has_rank("target", 1);
            let all = [("input1", 0), ("input2", 0), ("target", 0)];
            let batch = |name: &str| shape(name).and_then(|shape| shape.first());
            let are_alike = all.iter().all(|(name, _)| batch(name) == batch("target"));
            (is_batch && are_alike).then(|| all.to_vec())
        }
        _ => {
            let signature = case.loss.kind().signature();
            let names = signature.required.iter().chain(signature.optional).filter(|name| case.input(name).is_some());
            let first = shape(signature.first())?;
            let is_alike = |own: &[usize]| own.len() == first.len() && own.first() == first.first();
            let are_alike = names.clone().all(|name| shape(name).is_some_and(is_alike));
            (are_alike && !first.is_empty()).then(|| names.map(|name| (*name, 0)).collect())
        }
    }
}
