//! `torch.nn.functional.l1_loss`.

use losscheck_options::L1Loss;
use losscheck_reference::pointwise::Denominator;
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::elements::{self, Single};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

impl LossSpec for L1Loss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::refuse_integers_alone(inputs, self.reduction)?;
        elements::evaluate_weighted(self, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = Single(L1Loss::default());
        elements::pair_error_scale(&terms, inputs.float("weight"), self.reduction, Denominator::Weights, inputs)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        (options, elements::weighted_regression_inputs(dtype)).boxed()
    }
}
