//! `torch.nn.functional.binary_cross_entropy_with_logits`.

use losscheck_options::BCEWithLogitsLoss;
use losscheck_reference::pointwise::{Denominator, Elements, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// PyTorch documents (1 - t) x - (1 + (pos_weight - 1) t) ln sigmoid(x), and the gradient as the difference of a sigmoid
/// and the target.
pub(super) struct BinaryCrossEntropyWithLogitsScale {
    pub(super) smallest_normal: f64,
}

impl BinaryCrossEntropyWithLogitsScale {
    // Inlined so that both are compiled for the instructions that their caller is compiled for.
    #[inline(always)]
    fn minus_ln_sigmoid<R: Real>(&self, x: R) -> R {
        let magnitude = (-x).maximum(R::ZERO) + (-x.abs()).exp().ln_1p();
        magnitude.maximum(R::from_f64(self.smallest_normal))
    }

    #[inline(always)]
    fn sigmoid<R: Real>(&self, x: R) -> R {
        (-self.minus_ln_sigmoid(x)).exp().maximum(R::from_f64(self.smallest_normal))
    }
}

/// Logit, target, weight of the positive part.
impl Pointwise<3> for BinaryCrossEntropyWithLogitsScale {
    fn value<R: Real>(&self, [x, t, pos_weight]: [R; 3]) -> R {
        let factor = R::ONE + ((pos_weight - R::ONE) * t).abs();
        ((R::ONE - t) * x).abs() + factor * self.minus_ln_sigmoid(x)
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t, pos_weight]: [R; 3]) -> [R; 3] {
        let sigmoid = self.sigmoid(x);
        let factor = R::ONE + ((pos_weight - R::ONE) * t).abs();
        let by_input = (pos_weight * t).abs() + factor * sigmoid;
        let by_target = (pos_weight * self.minus_ln_sigmoid(x)).abs() + self.minus_ln_sigmoid(-x);
        [cotangent * by_input, cotangent * by_target, R::ZERO]
    }
}

/// Without a weight the target's gradient is the logit, a single term.
impl Pointwise<2> for BinaryCrossEntropyWithLogitsScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        self.value([x, t, R::ONE])
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let [by_input, ..] = self.pullback(cotangent, [x, t, R::ONE]);
        [by_input, cotangent * x.abs()]
    }
}

impl LossSpec for BCEWithLogitsLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let (weight, pos_weight) = (inputs.optional("weight")?, inputs.optional("pos_weight")?);
        let tensors = (inputs.required("input")?, inputs.required("target")?, weight, pos_weight);
        ValueAndGradients::of(self, tensors, inputs, elements::INPUT_AND_TARGET, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let weight = inputs.float("weight");
        let terms = InF64(BinaryCrossEntropyWithLogitsScale { smallest_normal: inputs.smallest_normal() });
        let Some(pos_weight) = inputs.float("pos_weight") else {
            return elements::pair_error_scale(&terms, weight, self.reduction, Denominator::Elements, inputs);
        };
        let operands = [inputs.required("input")?, inputs.required("target")?, pos_weight];
        let elements = Elements { operands, weight, reduction: self.reduction, denominator: Denominator::Elements };
        elements::error_scale(&terms, elements, elements::INPUT_AND_TARGET, inputs.cotangent())
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        (options, elements::weighted_inputs(dtype, &["weight", "pos_weight"], generate::any_float(dtype))).boxed()
    }
}
