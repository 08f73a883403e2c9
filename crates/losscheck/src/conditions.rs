//! Properties of a case that deviations name, for cases that are not goldens and so have no flags.

use crate::case::Case;
use crate::definition::{Arrays, Wanted};
use crate::loss::Loss;
use crate::oracle::near_largest;
use crate::tensor::{DType, Tensor};
use crate::ulp::{largest, ulp};

/// A property of a case.
#[derive(Debug)]
pub struct Condition {
    /// The name in deviation files.
    pub name: &'static str,
    /// What it says.
    pub describes: &'static str,
    holds: fn(&Case) -> bool,
}

/// Every condition.
pub const ALL: &[Condition] = &[
    Condition { name: "any", describes: "every case", holds: |_| true },
    Condition {
        name: "nonfinite",
        describes: "a tensor holds NaN or an infinity",
        holds: |case| any(case, |x| !x.is_finite()),
    },
    Condition {
        name: "extreme",
        describes: "a tensor holds a number whose square is out of range, NaN or an infinity",
        holds: |case| any(case, |x| extreme(case.dtype(), x)),
    },
    Condition {
        name: "saturated_logit",
        describes: "a logit beyond 5, where 1 - sigmoid has lost digits",
        holds: |case| elements(case, "input").into_iter().any(|x| x.abs() > 5.0 || x.is_nan()),
    },
    Condition {
        name: "subnormal",
        describes: "a tensor holds a subnormal number",
        holds: |case| {
            let least = smallest_normal(case);
            any(case, |x| x != 0.0 && x.abs() < least)
        },
    },
    Condition {
        name: "exponential_overflow",
        describes: "the product of an input and a target has an exponential that, times the target, is out of range",
        holds: |case| {
            let target = most(case, "target");
            most(case, "input") * target + target.max(1.0).ln() > largest(case.dtype()).ln()
        },
    },
    Condition {
        name: "stirling_of_no_count",
        describes: "Poisson with `full` and a target that has no finite logarithm",
        holds: |case| {
            let has_none = |t: f64| t <= 0.0 || !t.is_finite();
            matches!(&case.loss, Loss::PoissonNllLoss(options) if options.full)
                && elements(case, "target").into_iter().any(has_none)
        },
    },
    Condition {
        name: "power_out_of_range",
        describes: "a triplet loss whose norm raises a number to a power that is out of range",
        holds: |case| {
            let p = match &case.loss {
                Loss::TripletMarginLoss(options) if options.p.is_finite() => options.p.max(2.0),
                _ => 2.0,
            };
            any(case, |x| extreme(case.dtype(), x.abs().powf(p / 2.0)))
        },
    },
    Condition {
        name: "fourth_power_out_of_range",
        describes: "a tensor holds a number whose fourth power, which two squared lengths make, is out of range",
        holds: |case| any(case, |x| extreme(case.dtype(), x * x)),
    },
    Condition {
        name: "sixth_power_out_of_range",
        describes: "a tensor holds a number whose sixth power, which three squared lengths make, is above the range",
        holds: |case| any(case, |x| x.abs() > 1.0 && extreme(case.dtype(), x * x * x)),
    },
    Condition {
        name: "short_vector",
        describes: "vectors whose squared length is within 2^28 of an eps of 1e-12, in f64; all but 0 or empty, in f16",
        holds: |case| {
            let least = match case.dtype() {
                DType::F64 => 3e-4,
                DType::F16 => 1e-2,
                _ => return false,
            };
            let length_is_small = |tensor: &Tensor| {
                let length = tensor.shape().last().copied().unwrap_or(1).max(1);
                tensor.is_empty()
                    || tensor.to_f64().chunks(length).any(|row| row.iter().map(|x| x * x).sum::<f64>() < least)
            };
            ["input1", "input2"].into_iter().filter_map(|name| case.input(name)).any(length_is_small)
        },
    },
    Condition {
        name: "rate_below_f16",
        describes: "Poisson with `log_input` off and a rate in f16 below 1e-4, where an eps of 1e-8 is lost",
        holds: |case| {
            matches!(&case.loss, Loss::PoissonNllLoss(options) if !options.log_input)
                && case.dtype() == DType::F16
                && elements(case, "input").into_iter().any(|x| x.abs() < 1e-4)
        },
    },
    Condition {
        name: "rate_of_minus_eps",
        describes: "Poisson in 16 bits with `log_input` off and a rate that eps brings next to 0",
        holds: |case| {
            let (DType::F16 | DType::BF16, Loss::PoissonNllLoss(options)) = (case.dtype(), &case.loss) else {
                return false;
            };
            let is_next_to_0 = |x: f64| (x + options.eps).abs() <= options.eps / 128.0;
            !options.log_input && elements(case, "input").into_iter().any(is_next_to_0)
        },
    },
    Condition {
        name: "broadcast_rate_near_zero",
        describes: "Poisson with `log_input` off and a rate, for several targets or none, that is 0, NaN or so small that a quotient by it overflows",
        holds: |case| {
            let Loss::PoissonNllLoss(options) = &case.loss else { return false };
            let (Some(input), Some(target)) = (case.input("input"), case.input("target")) else { return false };
            let most = target.to_f64().into_iter().fold(1.0, |most: f64, t| most.max(t.abs()));
            let end = near_largest(case.dtype());
            let is_near_0 = |x: f64| x.is_nan() || most / (x + options.eps).abs() > end;
            !options.log_input && input.shape() != target.shape() && input.to_f64().into_iter().any(is_near_0)
        },
    },
    Condition {
        name: "broadcast_exponential_overflow",
        describes: "Poisson with `log_input` and an input, for several targets or none, that is NaN or whose exponential is out of range",
        holds: |case| {
            let (Some(input), Some(target)) = (case.input("input"), case.input("target")) else { return false };
            let end = largest(case.dtype()).ln();
            matches!(&case.loss, Loss::PoissonNllLoss(options) if options.log_input)
                && input.shape() != target.shape()
                && input.to_f64().into_iter().any(|x| x.is_nan() || x > end)
        },
    },
    Condition {
        name: "subnormal_product",
        describes: "smooth L1 with a difference that is subnormal once the cotangent's share for an element multiplies it",
        holds: |case| {
            let targets = elements(case, "target");
            let differences =
                elements(case, "input").into_iter().flat_map(|x| targets.iter().map(move |t| (x - t).abs()));
            let least = differences.filter(|&d| d > 0.0).fold(f64::INFINITY, f64::min);
            matches!(case.loss, Loss::SmoothL1Loss(_)) && least * smallest_share(case) < smallest_normal(case)
        },
    },
    Condition {
        name: "subnormal_difference",
        describes: "BCE with a difference of input and target that is subnormal once the cotangent multiplies it",
        holds: |case| {
            let cotangents = case.cotangent.as_ref().map_or_else(|| vec![1.0], Tensor::to_f64);
            let differences = elements(case, "input").into_iter().zip(elements(case, "target")).map(|(x, t)| x - t);
            let mut products = differences.zip(cotangents.iter().cycle()).map(|(difference, c)| (difference * c).abs());
            let least = smallest_normal(case);
            matches!(case.loss, Loss::BinaryCrossEntropy(_)) && products.any(|product| product > 0.0 && product < least)
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
    Condition {
        name: "zero_target",
        describes: "a target of 0",
        holds: |case| elements(case, "target").contains(&0.0),
    },
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
                let rounding = weights.len() as f64 / 2.0 * ulp(case.dtype(), of_sizes);
                of_sizes > 0.0 && weights.iter().sum::<f64>().abs() <= rounding
            })
        },
    },
    Condition {
        name: "clamped_in_16_bits",
        describes: "Gaussian in 16 bits with a variance below `eps`",
        holds: |case| {
            matches!(&case.loss, Loss::GaussianNllLoss(options) if matches!(case.dtype(), DType::F16 | DType::BF16)
                && elements(case, "var").into_iter().any(|v| v < options.eps))
        },
    },
    Condition {
        name: "squared_error_out_of_range",
        describes: "Gaussian where the inverse of a variance, or the square of a difference or of its quotient by the variance, is out of range",
        holds: |case| {
            let Loss::GaussianNllLoss(options) = &case.loss else { return false };
            let least = elements(case, "var").into_iter().fold(1.0, f64::min).max(options.eps);
            let end = largest(case.dtype());
            // A few per cent to spare, for what is rounded on the way.
            (most(case, "input") + most(case, "target")) / least > 0.976 * end.sqrt() || least < 1.05 / end
        },
    },
    Condition {
        name: "zero_variance",
        describes: "Gaussian with a variance that is 0 or subnormal and an `eps` that does not keep it from that",
        holds: |case| {
            let least = smallest_normal(case);
            matches!(&case.loss, Loss::GaussianNllLoss(options) if options.eps < least)
                && elements(case, "var").into_iter().any(|v| v < least)
        },
    },
    Condition {
        name: "empty",
        describes: "a tensor has no elements",
        holds: |case| case.inputs.values().any(Tensor::is_empty),
    },
    Condition {
        name: "subnormal_share",
        describes: "in f16 the cotangent's share for an element, times its weight, probability or slope, is subnormal",
        holds: |case| case.dtype() == DType::F16 && smallest_share(case) < smallest_normal(case),
    },
    Condition {
        name: "subnormal_count",
        describes: "Poisson with `log_input` off and a count that is subnormal, or is once the cotangent's share multiplies it",
        holds: |case| {
            matches!(&case.loss, Loss::PoissonNllLoss(options) if !options.log_input)
                && smallest_share(case) < smallest_normal(case)
        },
    },
    Condition {
        name: "subnormal_cotangent",
        describes: "a cotangent that is subnormal",
        holds: |case| {
            let is_subnormal = |x: f64| x != 0.0 && x.abs() < smallest_normal(case);
            case.cotangent.as_ref().is_some_and(|cotangent| cotangent.to_f64().into_iter().any(is_subnormal))
        },
    },
    Condition {
        name: "subnormal_weighted_loss",
        describes: "a mean of weighted losses one of which is subnormal",
        holds: |case| {
            let is_subnormal = |x: &f64| *x != 0.0 && x.abs() < smallest_normal(case);
            case.input("weight").is_some() && is_mean(case) && value_reduced_by("none", case).iter().any(is_subnormal)
        },
    },
    Condition {
        name: "sum_beyond_f16",
        describes: "a mean in f16 of losses whose sum is out of range",
        holds: |case| {
            case.dtype() == DType::F16
                && is_mean(case)
                && value_reduced_by("sum", case).iter().any(|x| x.abs() > largest(DType::F16))
        },
    },
    Condition {
        name: "smoothing_beyond_f16",
        describes: "f16 with `label_smoothing`, and losses of all classes that add up beyond the range before a share of them is taken",
        holds: |case| {
            let end = largest(DType::F16) / classes(case).unwrap_or(1) as f64;
            let smoothed = |reduction| value_with(&[("label_smoothing", 1.0.into()), ("reduction", reduction)], case);
            let reduction = case.loss.reduction().unwrap_or_default();
            let before = ["none", if is_mean(case) { "sum" } else { "none" }, &reduction];
            case.dtype() == DType::F16
                && label_smoothing(&case.loss) > 0.0
                && before.into_iter().flat_map(|name| smoothed(name.into())).any(|x| x.is_finite() && x.abs() > end)
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
        name: "extreme_probability",
        describes: "a probability p with p (1 - p) below 1e-11, or 1e-4 in f16",
        holds: |case| {
            let least = if case.dtype() == DType::F16 { 1e-4 } else { 1e-11 };
            elements(case, "input").into_iter().any(|p| p * (1.0 - p) < least || p.is_nan())
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
            let (end, bias, ignored) = (largest(case.dtype()), most(case, "linear_bias"), ignore_index(&case.loss));
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
        name: "many_terms",
        describes: "more than 16 elements, which a reduction adds up",
        holds: |case| case.inputs.values().any(|tensor| tensor.len() > 16) || broadcast_len(case) > 16,
    },
    Condition {
        name: "absorbing_score",
        describes: "CTC with a log-probability so large that sums with it round by 1 or more, NaN or an infinity",
        holds: |case| {
            let scores = elements(case, "log_probs");
            scores.iter().any(|score| !score.is_finite() || ulp(case.dtype(), score.abs()) >= 1.0)
        },
    },
    Condition {
        name: "blank_label",
        describes: "CTC with a label that is the blank",
        holds: |case| {
            let labels = case.input("targets").and_then(Tensor::to_indices);
            matches!(&case.loss, Loss::CtcLoss(options)
                if labels.is_some_and(|labels| labels.iter().any(|&label| label == options.blank)))
        },
    },
    Condition {
        name: "invalid_delta",
        describes: "Huber with a delta that is not positive",
        holds: |case| matches!(&case.loss, Loss::HuberLoss(options) if options.delta <= 0.0 || options.delta.is_nan()),
    },
    Condition {
        name: "zero_beta",
        describes: "smooth L1 with beta 0",
        holds: |case| matches!(&case.loss, Loss::SmoothL1Loss(options) if options.beta == 0.0),
    },
];

/// Whether the condition holds of the case; `None` where there is no such condition.
pub fn holds(name: &str, case: &Case) -> Option<bool> {
    ALL.iter().find(|condition| condition.name == name).map(|condition| (condition.holds)(case))
}

/// The weights of the target's classes, where a mean divides by some.
fn mean_weights(case: &Case) -> Option<Vec<f64>> {
    let (weight, indices) = (case.input("weight")?.to_f64(), case.input("target")?.to_indices()?);
    let ignored = ignore_index(&case.loss);
    let counted = indices.iter().filter(|&&index| Some(index) != ignored);
    let of_class = |&index: &i64| usize::try_from(index).ok().and_then(|class| weight.get(class).copied());
    let weights: Vec<f64> = counted.filter_map(of_class).collect();
    (is_mean(case) && !weights.is_empty()).then_some(weights)
}

fn ignore_index(loss: &Loss) -> Option<i64> {
    match loss {
        Loss::CrossEntropy(options) => Some(options.ignore_index),
        Loss::LinearCrossEntropy(options) => Some(options.ignored()),
        Loss::NllLoss(options) => Some(options.ignore_index),
        Loss::NllLoss2d(options) => Some(options.ignore_index),
        _ => None,
    }
}

fn label_smoothing(loss: &Loss) -> f64 {
    match loss {
        Loss::CrossEntropy(options) => options.label_smoothing,
        Loss::LinearCrossEntropy(options) => options.label_smoothing,
        _ => 0.0,
    }
}

fn is_mean(case: &Case) -> bool {
    case.loss.reduction().as_deref() == Some("mean")
}

/// The value with another reduction; nothing where there is none.
fn value_reduced_by(reduction: &str, case: &Case) -> Vec<f64> {
    value_with(&[("reduction", reduction.into())], case)
}

/// The value with some options changed; empty where the loss does not take them.
fn value_with(options: &[(&str, serde_json::Value)], case: &Case) -> Vec<f64> {
    let changed =
        options.iter().try_fold(case.loss.clone(), |loss, (name, value)| loss.with_option(name, value.clone()));
    let evaluated = changed.ok().and_then(|loss| loss.evaluate::<f64>(&Arrays::new(case), Wanted::Value).ok());
    evaluated.map_or_else(Vec::new, |evaluation| evaluation.value.into_iter().collect())
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

/// The smallest part of a gradient that is not 0: the cotangent, in a mean over the number of elements or the sum of their
/// weights (over classes where each row is a mean of them), times an element's weight, or times the probability or the count
/// that is the target; and times the slope of Huber's linear part.
fn smallest_share(case: &Case) -> f64 {
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
fn broadcast_len(case: &Case) -> usize {
    let shapes: Vec<_> = case.inputs.values().map(Tensor::shape).collect();
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let dims = (0..rank).map(|axis| shapes.iter().map(|shape| dim(shape, axis)).max().unwrap_or(1));
    dims.fold(1, usize::saturating_mul)
}

/// The elements of an input; none where it is left out.
fn elements(case: &Case, name: &str) -> Vec<f64> {
    case.input(name).map_or_else(Vec::new, Tensor::to_f64)
}

/// The size of the largest element of an input.
fn most(case: &Case, name: &str) -> f64 {
    elements(case, name).into_iter().fold(0.0, |most, x| most.max(x.abs()))
}

fn smallest_normal(case: &Case) -> f64 {
    case.dtype().format().smallest_normal()
}

fn any(case: &Case, predicate: impl Fn(f64) -> bool) -> bool {
    let floats = case.inputs.values().filter(|tensor| tensor.dtype().is_float());
    floats.chain(&case.cotangent).any(|tensor| tensor.to_f64().into_iter().any(&predicate))
}

fn extreme(dtype: DType, x: f64) -> bool {
    let (small, large) = match dtype {
        DType::F16 => (8e-3, 250.0),
        DType::BF16 | DType::F32 => (1e-18, 1e18),
        DType::F64 | DType::I64 | DType::U8 => (1e-150, 1e150),
    };
    !x.is_finite() || x.abs() > large || (x != 0.0 && x.abs() < small)
}
