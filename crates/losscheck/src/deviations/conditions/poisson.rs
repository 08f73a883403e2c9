//! Conditions for `poisson_nll_loss`.

use super::Condition;
use super::properties::{elements, most, smallest_normal, smallest_share};
use crate::judge::rules::near_largest;
use crate::loss::Loss;
use crate::tensor::DType;

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "exponential_overflow",
        describes: "the product of an input and a target has an exponential that, times the target, is out of range",
        holds: |case| {
            let target = most(case, "target");
            most(case, "input") * target + target.max(1.0).ln() > case.dtype().format().largest.ln()
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
            let end = case.dtype().format().largest.ln();
            matches!(&case.loss, Loss::PoissonNllLoss(options) if options.log_input)
                && input.shape() != target.shape()
                && input.to_f64().into_iter().any(|x| x.is_nan() || x > end)
        },
    },
    Condition {
        name: "subnormal_count",
        describes: "Poisson with `log_input` off and a count that is subnormal, or is once the cotangent's share multiplies it",
        holds: |case| {
            matches!(&case.loss, Loss::PoissonNllLoss(options) if !options.log_input)
                && smallest_share(case) < smallest_normal(case)
        },
    },
];
