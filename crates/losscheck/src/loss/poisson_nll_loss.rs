//! `torch.nn.functional.poisson_nll_loss`.

use losscheck_options::PoissonNLLLoss;
use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The terms of e^x - t x, or of x - t ln(x + eps), where rounding the sum is an absolute error of the logarithm; and of
/// Stirling's t ln t - t + ln(2 pi t) / 2.
struct PoissonNllScale(PoissonNLLLoss);

impl PoissonNllScale {
    /// What rounding x + eps multiplies errors by.
    fn condition<R: Real>(&self, x: R) -> R {
        let eps = R::from_f64(self.0.eps);
        if x.abs() == R::from_f64(f64::INFINITY) {
            return R::ONE;
        }
        (x.abs() + eps.abs()) / (x + eps).abs()
    }
}

impl Pointwise<2> for PoissonNllScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let terms = if self.0.log_input {
            x.exp() + (t * x).abs()
        } else {
            x.abs() + t.abs() * ((x + R::from_f64(self.0.eps)).ln().abs() + self.condition(x))
        };
        if !self.0.full || t <= R::ONE {
            return terms;
        }
        let stirling = t * t.ln() + t + R::from_f64(0.5) * (R::from_f64(2.0 * std::f64::consts::PI) * t).ln();
        terms + stirling
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (by_input, by_target) = if self.0.log_input {
            (x.exp() + t.abs(), x.abs())
        } else {
            let shifted = x + R::from_f64(self.0.eps);
            (R::ONE + (t / shifted).abs() * self.condition(x), shifted.ln().abs() + self.condition(x))
        };
        // Differentiating t ln t gives the logarithm and 1, which the derivative of -t takes away again.
        let of_stirling = t.ln().abs() + R::from_f64(2.0) + R::from_f64(0.5) / t;
        let by_target = if self.0.full && (t > R::ONE || t.is_nan()) { by_target + of_stirling } else { by_target };
        [cotangent * by_input, cotangent * by_target]
    }
}

impl LossSpec for PoissonNLLLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate(&Self { eps: inputs.option(self.eps), ..*self }, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = InF64(PoissonNllScale(Self { eps: inputs.option(self.eps), ..*self }));
        elements::pair_error_scale(&terms, None, self.reduction, Denominator::Elements, inputs)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let eps = prop_oneof![3 => Just(1e-8), 2 => 1e-6..1e-2, 1 => Just(0.0)];
        let options = (any::<bool>(), any::<bool>(), eps, generate::reduction());
        let inputs = options.prop_flat_map(move |(log_input, full, eps, reduction)| {
            let any_float = || generate::any_float(dtype);
            let rate = if log_input { (-6.0..6.0).boxed() } else { (0.001..50.0).boxed() };
            let rate = prop_oneof![10 => rate, 3 => any_float()].boxed();
            let count = prop_oneof![6 => (0..30).prop_map(f64::from), 6 => 0.1..20.0, 1 => any_float()].boxed();
            let loss = Self { log_input, full, eps, reduction };
            (Just(loss), elements::pairs(dtype, rate, count))
        });
        inputs.boxed()
    }
}
