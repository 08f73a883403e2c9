//! `torch.nn.functional.l1_loss`.

use losscheck_reference::pointwise::Denominator;
use losscheck_reference::{DoubleDouble, Error, L1Loss, Real, Reduction};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements::{self, Single};
use super::{Inputs, LossSpec, Request, Signature, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How the elements' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

impl LossSpec for Options {
    const SIGNATURE: Signature = Signature { optional: &["weight"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate(&L1Loss { weight: inputs.float("weight"), reduction: self.reduction }, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = Single(L1Loss::<DoubleDouble>::default());
        elements::pair_error_scale(&terms, inputs.float("weight"), self.reduction, Denominator::Weights, inputs)
    }

    fn reduction(&self) -> Option<&'static str> {
        Some(self.reduction.name())
    }

    fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
        Some(Self { reduction })
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        (options, elements::weighted_regression_inputs(dtype)).boxed()
    }
}
