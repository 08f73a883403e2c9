//! `torch.nn.functional.mse_loss`.

use losscheck_reference::pointwise::Denominator;
use losscheck_reference::{Error, MSELoss, Real, Reduction, Wide};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements::{self, Single};
use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
use crate::generate;
use crate::loss::Loss;
use crate::tensor::DType;

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How the elements' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

impl Definition for Options {
    const SIGNATURE: Signature = Signature { optional: &["weight"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        elements::evaluate(&MSELoss { weight: inputs.float("weight"), reduction: self.reduction }, inputs, wanted)
    }

    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        let terms = Single(MSELoss::<Wide>::default());
        elements::pair_magnitudes(&terms, inputs.float("weight"), self.reduction, Denominator::Weights, inputs)
    }

    fn unreduced(&self) -> Self {
        Self { reduction: Reduction::None }
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        let options = generate::reduction().prop_map(|reduction| Loss::MseLoss(Self { reduction }));
        generate::case((options, elements::weighted_regression_inputs(dtype)))
    }
}
