//! `torch.nn.functional.binary_cross_entropy`.

use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{BCELoss, Error, Real, Reduction, Wide};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements::{self, InF64};
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

/// The two logarithms, weighted by target and its complement.
struct Terms;

impl Pointwise<2> for Terms {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let highest = R::from_f64(100.0);
        (t * x.ln().abs().minimum(highest)).abs() + ((R::ONE - t) * (-x).ln_1p().abs().minimum(highest)).abs()
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let by_input = (x - t).abs() / (x * (R::ONE - x)).maximum(R::from_f64(1e-12));
        let by_target = (-x).ln_1p().abs() + x.ln().abs();
        [cotangent * by_input, cotangent * by_target]
    }
}

impl Definition for Options {
    const SIGNATURE: Signature = Signature { optional: &["weight"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        elements::evaluate(&BCELoss { weight: inputs.float("weight"), reduction: self.reduction }, inputs, wanted)
    }

    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        elements::pair_magnitudes(&InF64(Terms), inputs.float("weight"), self.reduction, Denominator::Elements, inputs)
    }

    fn unreduced(&self) -> Self {
        Self { reduction: Reduction::None }
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        let options = generate::reduction().prop_map(|reduction| Loss::BinaryCrossEntropy(Self { reduction }));
        generate::case((options, elements::weighted_inputs(dtype, &["weight"], generate::probability())))
    }
}
