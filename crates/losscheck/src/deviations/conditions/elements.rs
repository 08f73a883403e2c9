//! Conditions for the other losses of single elements.

use super::Condition;
use super::properties::{elements, smallest_normal, smallest_share};
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "saturated_logit",
        describes: "a logit beyond 5, where 1 - sigmoid has lost digits",
        holds: |case| elements(case, "input").into_iter().any(|x| x.abs() > 5.0 || x.is_nan()),
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
