//! `torch.nn.NLLLoss2d`, the deprecated name of `NLLLoss`.

use losscheck_options::{NLLLoss, NLLLoss2d};
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::{Inputs, LossSpec, Request, ValueAndGradients};
use crate::tensor::{DType, Tensors};

impl LossSpec for NLLLoss2d {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        NLLLoss::from(*self).evaluate(inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        NLLLoss::from(*self).error_scale(inputs)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        NLLLoss::generate(dtype).prop_map(|(options, tensors)| (options.into(), tensors)).boxed()
    }
}
