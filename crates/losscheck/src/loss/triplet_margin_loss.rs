//! `torch.nn.functional.triplet_margin_loss`.

use losscheck_reference::{
    DoubleDouble, Error, PairwiseDistance, Real, Reduction, TripletMarginLoss, TripletMarginWithDistanceLoss,
};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements::Part;
use super::triplets::{self, NAMES, PairwiseScale};
use super::{Inputs, LossSpec, Request, Signature, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// By how much the negative is to be farther away.
    pub margin: f64,
    /// The degree of the norm.
    #[serde(with = "super::number")]
    #[schemars(schema_with = "super::number::schema")]
    pub p: f64,
    /// What is added to each difference.
    pub eps: f64,
    /// Whether the positive may take the anchor's place.
    pub swap: bool,
    /// How the triplets' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

impl Default for Options {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl Options {
    fn part(&self, part: Part, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let distance = PairwiseDistance { p: self.p, eps: inputs.option(self.eps) };
        let loss = TripletMarginWithDistanceLoss {
            distance_function: distance,
            margin: inputs.option(self.margin),
            swap: self.swap,
            reduction: self.reduction,
        };
        let smallest_normal = inputs.smallest_normal();
        let terms = PairwiseScale { distance, epsilon: inputs.epsilon(), smallest_normal };
        triplets::part(part, loss, &terms, inputs)
    }
}

impl LossSpec for Options {
    const SIGNATURE: Signature = triplets::SIGNATURE;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let loss = TripletMarginLoss {
            margin: inputs.option(self.margin),
            p: self.p,
            eps: inputs.option(self.eps),
            swap: self.swap,
            reduction: self.reduction,
        };
        let tensors = (inputs.required("anchor")?, inputs.required("positive")?, inputs.required("negative")?);
        ValueAndGradients::of(&loss, tensors, inputs, NAMES, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        self.part(Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        self.part(Part::Jump, inputs).map(Some)
    }

    fn reduction(&self) -> Option<&'static str> {
        Some(self.reduction.name())
    }

    fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
        Some(Self { reduction, ..self.clone() })
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let p = prop_oneof![4 => Just(2.0), 2 => Just(1.0), 1 => Just(3.0), 1 => Just(1.5), 1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY)];
        let eps = prop_oneof![3 => Just(1e-6), 1 => Just(0.01), 1 => Just(0.0)];
        let margin = prop_oneof![8 => 0.01..8.0, 4 => Just(1.0), 1 => Just(0.0), 1 => Just(-1.0)];
        let options = (margin, p, eps, any::<bool>(), generate::reduction())
            .prop_map(|(margin, p, eps, swap, reduction)| Self { margin, p, eps, swap, reduction });
        (options, triplets::inputs(dtype)).boxed()
    }
}
