//! `torch.nn.functional.smooth_l1_loss`.

use losscheck_options::SmoothL1Loss;
use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements;
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The linear part is a difference; everything else is a single term.
struct SmoothL1Scale {
    loss: SmoothL1Loss,
    smallest_normal: f64,
}

impl Pointwise<2> for SmoothL1Scale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, beta) = ((x - t).abs(), R::from_f64(self.loss.beta));
        let half = R::from_f64(0.5);
        if d == R::ZERO {
            d
        } else if d < beta {
            // A square that is subnormal has lost digits before the division.
            half * (d * d).maximum(R::from_f64(self.smallest_normal)) / beta
        } else {
            d + half * beta
        }
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (d, beta) = ((x - t).abs(), R::from_f64(self.loss.beta));
        if d < beta {
            // A subnormal difference may lose digits to the cotangent before the division by a small beta.
            let slope = cotangent.abs() * (d.maximum(R::from_f64(self.smallest_normal)) / beta);
            [slope, slope]
        } else {
            self.loss.pullback(cotangent, [x, t]).map(Real::abs)
        }
    }
}

impl LossSpec for SmoothL1Loss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        inputs.require_floats_in_any(&elements::INPUT_AND_TARGET)?;
        elements::evaluate(&Self { beta: inputs.option(self.beta), ..*self }, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = SmoothL1Scale {
            loss: Self { beta: inputs.option(self.beta), ..*self },
            smallest_normal: inputs.smallest_normal(),
        };
        elements::pair_error_scale(&terms, None, self.reduction, Denominator::Elements, inputs)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let beta =
            prop_oneof![4 => 0.01..4.0, 2 => Just(1.0), 1 => proptest::sample::select(vec![0.0, -1.0, 1e-3, 1e3])];
        let options = (beta, generate::reduction()).prop_map(|(beta, reduction)| Self { beta, reduction });
        (options, elements::regression_inputs(dtype)).boxed()
    }
}
