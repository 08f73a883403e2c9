//! `torch.nn.functional.kl_div`.

use losscheck_options::{KLDivLoss, KLDivReduction, Reduction};
use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// PyTorch documents the difference t ln t - t x, or with `log_target` e^t (t - x).
struct KlDivScale {
    log_target: bool,
    smallest_normal: f64,
}

impl Pointwise<2> for KlDivScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        if self.log_target {
            return t.exp().maximum(R::from_f64(self.smallest_normal)) * (t.abs() + x.abs());
        }
        let product = (t * x).abs();
        if t == R::ZERO { product } else { (t * t.ln()).abs() + product }
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (by_input, by_target) = if self.log_target {
            let probability = t.exp().maximum(R::from_f64(self.smallest_normal));
            (probability, probability * (t.abs() + x.abs() + R::ONE))
        } else {
            (t.abs(), t.ln().abs() + x.abs() + R::ONE)
        };
        [cotangent * by_input, cotangent * by_target]
    }
}

fn reduction_and_denominator(options: &KLDivLoss, inputs: &Inputs<DoubleDouble>) -> (Reduction, Denominator) {
    let batch = || inputs.float("input").and_then(|input| input.shape().first().copied()).unwrap_or(1);
    match options.reduction {
        KLDivReduction::None => (Reduction::None, Denominator::Elements),
        KLDivReduction::Mean => (Reduction::Mean, Denominator::Elements),
        KLDivReduction::BatchMean => (Reduction::Mean, Denominator::Number(batch() as f64)),
        KLDivReduction::Sum => (Reduction::Sum, Denominator::Elements),
    }
}

impl LossSpec for KLDivLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate(self, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = InF64(KlDivScale { log_target: self.log_target, smallest_normal: inputs.smallest_normal() });
        let (reduction, denominator) = reduction_and_denominator(self, inputs);
        elements::pair_error_scale(&terms, None, reduction, denominator, inputs)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let reduction = || proptest::sample::select(KLDivReduction::ALL.as_slice());
        let log = || prop_oneof![10 => -20.0..0.0, 4 => generate::any_float(dtype)].boxed();
        let probability =
            prop_oneof![20 => 0.001..1.0, 3 => Just(0.0), 1 => Just(1.0), 1 => generate::any_float(dtype)];
        let plain = (elements::pairs(dtype, log(), probability.boxed()), reduction())
            .prop_map(|(inputs, reduction)| (Self { log_target: false, reduction }, inputs));
        let logarithmic = (elements::pairs(dtype, log(), log()), reduction())
            .prop_map(|(inputs, reduction)| (Self { log_target: true, reduction }, inputs));
        prop_oneof![plain, logarithmic].boxed()
    }
}
