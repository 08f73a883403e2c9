//! `torch.nn.functional.soft_margin_loss`.

use losscheck_options::SoftMarginLoss;
use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// PyTorch documents ln(1 + e^z) with z = -t x: rounding z is a relative error of |z| in the exponential.
struct SoftMarginScale {
    smallest_normal: f64,
}

impl SoftMarginScale {
    fn sigmoid<R: Real>(&self, z: R) -> R {
        let decay = (-z.abs()).exp();
        let numerator = if z > R::ZERO { R::ONE } else { decay };
        (numerator / (R::ONE + decay)).maximum(R::from_f64(self.smallest_normal))
    }
}

impl Pointwise<2> for SoftMarginScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let z = -(t * x);
        z.maximum(R::ZERO) + (-z.abs()).exp().ln_1p() + z.abs() * self.sigmoid(z)
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let z = -(t * x);
        [cotangent * t.abs() * self.sigmoid(z) * (R::ONE + z.abs() * self.sigmoid(-z)), R::ZERO]
    }
}

impl LossSpec for SoftMarginLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let pair = (inputs.required("input")?, inputs.required("target")?);
        ValueAndGradients::of(self, pair, inputs, ["input"], request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let operands = [inputs.required("input")?, inputs.required("target")?];
        let terms = InF64(SoftMarginScale { smallest_normal: inputs.smallest_normal() });
        let elements = Elements::unweighted(operands, self.reduction);
        elements::error_scale(&terms, elements, ["input"], inputs.cotangent())
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        (options, elements::pairs(dtype, generate::any_float(dtype), elements::sign())).boxed()
    }
}
