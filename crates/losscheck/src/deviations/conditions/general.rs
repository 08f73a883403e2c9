//! Conditions for any loss.

use losscheck_options::Reduction;

use super::Condition;
use super::properties::{
    any, broadcast_len, elements, extreme, is_mean, smallest_normal, smallest_share, value_reduced_by,
};
use crate::tensor::{DType, Tensor};

pub(super) const CONDITIONS: &[Condition] = &[
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
        name: "subnormal",
        describes: "a tensor holds a subnormal number",
        holds: |case| {
            let least = smallest_normal(case);
            any(case, |x| x != 0.0 && x.abs() < least)
        },
    },
    Condition {
        name: "empty",
        describes: "a tensor has no elements",
        holds: |case| case.inputs.values().any(Tensor::is_empty),
    },
    Condition {
        name: "many_terms",
        describes: "more than 16 elements, which a reduction adds up",
        holds: |case| case.inputs.values().any(|tensor| tensor.len() > 16) || broadcast_len(case) > 16,
    },
    Condition {
        name: "zero_target",
        describes: "a target of 0",
        holds: |case| elements(case, "target").contains(&0.0),
    },
    Condition {
        name: "subnormal_share",
        describes: "in f16 the cotangent's share for an element, times its weight, probability or slope, is subnormal",
        holds: |case| case.dtype() == DType::F16 && smallest_share(case) < smallest_normal(case),
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
        name: "sum_beyond_f16",
        describes: "a mean in f16 of losses whose sum is out of range",
        holds: |case| {
            case.dtype() == DType::F16
                && is_mean(case)
                && value_reduced_by(Reduction::Sum, case).iter().any(|x| x.abs() > DType::F16.format().largest)
        },
    },
];
