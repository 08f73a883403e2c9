//! What the triplet losses have in common.

use losscheck_reference::vectors::{Vectors, Vectorwise};
use losscheck_reference::{
    Distance, Error, PairwiseDistance, Real, SquaredEuclideanDistance, TripletMarginWithDistanceLoss, Wide,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::elements::uncertainty;
use super::vectors;
use crate::case::Tensors;
use crate::definition::{Arrays, Evaluation, Signature};
use crate::tensor::DType;

pub(super) const NAMES: [&str; 3] = ["anchor", "positive", "negative"];

pub(super) const SIGNATURE: Signature =
    Signature { required: &NAMES, optional: &[], integers: &[], differentiable: &NAMES };

/// The magnitudes of the terms of a distance.
pub(super) trait Terms {
    /// Those of the distance.
    fn distance(&self, a: &[Wide], b: &[Wide]) -> Wide;

    /// Those of its derivatives, by each element of a and likewise of b.
    fn slopes(&self, a: &[Wide], b: &[Wide]) -> Vec<Wide>;
}

/// The hinge is a sum of the margin and two or three distances, each gradient a sum of theirs.
struct Triplets<'a, D, T> {
    loss: TripletMarginWithDistanceLoss<D>,
    terms: &'a T,
    epsilon: f64,
}

impl<D: Distance, T: Terms> Triplets<'_, D, T> {
    fn hinge(&self, [a, p, n]: [&[Wide]; 3]) -> Wide {
        let d = &self.loss.distance_function;
        let negative = d.distance(a, n);
        let negative = if self.loss.swap { negative.minimum(d.distance(p, n)) } else { negative };
        Wide::from_f64(self.loss.margin) + d.distance(a, p) - negative
    }
}

impl<D: Distance, T: Terms> Vectorwise<Wide, 3> for Triplets<'_, D, T> {
    fn value(&self, [a, p, n]: [&[Wide]; 3], _: Wide) -> Wide {
        let distances = self.terms.distance(a, p) + self.terms.distance(a, n);
        let swapped = if self.loss.swap { self.terms.distance(p, n) } else { Wide::ZERO };
        Wide::from_f64(self.loss.margin.abs()) + distances + swapped
    }

    fn value_and_pullback(
        &self,
        cotangent: Wide,
        [a, p, n]: [&[Wide]; 3],
        label: Wide,
        [by_a, by_p, by_n]: [&mut [Wide]; 3],
    ) -> Wide {
        let terms = self.value([a, p, n], label);
        let mut slope = cotangent * uncertainty(self.epsilon, self.hinge([a, p, n]), terms);
        let (of_positive, of_negative) = (self.terms.slopes(a, p), self.terms.slopes(a, n));
        let of_swapped = if self.loss.swap {
            let d = &self.loss.distance_function;
            slope = slope * uncertainty(self.epsilon, d.distance(a, n) - d.distance(p, n), terms);
            self.terms.slopes(p, n)
        } else {
            std::vec![Wide::ZERO; a.len()]
        };
        for i in 0..a.len() {
            by_a[i] = slope * (of_positive[i] + of_negative[i]);
            by_p[i] = slope * (of_positive[i] + of_swapped[i]);
            by_n[i] = slope * (of_negative[i] + of_swapped[i]);
        }
        terms
    }
}

/// The terms of [`PairwiseDistance`]: each element is a difference plus eps, whose rounding the norm spreads.
pub(super) struct PairwiseTerms {
    pub(super) distance: PairwiseDistance,
    pub(super) epsilon: f64,
    pub(super) smallest_normal: Wide,
}

impl PairwiseTerms {
    /// The elements, and the magnitudes of their terms.
    fn differences<'a>(&'a self, a: &'a [Wide], b: &'a [Wide]) -> impl Iterator<Item = (Wide, Wide)> + 'a {
        let eps = Wide::from_f64(self.distance.eps);
        a.iter().zip(b).map(move |(&a, &b)| ((a - b) + eps, (a - b).abs() + eps.abs()))
    }
}

impl Terms for PairwiseTerms {
    fn distance(&self, a: &[Wide], b: &[Wide]) -> Wide {
        let terms: Vec<Wide> = self.differences(a, b).map(|(_, terms)| terms).collect();
        let norm = PairwiseDistance { eps: 0.0, ..self.distance }.distance(&terms, &std::vec![Wide::ZERO; terms.len()]);
        // Squares and powers that are subnormal have lost digits before the root.
        let p = self.distance.p;
        let least = if p > 1.0 && p.is_finite() {
            self.smallest_normal.powf(Wide::ONE / Wide::from_f64(p))
        } else {
            Wide::ZERO
        };
        let norm = if terms.is_empty() { norm } else { norm.maximum(least) };
        // Rounding the exponent 1 / p counts as much as the logarithm is large.
        let has_root = ![0.0, 1.0, 2.0, f64::INFINITY].contains(&p);
        if has_root && norm > Wide::ZERO { norm * (Wide::ONE + norm.ln().abs()) } else { norm }
    }

    fn slopes(&self, a: &[Wide], b: &[Wide]) -> Vec<Wide> {
        let (p, norm, terms_of_norm) = (self.distance.p, self.distance.distance(a, b), self.distance(a, b));
        if p == 0.0 {
            return std::vec![Wide::ZERO; a.len()];
        }
        let exponent = Wide::from_f64((p - 1.0).abs());
        let slope = |(d, terms): (Wide, Wide)| {
            let side = uncertainty(self.epsilon, d, terms);
            if p == 1.0 || p == f64::INFINITY {
                return side;
            }
            let ratio = d.abs() / norm;
            let slope = if d == Wide::ZERO { Wide::ZERO } else { ratio.powf(Wide::from_f64(p) - Wide::ONE) };
            let relative = terms / d.abs() + terms_of_norm / norm + ratio.ln().abs();
            if d == Wide::ZERO { slope } else { slope * (Wide::ONE + exponent * relative) * side }
        };
        self.differences(a, b).map(slope).collect()
    }
}

/// The terms of [`SquaredEuclideanDistance`]: squares, and single differences.
pub(super) struct SquareTerms {
    pub(super) smallest_normal: Wide,
}

impl Terms for SquareTerms {
    fn distance(&self, a: &[Wide], b: &[Wide]) -> Wide {
        SquaredEuclideanDistance.distance(a, b).maximum(self.smallest_normal)
    }

    fn slopes(&self, a: &[Wide], b: &[Wide]) -> Vec<Wide> {
        a.iter().zip(b).map(|(&a, &b)| (a - b).abs() + (a - b).abs()).collect()
    }
}

/// The magnitudes of a triplet loss.
pub(super) fn magnitudes<D: Distance>(
    loss: TripletMarginWithDistanceLoss<D>,
    terms: &impl Terms,
    inputs: &Arrays<Wide>,
) -> Result<Evaluation<Wide>, Error> {
    let operands = [inputs.required("anchor")?, inputs.required("positive")?, inputs.required("negative")?];
    let vectors = Vectors { operands, labels: None, reduction: loss.reduction };
    let triplets = Triplets { loss, terms, epsilon: inputs.epsilon() };
    vectors::magnitudes(&triplets, &vectors, NAMES, inputs.cotangent())
}

/// Triplets of vectors whose other dimensions broadcast.
pub(super) fn inputs(dtype: DType) -> BoxedStrategy<Tensors> {
    let rows = vec(prop_oneof![1 => Just(0usize), 12 => 1usize..=3], 0..=2);
    vectors::inputs(dtype, NAMES, rows)
}
