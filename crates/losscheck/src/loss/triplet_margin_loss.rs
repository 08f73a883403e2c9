//! `torch.nn.functional.triplet_margin_loss`.

use losscheck_options::{TripletMarginLoss, TripletMarginWithDistanceLoss};
use losscheck_reference::{DoubleDouble, Error, PairwiseDistance, Real};
use proptest::prelude::*;

use super::elements::Part;
use super::triplets::{self, NAMES, PairwiseScale};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

fn part(
    options: &TripletMarginLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let loss = by_distance(options, inputs);
    let terms = PairwiseScale::new(loss.distance_function, inputs);
    triplets::part(part, loss, &terms, inputs)
}

/// The loss with its distance as an option.
fn by_distance(
    options: &TripletMarginLoss,
    inputs: &Inputs<DoubleDouble>,
) -> TripletMarginWithDistanceLoss<PairwiseDistance> {
    let &TripletMarginLoss { margin, p, eps, swap, reduction } = options;
    let distance_function = PairwiseDistance { p, eps: inputs.option(eps) };
    TripletMarginWithDistanceLoss { distance_function, margin: inputs.option(margin), swap, reduction }
}

impl LossSpec for TripletMarginLoss {
    const HAS_KINK: bool = true;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let loss = Self { margin: inputs.option(self.margin), eps: inputs.option(self.eps), ..*self };
        ValueAndGradients::of(&loss, inputs.triple(NAMES)?, inputs, NAMES, request)
    }

    fn evaluate_passing_at_kink(
        &self,
        inputs: &Inputs<DoubleDouble>,
    ) -> Option<Result<ValueAndGradients<DoubleDouble>, Error>> {
        Some(triplets::passing_at_kink(by_distance(self, inputs), inputs))
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
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
