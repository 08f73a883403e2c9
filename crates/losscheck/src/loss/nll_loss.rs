//! `torch.nn.functional.nll_loss`.

use losscheck_options::NLLLoss;
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::classes;
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

impl LossSpec for NLLLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let weight = inputs.optional("weight")?;
        let tensors = (inputs.required("input")?, classes::indices(inputs)?, weight);
        ValueAndGradients::of(self, tensors, inputs, ["input"], request)
    }

    /// A row's loss is a single term, so only reductions add.
    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = Self { reduction: classes::summed(self.reduction), ..*self };
        let evaluation = terms.evaluate(&inputs.map(Real::abs), Outputs::Gradients.into())?;
        Ok(classes::divided(evaluation, self.reduction, classes::denominator(inputs, self.ignore_index)))
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let inputs = classes::inputs(dtype, generate::any_float(dtype)).prop_flat_map(|(inputs, ignore_index)| {
            generate::reduction().prop_map(move |reduction| (Self { ignore_index, reduction }, inputs.clone()))
        });
        inputs.boxed()
    }
}
