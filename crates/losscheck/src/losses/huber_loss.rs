//! `torch.nn.functional.huber_loss`.

use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{Error, HuberLoss, Real, Reduction, Wide};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements;
use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
use crate::generate;
use crate::loss::Loss;
use crate::tensor::DType;

/// The options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Where the loss turns linear.
    pub delta: f64,
    /// How the elements' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

impl Default for Options {
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl Options {
    fn loss<'a, R: Real>(&self, inputs: &'a Arrays<R>) -> HuberLoss<'a, R> {
        HuberLoss { weight: inputs.float("weight"), delta: inputs.option(self.delta), reduction: self.reduction }
    }
}

/// The linear part is a difference; everything else is a single term.
struct Terms<'a>(HuberLoss<'a, Wide>);

impl Pointwise<2> for Terms<'_> {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, delta) = ((x - t).abs(), R::from_f64(self.0.delta));
        if d <= delta { self.0.value([x, t]) } else { delta * (d + R::from_f64(0.5) * delta) }
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; 2]) -> [R; 2] {
        self.0.pullback(cotangent, operands).map(Real::abs)
    }
}

impl Definition for Options {
    const SIGNATURE: Signature = Signature { optional: &["weight"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        elements::evaluate(&self.loss(inputs), inputs, wanted)
    }

    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        let (terms, weight) = (Terms(self.loss(inputs)), inputs.float("weight"));
        elements::pair_magnitudes(&terms, weight, self.reduction, Denominator::Elements, inputs)
    }

    fn unreduced(&self) -> Self {
        Self { reduction: Reduction::None, ..self.clone() }
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        let delta =
            prop_oneof![4 => 0.01..4.0, 2 => Just(1.0), 1 => proptest::sample::select(vec![0.0, -1.0, 1e-3, 1e3])];
        let options =
            (delta, generate::reduction()).prop_map(|(delta, reduction)| Loss::HuberLoss(Self { delta, reduction }));
        generate::case((options, elements::weighted_regression_inputs(dtype)))
    }
}
