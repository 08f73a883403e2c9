//! `torch.nn.functional.nll_loss`.

use losscheck_reference::{DoubleDouble, Error, NLLLoss, Real, Reduction};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classes;
use super::{Inputs, LossSpec, Outputs, Request, Signature, ValueAndGradients, generate};
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
        Self { ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl LossSpec for Options {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target"],
        differentiable: &["input"],
    };

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let weight = inputs.float("weight");
        let loss = NLLLoss { weight, ignore_index: self.ignore_index, reduction: self.reduction };
        let pair = (inputs.required("input")?, classes::indices(inputs)?);
        ValueAndGradients::of(&loss, pair, inputs, ["input"], request)
    }

    /// A row's loss is a single term, so only reductions add.
    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let terms = Self { reduction: classes::summed(self.reduction), ..self.clone() };
        let evaluation = terms.evaluate(&inputs.map(Real::abs), Outputs::Gradients.into())?;
        Ok(classes::divided(evaluation, self.reduction, classes::denominator(inputs, self.ignore_index)))
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
        let inputs = classes::inputs(dtype, generate::any_float(dtype)).prop_flat_map(|(inputs, ignore_index)| {
            generate::reduction().prop_map(move |reduction| (Self { ignore_index, reduction }, inputs.clone()))
        });
        inputs.boxed()
    }
}
