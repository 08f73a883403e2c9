//! `torch.nn.NLLLoss2d`, the deprecated name of `NLLLoss`.

use losscheck_reference::{Error, Real, Reduction, Wide};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nll_loss;
use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
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

impl Definition for Options {
    const SIGNATURE: Signature = nll_loss::Options::SIGNATURE;

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        self.nll_loss().evaluate(inputs, wanted)
    }

    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        self.nll_loss().magnitudes(inputs)
    }

    fn unreduced(&self) -> Self {
        self.nll_loss().unreduced().into()
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        nll_loss::Options::cases(dtype)
            .prop_map(|case| match case.loss {
                Loss::NllLoss(options) => Case { loss: Loss::NllLoss2d(options.into()), ..case },
                _ => case,
            })
            .boxed()
    }
}
