//! `torch.nn.functional.huber_loss`.

use losscheck_options::HuberLoss;
use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements;
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The linear part is a difference; everything else is a single term.
struct HuberScale(HuberLoss);

impl Pointwise<2> for HuberScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, delta) = ((x - t).abs(), R::from_f64(self.0.delta));
        if d <= delta { self.0.value([x, t]) } else { delta * (d + R::from_f64(0.5) * delta) }
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; 2]) -> [R; 2] {
        self.0.pullback(cotangent, operands).map(Real::abs)
    }
}

impl LossSpec for HuberLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate_weighted(&Self { delta: inputs.option(self.delta), ..*self }, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let (terms, weight) = (HuberScale(Self { delta: inputs.option(self.delta), ..*self }), inputs.float("weight"));
        elements::pair_error_scale(&terms, weight, self.reduction, Denominator::Elements, inputs)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let delta =
            prop_oneof![4 => 0.01..4.0, 2 => Just(1.0), 1 => proptest::sample::select(vec![0.0, -1.0, 1e-3, 1e3])];
        let options = (delta, generate::reduction()).prop_map(|(delta, reduction)| Self { delta, reduction });
        (options, elements::weighted_regression_inputs(dtype)).boxed()
    }
}
