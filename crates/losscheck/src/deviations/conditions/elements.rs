//! Conditions for the losses of single elements, each of which is a part of the case.

use super::properties::{compute_format, smallest_normal};
use super::{About, Condition};
use crate::case::parts::Part;
use crate::loss::Loss;
use crate::tensor::DType;

/// The difference of an element and its target.
fn difference(part: &Part) -> f64 {
    (part.number("input") - part.number("target")).abs()
}

/// Returns whether the target holds the logarithms of probabilities.
fn has_log_target(part: &Part) -> bool {
    matches!(&part.case.loss, Loss::KlDiv(options) if options.log_target)
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "certain_probability_in_f16",
        about: About::Part,
        describes: "a probability p in f16 for which the weight, or 1, divided by p (1 - p) is out of range",
        holds: |part| {
            let p = part.number("input");
            let weight = part.numbers("weight").first().map_or(1.0, |weight| weight.abs().max(1.0));
            let cotangent = part.cotangents.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
            let largest = 0.9 * DType::F16.format().largest;
            part.case.dtype() == DType::F16 && p * (1.0 - p) * largest < weight * cotangent
        },
    },
    Condition {
        name: "floored_slope",
        about: About::Part,
        describes: "BCE in f64 with a probability p for which p (1 - p) is below its floor of 1e-12",
        holds: |part| {
            let p = part.number("input");
            part.case.dtype() == DType::F64 && p * (1.0 - p) < 1e-12
        },
    },
    Condition {
        name: "subnormal_difference",
        about: About::Part,
        describes: "a difference of input and target that is subnormal once the cotangent's share multiplies it, and below the beta of smooth L1",
        holds: |part| {
            // From beta on the slope is 1, and nothing multiplies the difference.
            let is_linear = matches!(&part.case.loss, Loss::SmoothL1Loss(options) if difference(part) >= options.beta);
            !is_linear && difference(part) * part.cotangent() < smallest_normal(&part.case)
        },
    },
    Condition {
        name: "subnormal_smooth_slope",
        about: About::Part,
        describes: "smooth L1 in f16 with a difference below beta, whose quotient by beta is subnormal once the cotangent's share multiplies it",
        holds: |part| {
            let is_subnormal = |beta: f64| {
                difference(part) < beta && difference(part) / beta * part.cotangent() < smallest_normal(&part.case)
            };
            part.case.dtype() == DType::F16
                && matches!(&part.case.loss, Loss::SmoothL1Loss(options) if is_subnormal(options.beta))
        },
    },
    Condition {
        name: "subnormal_difference_in_bf16",
        about: About::Part,
        describes: "in bf16, a difference of input and target that is subnormal once the cotangent's share multiplies it",
        holds: |part| {
            part.case.dtype() == DType::BF16 && difference(part) * part.cotangent() < smallest_normal(&part.case)
        },
    },
    Condition {
        name: "infinite_logit",
        about: About::Part,
        describes: "an infinite logit",
        holds: |part| part.number("input").is_infinite(),
    },
    Condition {
        name: "infinite_weight_or_target",
        about: About::Part,
        describes: "a target, weight or `pos_weight` that is infinite",
        holds: |part| {
            let names = ["target", "weight", "pos_weight"].into_iter();
            names.flat_map(|name| part.numbers(name)).any(f64::is_infinite)
        },
    },
    Condition {
        name: "subnormal_sigmoid",
        about: About::Part,
        describes: "a logit x for which e^-x is out of range",
        holds: |part| -part.number("input") > compute_format(part.case.dtype()).largest.ln(),
    },
    Condition {
        name: "subnormal_slope_in_bf16",
        about: About::Part,
        describes: "a logit in bf16 whose sigmoid differs from the target by less than the smallest normal number, once the cotangent's share multiplies the difference",
        holds: |part| {
            let sigmoid = 1.0 / (1.0 + (-part.number("input")).exp());
            part.case.dtype() == DType::BF16
                && (sigmoid - part.number("target")).abs() * part.cotangent() < smallest_normal(&part.case)
        },
    },
    Condition {
        name: "saturated_sigmoid",
        about: About::Part,
        describes: "a logit whose sigmoid rounds to 0 or 1, or a logit or target that is not finite",
        holds: |part| {
            let (x, format) = (part.number("input"), part.case.dtype().format());
            let rounds_to_1 = x > f64::from(format.precision) * std::f64::consts::LN_2 - 0.01;
            rounds_to_1 || -x > format.largest.ln() || !x.is_finite() || !part.number("target").is_finite()
        },
    },
    Condition {
        name: "nan_difference",
        about: About::Part,
        describes: "a difference of input and target that is NaN",
        holds: |part| difference(part).is_nan(),
    },
    Condition {
        name: "small_logit",
        about: About::Part,
        describes: "a logit within 1 of 0, where the logarithms of sigmoid and 1 - sigmoid are almost the same",
        holds: |part| part.number("input").abs() <= 1.0,
    },
    Condition {
        name: "lossy_sigmoid",
        about: About::Part,
        describes: "a logit beyond 1, of which 1 - sigmoid has lost digits",
        holds: |part| part.number("input").abs() > 1.0,
    },
    Condition {
        name: "square_out_of_range",
        about: About::Part,
        describes: "a difference of input and target whose square is out of range",
        // What is rounded on the way may leave the range a little earlier.
        holds: |part| difference(part) > 0.98 * part.case.dtype().format().largest.sqrt(),
    },
    Condition {
        name: "overflowing_exponential",
        about: About::Part,
        describes: "an input times its target has an exponential that is out of range, by itself or times the target",
        holds: |part| {
            let target = part.number("target");
            let exponent = -part.number("input") * target + target.abs().max(1.0).ln();
            exponent > part.case.dtype().format().largest.ln() - 0.01
        },
    },
    Condition {
        name: "underflowing_product",
        about: About::Part,
        describes: "a hinge without margin of a label times a difference, neither of them 0, whose product rounds to 0",
        holds: |part| {
            let (difference, label) = ((part.number("input1") - part.number("input2")).abs(), part.number("target"));
            let smallest = part.case.dtype().format().ulp(0.0);
            matches!(&part.case.loss, Loss::MarginRankingLoss(options) if options.margin == 0.0)
                && difference > 0.0
                && label != 0.0
                && (difference * label).abs() <= smallest / 2.0
        },
    },
    Condition {
        name: "broadcast_target_without_logarithm",
        about: About::Case,
        describes: "a probability, without `log_target`, for several inputs that is negative or NaN",
        holds: |part| {
            let (Some(input), Some(target)) = (part.case.input("input"), part.case.input("target")) else {
                return false;
            };
            !has_log_target(part)
                && input.len() > target.len()
                && target.to_f64().into_iter().any(|t| t.is_nan() || t < 0.0)
        },
    },
    Condition {
        name: "zero_target",
        about: About::Part,
        describes: "a probability of 0 in the target, without `log_target`",
        holds: |part| !has_log_target(part) && part.number("target") == 0.0,
    },
    Condition {
        name: "invalid_delta",
        about: About::Case,
        describes: "Huber with a delta that is not positive",
        holds: |part| matches!(&part.case.loss, Loss::HuberLoss(options) if options.delta <= 0.0 || options.delta.is_nan()),
    },
    Condition {
        name: "zero_beta_at_target",
        about: About::Part,
        describes: "smooth L1 with beta 0 and a difference of 0",
        holds: |part| {
            matches!(&part.case.loss, Loss::SmoothL1Loss(options) if options.beta == 0.0) && difference(part) == 0.0
        },
    },
];
