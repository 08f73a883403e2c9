//! `torch.nn.functional.binary_cross_entropy`.

use losscheck_options::BCELoss;
use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The two logarithms, weighted by target and its complement.
struct BinaryCrossEntropyScale;

impl Pointwise<2> for BinaryCrossEntropyScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let highest = R::from_f64(100.0);
        (t * x.ln().abs().minimum(highest)).abs() + ((R::ONE - t) * (-x).ln_1p().abs().minimum(highest)).abs()
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let by_input = (x - t).abs() / (x * (R::ONE - x)).maximum(R::from_f64(1e-12));
        let by_target = (-x).ln_1p().abs() + x.ln().abs();
        [cotangent * by_input, cotangent * by_target]
    }
}

impl LossSpec for BCELoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate_weighted(self, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        elements::pair_error_scale(
            &InF64(BinaryCrossEntropyScale),
            inputs.float("weight"),
            self.reduction,
            Denominator::Elements,
            inputs,
        )
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        (options, elements::weighted_inputs(dtype, &["weight"], generate::probability())).boxed()
    }
}
