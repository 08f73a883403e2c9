//! Conditions for the losses over classes, whose parts are rows.

use losscheck_options::{CrossEntropyLoss, LinearCrossEntropyLoss, Reduction};

use super::properties::{classes, compute_format, mean_weights, most, smallest_normal, value_of, value_reduced_by};
use super::{About, Condition};
use crate::case::parts::Part;
use crate::loss::Loss;
use crate::tensor::{DType, Data, Tensor};

/// Whether the row, or one of a sample's rows, counts for nothing.
fn is_ignored(part: &Part) -> bool {
    let indices = part.case.input("target").and_then(Tensor::to_indices).unwrap_or_default();
    // PyTorch's default.
    let ignored = part.case.loss.ignore_index().unwrap_or(-100);
    indices.contains(&ignored)
}

/// Returns what each index chooses of a number for each class. An index that is out of range chooses nothing.
fn of_classes(numbers: &[f64], indices: &[i64]) -> impl Iterator<Item = f64> {
    indices.iter().filter_map(|&index| numbers.get(usize::try_from(index).ok()?).copied())
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "zero_weight_sum",
        about: About::Case,
        describes: "a mean that divides by the weights of the target's classes, which sum to 0",
        holds: |part| mean_weights(&part.case).is_some_and(|weights| weights.iter().sum::<f64>() == 0.0),
    },
    Condition {
        name: "nothing_over_nothing",
        about: About::Case,
        describes: "a mean that divides by weights that sum to 0 losses that round to 0",
        holds: |part| {
            let has_no_weight = mean_weights(&part.case).is_some_and(|weights| weights.iter().sum::<f64>() == 0.0);
            let smallest = part.case.dtype().format().ulp(0.0);
            let losses = value_reduced_by(Reduction::Sum, &part.case);
            has_no_weight && losses.iter().all(|loss| loss.abs() < smallest)
        },
    },
    Condition {
        name: "underflow_over_nothing",
        about: About::Part,
        describes: "a row with a probability that underflows, of a mean that divides by weights that sum to 0",
        holds: |part| {
            let scores = part.numbers("input");
            let range = scores.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x))
                - scores.iter().fold(f64::INFINITY, |least, &x| least.min(x));
            let smallest = compute_format(part.case.dtype()).ulp(0.0);
            part.denominator == 0.0 && range > 2.0_f64.ln() - smallest.ln()
        },
    },
    Condition {
        name: "full_smoothing_of_infinity",
        about: About::Part,
        describes: "a row that holds NaN or an infinity, with a `label_smoothing` of 1",
        holds: |part| part.case.loss.label_smoothing() == Some(1.0) && part.any(|x| !x.is_finite()),
    },
    Condition {
        name: "rounded_weight_sum",
        about: About::Case,
        describes: "a mean that divides by the weights of the target's classes, whose sum may be all that rounding adds to it",
        holds: |part| {
            mean_weights(&part.case).is_some_and(|weights| {
                let of_sizes: f64 = weights.iter().map(|weight| weight.abs()).sum();
                let rounding = weights.len() as f64 / 2.0 * part.case.dtype().format().ulp(of_sizes);
                of_sizes > 0.0 && weights.iter().sum::<f64>().abs() <= rounding
            })
        },
    },
    Condition {
        name: "weight_sum_out_of_range",
        about: About::Case,
        describes: "a mean that divides by the weights of the target's classes, or of the elements, whose sum is out of range",
        holds: |part| {
            mean_weights(&part.case).is_some_and(|weights| {
                weights.iter().map(|weight| weight.abs()).sum::<f64>() > part.case.dtype().format().largest
            })
        },
    },
    Condition {
        name: "infinite_weight",
        about: About::Part,
        describes: "an infinite weight of the target's class, or of any if the target is spread over the classes",
        holds: |part| {
            let weights = part.numbers("weight");
            let is_spread = part.case.loss.label_smoothing().is_some_and(|smoothing| smoothing != 0.0);
            match part.case.input("target").and_then(Tensor::to_indices) {
                Some(indices) if !is_spread => of_classes(&weights, &indices).any(f64::is_infinite),
                _ => weights.into_iter().any(f64::is_infinite),
            }
        },
    },
    Condition {
        name: "subnormal_weighted_score",
        about: About::Part,
        describes: "the weight of the target's class times its score is subnormal",
        holds: |part| {
            let (weights, scores) = (part.numbers("weight"), part.numbers("input"));
            let indices = part.case.input("target").and_then(Tensor::to_indices).unwrap_or_default();
            let mut pairs = of_classes(&weights, &indices).zip(of_classes(&scores, &indices));
            let normal = smallest_normal(&part.case);
            pairs.any(|(weight, score)| weight != 0.0 && score != 0.0 && (weight * score).abs() < normal)
        },
    },
    Condition {
        name: "smoothing_beyond_f16",
        about: About::Case,
        describes: "f16 with `label_smoothing`, and losses of all classes that add up beyond the range before a share of them is taken",
        holds: |part| {
            let case = &part.case;
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
        about: About::Part,
        describes: "an index is the largest of its integer type",
        holds: |part| {
            // Indices of i64 may be handed on as u32, which PyTorch does not have, if all of them fit.
            part.case.input("target").is_some_and(|target| match target.data() {
                Data::U8(indices) => indices.contains(&u8::MAX),
                Data::I64(indices) => indices.iter().any(|index| [i64::from(u32::MAX), i64::MAX].contains(index)),
                Data::F16(_) | Data::BF16(_) | Data::F32(_) | Data::F64(_) => false,
            })
        },
    },
    Condition {
        name: "many_classes",
        about: About::Part,
        describes: "more than 16 classes",
        holds: |part| classes(&part.case).is_some_and(|classes| classes > 16),
    },
    Condition {
        name: "ignored_nonfinite_row",
        about: About::Part,
        describes: "an ignored row that holds NaN or an infinity, or that a layer with such a number makes",
        holds: |part| is_ignored(part) && part.any(|x| !x.is_finite()),
    },
    Condition {
        name: "ignored_score_out_of_range",
        about: About::Part,
        describes: "linear cross-entropy with an ignored row of finite numbers whose score may be out of range",
        holds: |part| {
            let (Some(input), Some(weight)) = (part.case.input("input"), part.case.input("linear_weight")) else {
                return false;
            };
            let features = input.shape().last().copied().unwrap_or(0).max(1);
            let (input, weight) = (input.to_f64(), weight.to_f64());
            let (end, bias) = (part.case.dtype().format().largest, most(&part.case, "linear_bias"));
            let is_beyond = |w: &[f64]| input.iter().zip(w).map(|(x, w)| (x * w).abs()).sum::<f64>() + bias > end;
            is_ignored(part) && input.iter().all(|x| x.is_finite()) && weight.chunks(features).any(is_beyond)
        },
    },
    Condition {
        name: "odd_row_beside_nonfinite",
        about: About::Case,
        describes: "adaptive log-softmax in bf16 with an odd number of features or of scores for the head, and NaN or an infinity",
        holds: |part| {
            let is_odd = |weight: &Tensor| weight.shape().iter().any(|length| length % 2 == 1);
            part.case.dtype() == DType::BF16
                && part.case.input("head.weight").is_some_and(is_odd)
                && part.any(|x| !x.is_finite())
        },
    },
];

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
