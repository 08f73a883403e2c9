//! `torch.nn.functional.triplet_margin_with_distance_loss`.

use losscheck_options::{DistanceFunction, TripletMarginWithDistanceLoss};
use losscheck_reference::{DoubleDouble, Error, ManhattanDistance, PairwiseDistance, Real, SquaredEuclideanDistance};
use proptest::prelude::*;

use super::elements::Part;
use super::triplets::{self, NAMES, PairwiseScale, SquareScale};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

fn with<D>(
    options: &TripletMarginWithDistanceLoss,
    distance_function: D,
    margin: f64,
) -> TripletMarginWithDistanceLoss<D> {
    TripletMarginWithDistanceLoss { distance_function, margin, swap: options.swap, reduction: options.reduction }
}

fn pairwise<R: Real>(inputs: &Inputs<R>) -> PairwiseDistance {
    PairwiseDistance { p: 2.0, eps: inputs.option(1e-6) }
}

fn part(
    options: &TripletMarginWithDistanceLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let margin = inputs.option(options.margin);
    match options.distance_function {
        DistanceFunction::Pairwise => {
            let distance = pairwise(inputs);
            let terms = PairwiseScale::new(distance, inputs);
            triplets::part(part, with(options, distance, margin), &terms, inputs)
        }
        DistanceFunction::Manhattan => {
            let distance = PairwiseDistance { p: 1.0, eps: 0.0 };
            let terms = PairwiseScale::new(distance, inputs);
            triplets::part(part, with(options, distance, margin), &terms, inputs)
        }
        DistanceFunction::SquaredEuclidean => {
            let terms = SquareScale { smallest_normal: inputs.smallest_normal() };
            triplets::part(part, with(options, SquaredEuclideanDistance, margin), &terms, inputs)
        }
    }
}

impl LossSpec for TripletMarginWithDistanceLoss {
    const HAS_KINK: bool = true;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let (tensors, margin) = (inputs.triple(NAMES)?, inputs.option(self.margin));
        match self.distance_function {
            DistanceFunction::Pairwise => {
                let loss = with(self, pairwise(inputs), margin);
                ValueAndGradients::of(&loss, tensors, inputs, NAMES, request)
            }
            DistanceFunction::Manhattan => {
                ValueAndGradients::of(&with(self, ManhattanDistance, margin), tensors, inputs, NAMES, request)
            }
            DistanceFunction::SquaredEuclidean => {
                ValueAndGradients::of(&with(self, SquaredEuclideanDistance, margin), tensors, inputs, NAMES, request)
            }
        }
    }

    fn evaluate_passing_at_kink(
        &self,
        inputs: &Inputs<DoubleDouble>,
    ) -> Option<Result<ValueAndGradients<DoubleDouble>, Error>> {
        let margin = inputs.option(self.margin);
        Some(match self.distance_function {
            DistanceFunction::Pairwise => triplets::passing_at_kink(with(self, pairwise(inputs), margin), inputs),
            DistanceFunction::Manhattan => triplets::passing_at_kink(with(self, ManhattanDistance, margin), inputs),
            DistanceFunction::SquaredEuclidean => {
                triplets::passing_at_kink(with(self, SquaredEuclideanDistance, margin), inputs)
            }
        })
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
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
