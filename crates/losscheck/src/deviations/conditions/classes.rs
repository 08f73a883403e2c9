//! Conditions for the losses over classes.

use losscheck_options::{CrossEntropyLoss, LinearCrossEntropyLoss, Reduction};

use super::Condition;
use super::properties::{any, elements, is_mean, most, smallest_normal, value_of, value_reduced_by};
use crate::case::Case;
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "zero_weight_sum",
        describes: "a mean that divides by the weights of the target's classes, which sum to 0",
        holds: |case| mean_weights(case).is_some_and(|weights| weights.iter().sum::<f64>() == 0.0),
    },
    Condition {
        name: "rounded_weight_sum",
        describes: "a mean that divides by the weights of the target's classes, whose sum may be all that rounding adds to it",
        holds: |case| {
            mean_weights(case).is_some_and(|weights| {
                let of_sizes: f64 = weights.iter().map(|weight| weight.abs()).sum();
                let rounding = weights.len() as f64 / 2.0 * case.dtype().format().ulp(of_sizes);
                of_sizes > 0.0 && weights.iter().sum::<f64>().abs() <= rounding
            })
        },
    },
    Condition {
        name: "subnormal_weighted_loss",
        describes: "a mean of weighted losses one of which is subnormal",
        holds: |case| {
            let is_subnormal = |x: &f64| *x != 0.0 && x.abs() < smallest_normal(case);
            case.input("weight").is_some()
                && is_mean(case)
                && value_reduced_by(Reduction::None, case).iter().any(is_subnormal)
        },
    },
    Condition {
        name: "subnormal_weighted_score",
        describes: "a class weight times a score may be subnormal",
        holds: |case| {
            let least = |name| {
                let numbers = elements(case, name).into_iter().map(f64::abs).filter(|&x| x > 0.0);
                numbers.fold(f64::INFINITY, f64::min)
            };
            case.input("weight").is_some() && least("weight") * least("input") < smallest_normal(case)
        },
    },
    Condition {
        name: "smoothing_beyond_f16",
        describes: "f16 with `label_smoothing`, and losses of all classes that add up beyond the range before a share of them is taken",
        holds: |case| {
            let end = DType::F16.format().largest / classes(case).unwrap_or(1) as f64;
            let is_beyond = |reduction| {
                let smoothed = fully_smoothed(&case.loss).and_then(|loss| loss.with_reduction(reduction));
                let value = smoothed.map_or_else(Vec::new, |loss| value_of(&loss, case));
                value.iter().any(|x| x.is_finite() && x.abs() > end)
            };
            let reductions: &[Reduction] = match case.loss.reduction() {
                Some("mean") => &[Reduction::None, Reduction::Sum, Reduction::Mean],
                Some("sum") => &[Reduction::None, Reduction::Sum],
                _ => &[Reduction::None],
            };
            case.dtype() == DType::F16
                && case.loss.label_smoothing().is_some_and(|smoothing| smoothing > 0.0)
                && reductions.iter().any(|&reduction| is_beyond(reduction))
        },
    },
    Condition {
        name: "sentinel_index",
        describes: "an index is the largest of its integer type",
        holds: |case| {
            case.input("target").and_then(Tensor::to_indices).is_some_and(|indices| {
                indices.iter().any(|&index| [255, i64::from(u32::MAX), i64::MAX].contains(&index))
            })
        },
    },
    Condition {
        name: "many_classes",
        describes: "more than 16 classes",
        holds: |case| classes(case).is_some_and(|classes| classes > 16),
    },
    Condition {
        name: "ignored_score_out_of_range",
        describes: "linear cross-entropy with an ignored row of finite numbers whose score may be out of range",
        holds: |case| {
            let (Some(input), Some(weight)) = (case.input("input"), case.input("linear_weight")) else { return false };
            let Some(indices) = case.input("target").and_then(Tensor::to_indices) else { return false };
            let indices: Vec<i64> = indices.into_iter().collect();
            let features = input.shape().last().copied().unwrap_or(0).max(1);
            let (input, weight) = (input.to_f64(), weight.to_f64());
            let (end, bias, ignored) =
                (case.dtype().format().largest, most(case, "linear_bias"), case.loss.ignore_index());
            let per_sample = (indices.len() * features / input.len().max(1)).max(1);
            let is_beyond =
                |x: &[f64], w: &[f64]| x.iter().zip(w).map(|(x, w)| (x * w).abs()).sum::<f64>() + bias > end;
            input.chunks(features).zip(indices.chunks(per_sample)).any(|(x, indices)| {
                indices.iter().any(|&index| Some(index) == ignored)
                    && x.iter().all(|x| x.is_finite())
                    && weight.chunks(features).any(|w| is_beyond(x, w))
            })
        },
    },
    Condition {
        name: "odd_row_beside_nonfinite",
        describes: "adaptive log-softmax in bf16 with an odd number of features or of scores for the head, and NaN or an infinity",
        holds: |case| {
            let is_odd = |weight: &Tensor| weight.shape().iter().any(|length| length % 2 == 1);
            case.dtype() == DType::BF16
                && case.input("head.weight").is_some_and(is_odd)
                && any(case, |x| !x.is_finite())
        },
    },
];

/// The weights of the target's classes, where a mean divides by some.
fn mean_weights(case: &Case) -> Option<Vec<f64>> {
    let (weight, indices) = (case.input("weight")?.to_f64(), case.input("target")?.to_indices()?);
    let ignored = case.loss.ignore_index();
    let counted = indices.iter().filter(|&&index| Some(index) != ignored);
    let of_class = |&index: &i64| usize::try_from(index).ok().and_then(|class| weight.get(class).copied());
    let weights: Vec<f64> = counted.filter_map(of_class).collect();
    (is_mean(case) && !weights.is_empty()).then_some(weights)
}

/// Returns the loss with all of the target spread over the classes, or `None` if it has no such option.
fn fully_smoothed(loss: &Loss) -> Option<Loss> {
    match loss.clone() {
        Loss::CrossEntropy(options) => Some(Loss::CrossEntropy(CrossEntropyLoss { label_smoothing: 1.0, ..options })),
        Loss::LinearCrossEntropy(options) => {
            Some(Loss::LinearCrossEntropy(LinearCrossEntropyLoss { label_smoothing: 1.0, ..options }))
        }
        _ => None,
    }
}

/// The number of classes: of scores, or of the layer that makes them.
fn classes(case: &Case) -> Option<usize> {
    match case.input("linear_weight") {
        Some(weight) => weight.shape().first().copied(),
        None => case.input("input").and_then(|input| {
            let shape = input.shape();
            shape.get(usize::from(shape.len() > 1)).copied()
        }),
    }
}
