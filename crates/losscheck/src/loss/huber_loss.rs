//! `torch.nn.functional.huber_loss`.

use losscheck_reference::pointwise::{Denominator, Pointwise};
use losscheck_reference::{DoubleDouble, Error, HuberLoss, Real, Reduction};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements;
use super::{Inputs, LossSpec, Request, Signature, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

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
    fn loss<'a, R: Real>(&self, inputs: &'a Inputs<R>) -> HuberLoss<'a, R> {
        HuberLoss { weight: inputs.float("weight"), delta: inputs.option(self.delta), reduction: self.reduction }
    }
}

/// The linear part is a difference; everything else is a single term.
struct HuberScale<'a>(HuberLoss<'a, DoubleDouble>);

impl Pointwise<2> for HuberScale<'_> {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, delta) = ((x - t).abs(), R::from_f64(self.0.delta));
        if d <= delta { self.0.value([x, t]) } else { delta * (d + R::from_f64(0.5) * delta) }
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; 2]) -> [R; 2] {
        self.0.pullback(cotangent, operands).map(Real::abs)
    }
}

impl LossSpec for Options {
    const SIGNATURE: Signature = Signature { optional: &["weight"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate(&self.loss(inputs), inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let (terms, weight) = (HuberScale(self.loss(inputs)), inputs.float("weight"));
        elements::pair_error_scale(&terms, weight, self.reduction, Denominator::Elements, inputs)
    }

    fn reduction(&self) -> Option<&'static str> {
        Some(self.reduction.name())
    }

    fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
        Some(Self { reduction, ..self.clone() })
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let delta =
            prop_oneof![4 => 0.01..4.0, 2 => Just(1.0), 1 => proptest::sample::select(vec![0.0, -1.0, 1e-3, 1e3])];
        let options = (delta, generate::reduction()).prop_map(|(delta, reduction)| Self { delta, reduction });
        (options, elements::weighted_regression_inputs(dtype)).boxed()
    }
}
