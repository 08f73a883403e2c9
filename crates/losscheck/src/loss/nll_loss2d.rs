//! `torch.nn.NLLLoss2d`, the deprecated name of `NLLLoss`.

use losscheck_reference::{DoubleDouble, Error, Real, Reduction};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nll_loss;
use super::{Inputs, LossSpec, Request, Signature, ValueAndGradients};
use crate::tensor::{DType, Tensors};

/// The options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Rows with this target count for nothing.
    pub ignore_index: i64,
    /// How the rows' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

impl Default for Options {
    fn default() -> Self {
        nll_loss::Options::default().into()
    }
}

impl From<nll_loss::Options> for Options {
    fn from(nll_loss::Options { ignore_index, reduction }: nll_loss::Options) -> Self {
        Self { ignore_index, reduction }
    }
}

impl Options {
    /// The same by its other name.
    pub fn nll_loss(&self) -> nll_loss::Options {
        nll_loss::Options { ignore_index: self.ignore_index, reduction: self.reduction }
    }
}

impl LossSpec for Options {
    const SIGNATURE: Signature = nll_loss::Options::SIGNATURE;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        self.nll_loss().evaluate(inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        self.nll_loss().error_scale(inputs)
    }

    fn reduction(&self) -> Option<&'static str> {
        Some(self.reduction.name())
    }

    fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
        Some(Self { reduction, ..self.clone() })
    }

    fn ignore_index(&self) -> Option<i64> {
        Some(self.ignore_index)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        nll_loss::Options::generate(dtype).prop_map(|(options, tensors)| (options.into(), tensors)).boxed()
    }
}
