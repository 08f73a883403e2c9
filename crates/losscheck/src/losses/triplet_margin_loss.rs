//! `torch.nn.functional.triplet_margin_loss`.

use losscheck_reference::{
    Error, PairwiseDistance, Real, Reduction, TripletMarginLoss, TripletMarginWithDistanceLoss, Wide,
};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::triplets::{self, NAMES, PairwiseTerms};
use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
use crate::generate;
use crate::loss::Loss;
use crate::tensor::DType;

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

impl Definition for Options {
    const SIGNATURE: Signature = triplets::SIGNATURE;

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        let loss = TripletMarginLoss {
            margin: inputs.option(self.margin),
            p: self.p,
            eps: inputs.option(self.eps),
            swap: self.swap,
            reduction: self.reduction,
        };
        let tensors = (inputs.required("anchor")?, inputs.required("positive")?, inputs.required("negative")?);
        Evaluation::of(&loss, tensors, inputs, NAMES, wanted)
    }

    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        let distance = PairwiseDistance { p: self.p, eps: inputs.option(self.eps) };
        let loss = TripletMarginWithDistanceLoss {
            distance_function: distance,
            margin: inputs.option(self.margin),
            swap: self.swap,
            reduction: self.reduction,
        };
        let smallest_normal = inputs.smallest_normal();
        let terms = PairwiseTerms { distance, epsilon: inputs.epsilon(), smallest_normal };
        triplets::magnitudes(loss, &terms, inputs)
    }

    fn unreduced(&self) -> Self {
        Self { reduction: Reduction::None, ..self.clone() }
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        let p = prop_oneof![4 => Just(2.0), 2 => Just(1.0), 1 => Just(3.0), 1 => Just(1.5), 1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY)];
        let eps = prop_oneof![3 => Just(1e-6), 1 => Just(0.01), 1 => Just(0.0)];
        let margin = prop_oneof![8 => 0.01..8.0, 4 => Just(1.0), 1 => Just(0.0), 1 => Just(-1.0)];
        let options =
            (margin, p, eps, any::<bool>(), generate::reduction()).prop_map(|(margin, p, eps, swap, reduction)| {
                Loss::TripletMarginLoss(Self { margin, p, eps, swap, reduction })
            });
        generate::case((options, triplets::inputs(dtype)))
    }
}
