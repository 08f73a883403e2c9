//! Conditions for any loss.

use losscheck_options::Reduction;

use super::properties::{is_mean, smallest_normal, value_reduced_by};
use super::{About, Condition};
use crate::case::parts::Parts;
use crate::loss::LossKind;
use crate::tensor::{DType, Tensor};

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "empty",
        about: About::Case,
        describes: "a tensor has no elements",
        holds: |part| part.case.inputs.values().any(Tensor::is_empty),
    },
    Condition {
        name: "many_terms",
        about: About::Case,
        describes: "more than 16 losses, which a reduction adds up",
        holds: |part| Parts::new(&part.case).is_some_and(|parts| parts.len() > 16),
    },
    Condition {
        name: "sum_beyond_f16",
        about: About::Case,
        describes: "a mean in f16 of losses whose sum is out of range",
        holds: |part| {
            let case = &part.case;
            case.dtype() == DType::F16
                && is_mean(case)
                && value_reduced_by(Reduction::Sum, case).iter().any(|x| x.abs() > DType::F16.format().largest)
        },
    },
    Condition {
        name: "nonfinite_number",
        about: About::Part,
        describes: "a tensor holds NaN or an infinity",
        holds: |part| part.any(|x| !x.is_finite()),
    },
    Condition {
        name: "infinite_target",
        about: About::Part,
        describes: "a target is infinite",
        holds: |part| part.numbers("target").into_iter().any(f64::is_infinite),
    },
    Condition {
        name: "subnormal_weighted_loss",
        about: About::Case,
        describes: "a mean of weighted losses that are subnormal, or 0, and not all 0",
        holds: |part| {
            let losses = value_reduced_by(Reduction::None, &part.case);
            part.case.input("weight").is_some()
                && is_mean(&part.case)
                && losses.iter().any(|&x| x != 0.0)
                && losses.iter().all(|x| x.abs() < smallest_normal(&part.case))
        },
    },
    Condition {
        name: "subnormal_share",
        about: About::Part,
        describes: "the cotangent's share for the part, times its weight, its probability or its slope, is subnormal",
        holds: |part| {
            let least =
                |name: &str| part.numbers(name).into_iter().map(f64::abs).filter(|&x| x > 0.0).fold(1.0, f64::min);
            // The target of other losses is no factor.
            let target = match part.case.loss.kind() {
                LossKind::KlDiv | LossKind::CrossEntropy | LossKind::LinearCrossEntropy => least("target"),
                _ => 1.0,
            };
            part.cotangent() * least("weight") * target * least("pos_weight") * part.slope()
                < smallest_normal(&part.case)
        },
    },
];
