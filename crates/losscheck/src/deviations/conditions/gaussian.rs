//! Conditions for `gaussian_nll_loss`.

use super::properties::smallest_normal;
use super::{About, Condition};
use crate::case::parts::Part;
use crate::loss::Loss;
use crate::tensor::DType;

fn eps(part: &Part) -> f64 {
    match &part.case.loss {
        Loss::GaussianNllLoss(options) => options.eps,
        _ => 0.0,
    }
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "clamped_in_f16",
        about: About::Part,
        describes: "Gaussian in f16 with an `eps` that is subnormal there, and a variance below it, or 2 % above it, where rounding may take `eps`",
        holds: |part| {
            let eps = eps(part);
            part.case.dtype() == DType::F16 && eps < smallest_normal(&part.case) && part.number("var") < 1.02 * eps
        },
    },
    Condition {
        name: "squared_error_out_of_range",
        about: About::Part,
        describes: "Gaussian where the inverse of a variance, or the square of a difference or of its quotient by the variance, is out of range",
        holds: |part| {
            let variance = part.number("var").max(eps(part)).min(1.0);
            let difference = (part.number("input") - part.number("target")).abs();
            let largest = part.case.dtype().format().largest;
            // A few per cent to spare, for what is rounded on the way.
            difference / variance > 0.976 * largest.sqrt() || variance < 1.05 / largest
        },
    },
    Condition {
        name: "zero_variance",
        about: About::Part,
        describes: "Gaussian with a variance that is 0 or subnormal and an `eps` that does not keep it from that",
        holds: |part| eps(part).max(part.number("var")) < smallest_normal(&part.case),
    },
    Condition {
        name: "subnormal_cotangent",
        about: About::Part,
        describes: "a cotangent whose share for the element is subnormal",
        holds: |part| part.cotangent() < smallest_normal(&part.case),
    },
];
