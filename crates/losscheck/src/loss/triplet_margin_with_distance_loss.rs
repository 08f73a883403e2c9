//! `torch.nn.functional.triplet_margin_with_distance_loss`.

use losscheck_reference::{
    DoubleDouble, Error, ManhattanDistance, PairwiseDistance, Real, Reduction, SquaredEuclideanDistance,
    TripletMarginWithDistanceLoss,
};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements::Part;
use super::triplets::{self, NAMES, PairwiseScale, SquareScale};
use super::{Inputs, LossSpec, Request, Signature, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The distance.
    pub distance_function: DistanceFunction,
    /// By how much the negative is to be farther away.
    pub margin: f64,
    /// Whether the positive may take the anchor's place.
    pub swap: bool,
    /// How the triplets' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

/// The distances that data can name; PyTorch takes any function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum DistanceFunction {
    /// `torch.nn.PairwiseDistance()`, which is the default.
    #[default]
    Pairwise,
    /// The sum of the absolute differences.
    Manhattan,
    /// The sum of the squared differences.
    SquaredEuclidean,
}

impl Default for Options {
    fn default() -> Self {
        let distance_function = DistanceFunction::default();
        Self { distance_function, margin: 1.0, swap: false, reduction: Reduction::Mean }
    }
}

impl Options {
    fn with<D>(&self, distance_function: D, margin: f64) -> TripletMarginWithDistanceLoss<D> {
        TripletMarginWithDistanceLoss { distance_function, margin, swap: self.swap, reduction: self.reduction }
    }

    fn pairwise<R: Real>(inputs: &Inputs<R>) -> PairwiseDistance {
        PairwiseDistance { p: 2.0, eps: inputs.option(1e-6) }
    }
}

impl Options {
    fn part(&self, part: Part, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let (margin, epsilon) = (inputs.option(self.margin), inputs.epsilon());
        let smallest_normal = inputs.smallest_normal();
        match self.distance_function {
            DistanceFunction::Pairwise => {
                let distance = Self::pairwise(inputs);
                let terms = PairwiseScale { distance, epsilon, smallest_normal };
                triplets::part(part, self.with(distance, margin), &terms, inputs)
            }
            DistanceFunction::Manhattan => {
                let distance = PairwiseDistance { p: 1.0, eps: 0.0 };
                let terms = PairwiseScale { distance, epsilon, smallest_normal };
                triplets::part(part, self.with(distance, margin), &terms, inputs)
            }
            DistanceFunction::SquaredEuclidean => {
                let terms = SquareScale { smallest_normal };
                triplets::part(part, self.with(SquaredEuclideanDistance, margin), &terms, inputs)
            }
        }
    }
}

impl LossSpec for Options {
    const SIGNATURE: Signature = triplets::SIGNATURE;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let tensors = (inputs.required("anchor")?, inputs.required("positive")?, inputs.required("negative")?);
        let margin = inputs.option(self.margin);
        match self.distance_function {
            DistanceFunction::Pairwise => {
                let loss = self.with(Self::pairwise(inputs), margin);
                ValueAndGradients::of(&loss, tensors, inputs, NAMES, request)
            }
            DistanceFunction::Manhattan => {
                ValueAndGradients::of(&self.with(ManhattanDistance, margin), tensors, inputs, NAMES, request)
            }
            DistanceFunction::SquaredEuclidean => {
                ValueAndGradients::of(&self.with(SquaredEuclideanDistance, margin), tensors, inputs, NAMES, request)
            }
        }
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
        let all = [DistanceFunction::Pairwise, DistanceFunction::Manhattan, DistanceFunction::SquaredEuclidean];
        let margin = prop_oneof![8 => 0.01..8.0, 4 => Just(1.0), 1 => Just(0.0), 1 => Just(-1.0)];
        let options = (proptest::sample::select(all.to_vec()), margin, any::<bool>(), generate::reduction()).prop_map(
            |(distance_function, margin, swap, reduction)| Self { distance_function, margin, swap, reduction },
        );
        (options, triplets::inputs(dtype)).boxed()
    }
}
