//! What the triplet losses have in common.

use losscheck_reference::vectors::{Vectors, Vectorwise};
use losscheck_reference::{
    Distance, Error, PairwiseDistance, Real, SquaredEuclideanDistance, TripletMarginWithDistanceLoss, Wide,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::elements::Side;
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
    fn slopes(&self, a: &[Wide], b: &[Wide]) -> Vec<Slope>;
}

/// The magnitude of a derivative.
#[derive(Clone, Copy)]
pub(super) struct Slope {
    size: Wide,
    /// By what it is magnified where its sign is uncertain.
    of_sign: Wide,
}

impl Slope {
    const ZERO: Self = Self { size: Wide::ZERO, of_sign: Wide::ONE };

    /// An uncertainty of the sign does not add to one of the hinge.
    fn times(self, factor: Wide) -> Wide {
        self.size * factor.maximum(self.of_sign)
    }
}

/// The hinge is a sum of the margin and two or three distances, each gradient a sum of theirs.
struct Triplets<'a, D, T> {
    loss: TripletMarginWithDistanceLoss<D>,
    terms: &'a T,
    epsilon: f64,
    largest: Wide,
}

impl<D: Distance, T: Terms> Triplets<'_, D, T> {
    /// Whether two distances are subtracted that are both beyond the range of the dtype.
    fn cancels_out_of_range(&self, [a, p, n]: [&[Wide]; 3]) -> bool {
        let is_beyond = |a, b| {
            let distance = self.loss.distance_function.distance(a, b);
            distance > self.largest && distance < Wide::from_f64(f64::INFINITY)
        };
        is_beyond(a, p) && is_beyond(a, n)
    }

    /// Its side of 0, whether it is uncertain which distance a swap takes, and the magnitudes of its terms.
    fn hinge(&self, [a, p, n]: [&[Wide]; 3]) -> (Side, Side, Wide) {
        let (d, terms) = (&self.loss.distance_function, self.terms);
        let (mut negative, mut swapped) = (d.distance(a, n), Side::Above);
        let mut sum = Wide::from_f64(self.loss.margin.abs()) + terms.distance(a, p) + terms.distance(a, n);
        if self.loss.swap {
            let other = d.distance(p, n);
            sum = sum + terms.distance(p, n);
            swapped = Side::of(self.epsilon, negative - other, sum);
            negative = negative.minimum(other);
        }
        (Side::of(self.epsilon, Wide::from_f64(self.loss.margin) + d.distance(a, p) - negative, sum), swapped, sum)
    }
}

impl<D: Distance, T: Terms> Vectorwise<Wide, 3> for Triplets<'_, D, T> {
    fn value(&self, vectors: [&[Wide]; 3], _: Wide) -> Wide {
        let (side, _, terms) = self.hinge(vectors);
        side.hinge(terms)
    }

    fn value_and_pullback(
        &self,
        cotangent: Wide,
        [a, p, n]: [&[Wide]; 3],
        label: Wide,
        [by_a, by_p, by_n]: [&mut [Wide]; 3],
    ) -> Wide {
        let (side, swapped, _) = self.hinge([a, p, n]);
        if self.cancels_out_of_range([a, p, n]) {
            // Of infinity less infinity not even the sign is known.
            let unknown = if cotangent == Wide::ZERO { cotangent } else { Wide::from_f64(f64::INFINITY) };
            [by_a, by_p, by_n].into_iter().for_each(|gradient| gradient.fill(unknown));
        } else if side != Side::Below {
            let factor = side.of_hinge::<Wide>(self.epsilon).maximum(swapped.of_sign(self.epsilon));
            let (of_positive, of_negative) = (self.terms.slopes(a, p), self.terms.slopes(a, n));
            let of_swapped = if self.loss.swap { self.terms.slopes(p, n) } else { std::vec![Slope::ZERO; a.len()] };
            let times = |slope: Slope| cotangent * slope.times(factor);
            for i in 0..a.len() {
                by_a[i] = times(of_positive[i]) + times(of_negative[i]);
                by_p[i] = times(of_positive[i]) + times(of_swapped[i]);
                by_n[i] = times(of_negative[i]) + times(of_swapped[i]);
            }
        } else {
            [by_a, by_p, by_n].into_iter().for_each(|gradient| gradient.fill(Wide::ZERO));
        }
        self.value([a, p, n], label)
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

    fn slopes(&self, a: &[Wide], b: &[Wide]) -> Vec<Slope> {
        let (p, norm, terms_of_norm) = (self.distance.p, self.distance.distance(a, b), self.distance(a, b));
        if p == 0.0 {
            return std::vec![Slope::ZERO; a.len()];
        }
        let exponent = Wide::from_f64((p - 1.0).abs());
        // Rounding may make a tie, or end one, with the largest difference, which shares the slope of the norm.
        let side_of_norm = |d: Wide, terms: Wide| Side::of(self.epsilon, d.abs() - norm, terms + terms_of_norm);
        let has_near_tie =
            p == f64::INFINITY && self.differences(a, b).any(|(d, terms)| side_of_norm(d, terms) == Side::Uncertain);
        let slope = |(d, terms): (Wide, Wide)| {
            let is_uncertain = has_near_tie && side_of_norm(d, terms) != Side::Below;
            let side = if is_uncertain { Side::Uncertain } else { Side::of(self.epsilon, d, terms) };
            let of_sign = side.of_sign(self.epsilon);
            if p == 1.0 || p == f64::INFINITY {
                return Slope { size: Wide::ONE, of_sign };
            }
            let ratio = d.abs() / norm;
            let slope = if d == Wide::ZERO { Wide::ZERO } else { ratio.powf(Wide::from_f64(p) - Wide::ONE) };
            let relative = terms / d.abs() + terms_of_norm / norm + ratio.ln().abs();
            let size = if d == Wide::ZERO { slope } else { slope * (Wide::ONE + exponent * relative) };
            Slope { size, of_sign }
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

    fn slopes(&self, a: &[Wide], b: &[Wide]) -> Vec<Slope> {
        let size = |(&a, &b): (&Wide, &Wide)| (a - b).abs() + (a - b).abs();
        a.iter().zip(b).map(|pair| Slope { size: size(pair), ..Slope::ZERO }).collect()
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
    let largest = Wide::from_f64(inputs.largest());
    let triplets = Triplets { loss, terms, epsilon: inputs.epsilon(), largest };
    vectors::magnitudes(&triplets, &vectors, NAMES, inputs.cotangent())
}

/// Triplets of vectors whose other dimensions broadcast.
pub(super) fn inputs(dtype: DType) -> BoxedStrategy<Tensors> {
    let rows = vec(prop_oneof![1 => Just(0usize), 12 => 1usize..=3], 0..=2);
    vectors::inputs(dtype, NAMES, rows)
}
