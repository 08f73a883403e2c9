//! Conditions for `poisson_nll_loss`.

use losscheck_options::PoissonNLLLoss;

use super::properties::{elements, smallest_normal};
use super::{About, Condition};
use crate::case::parts::Part;
use crate::judge::rules::near_largest;
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};

/// The options, if they make the input a rate.
fn rate(part: &Part) -> Option<&PoissonNLLLoss> {
    match &part.case.loss {
        Loss::PoissonNllLoss(options) if !options.log_input => Some(options),
        _ => None,
    }
}

/// Returns whether elements of a tensor are repeated, or left out, to fit another one.
fn is_broadcast(tensor: &Tensor, to: &Tensor) -> bool {
    let own = tensor.shape().iter().rev().chain(std::iter::repeat(&1));
    own.zip(to.shape().iter().rev()).any(|(&own, &to)| to != 1 && own != to)
}

/// Returns whether eps, rounded to 16 bits, may make 0 of an input.
fn is_minus_eps(options: &PoissonNLLLoss, dtype: DType, input: f64) -> bool {
    // An eps of 0 is not rounded.
    let is_rounded = matches!(dtype, DType::F16 | DType::BF16) && options.eps != 0.0;
    is_rounded && (input + options.eps).abs() <= options.eps / 128.0
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "stirling_of_no_count",
        about: About::Part,
        describes: "Poisson with `full` and a target that has no finite logarithm",
        holds: |part| {
            let has_none = |t: f64| t <= 0.0 || !t.is_finite();
            matches!(&part.case.loss, Loss::PoissonNllLoss(options) if options.full) && has_none(part.number("target"))
        },
    },
    Condition {
        name: "stirling_of_nothing",
        about: About::Case,
        describes: "Poisson with `full` and a target that broadcasts to nothing",
        holds: |part| {
            matches!(&part.case.loss, Loss::PoissonNllLoss(options) if options.full)
                && part.case.inputs.values().any(Tensor::is_empty)
        },
    },
    Condition {
        name: "rate_below_f16",
        about: About::Part,
        describes: "Poisson with `log_input` off and a rate in f16 below 1e-4, beside an `eps` that f16 rounds to 0",
        holds: |part| {
            let is_lost = |options: &PoissonNLLLoss| options.eps != 0.0 && DType::F16.round(options.eps) == 0.0;
            part.case.dtype() == DType::F16 && rate(part).is_some_and(is_lost) && part.number("input").abs() < 1e-4
        },
    },
    Condition {
        name: "rate_of_minus_eps",
        about: About::Part,
        describes: "Poisson in 16 bits with `log_input` off and a rate that eps brings next to 0",
        holds: |part| rate(part).is_some_and(|options| is_minus_eps(options, part.case.dtype(), part.number("input"))),
    },
    Condition {
        name: "broadcast_rate_near_zero",
        about: About::Case,
        describes: "Poisson with `log_input` off and a rate, for several targets or none, that is 0, NaN or so small that a quotient by it overflows, or that eps brings next to 0 in 16 bits",
        holds: |part| {
            let (Some(input), Some(target)) = (part.case.input("input"), part.case.input("target")) else {
                return false;
            };
            let Some(options) = rate(part) else { return false };
            let most = elements(&part.case, "target").into_iter().fold(1.0, |most: f64, t| most.max(t.abs()));
            let end = near_largest(part.case.dtype());
            let is_near_0 = |x: f64| {
                x.is_nan() || most / (x + options.eps).abs() > end || is_minus_eps(options, part.case.dtype(), x)
            };
            is_broadcast(input, target) && input.to_f64().into_iter().any(is_near_0)
        },
    },
    Condition {
        name: "broadcast_exponential_overflow",
        about: About::Case,
        describes: "Poisson with `log_input` and an input, for several targets or none, that is NaN or whose exponential is out of range",
        holds: |part| {
            let (Some(input), Some(target)) = (part.case.input("input"), part.case.input("target")) else {
                return false;
            };
            let end = part.case.dtype().format().largest.ln();
            matches!(&part.case.loss, Loss::PoissonNllLoss(options) if options.log_input)
                && is_broadcast(input, target)
                && input.to_f64().into_iter().any(|x| x.is_nan() || x > end)
        },
    },
    Condition {
        name: "subnormal_count",
        about: About::Part,
        describes: "Poisson with `log_input` off and a count other than 0 that is subnormal, or is once the cotangent's share multiplies it",
        holds: |part| {
            let count = part.number("target").abs();
            rate(part).is_some()
                && count > 0.0
                && count.min(1.0) * part.cotangent().min(1.0) < smallest_normal(&part.case)
        },
    },
];
