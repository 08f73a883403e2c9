//! `torch.nn.functional.nll_loss`.

use losscheck_reference::{Error, NLLLoss, Real, Reduction, Wide};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classes;
use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
use crate::generate;
use crate::loss::Loss;
use crate::tensor::DType;

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

impl Definition for Options {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target"],
        differentiable: &["input"],
    };

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        let weight = inputs.float("weight");
        let loss = NLLLoss { weight, ignore_index: self.ignore_index, reduction: self.reduction };
        let pair = (inputs.required("input")?, classes::indices(inputs)?);
        Evaluation::of(&loss, pair, inputs, ["input"], wanted)
    }

    /// A row's loss is a single term, so only reductions add.
    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        let terms = Self { reduction: classes::summed(self.reduction), ..self.clone() };
        let evaluation = terms.evaluate(&inputs.map(Real::abs), Wanted::Gradients)?;
        Ok(classes::divided(evaluation, self.reduction, classes::denominator(inputs, self.ignore_index)))
    }

    fn unreduced(&self) -> Self {
        Self { reduction: Reduction::None, ..self.clone() }
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        let inputs = classes::inputs(dtype, generate::any_float(dtype)).prop_flat_map(|(inputs, ignore_index)| {
            generate::reduction()
                .prop_map(move |reduction| (Loss::NllLoss(Self { ignore_index, reduction }), inputs.clone()))
        });
        generate::case(inputs)
    }
}
