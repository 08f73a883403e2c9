//! Conditions for `gaussian_nll_loss`.

use super::Condition;
use super::properties::{elements, most, smallest_normal};
use crate::loss::Loss;
use crate::tensor::DType;

pub(super) const CONDITIONS: &[Condition] = &[
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
            let end = case.dtype().format().largest;
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
];
