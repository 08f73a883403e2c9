//! What the triplet losses have in common.

use losscheck_reference::vectors::{Vectors, Vectorwise};
use losscheck_reference::{
    Distance, DoubleDouble, Error, PairwiseDistance, PassingAtKink, Real, SquaredEuclideanDistance,
    TripletMarginWithDistanceLoss,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::elements::{Part, Side};
use super::vectors;
use super::{Inputs, Outputs, ValueAndGradients};
use crate::tensor::{DType, Tensors};

pub(super) const NAMES: [&str; 3] = ["anchor", "positive", "negative"];

/// The magnitudes of the terms of a distance. Differences are exact; how large they are is worked out in f64.
pub(super) trait DistanceScale: Sync {
    /// Those of the distance.
    fn distance(&self, a: &[DoubleDouble], b: &[DoubleDouble]) -> f64;

    /// Those of its derivatives, by each element of a and likewise of b.
    fn slopes(&self, a: &[DoubleDouble], b: &[DoubleDouble]) -> Vec<Slope>;
}

/// The magnitude of a derivative.
#[derive(Clone, Copy)]
pub(super) struct Slope {
    size: f64,
    /// Whether its sign, or whether there is any slope, depends on the last digit of a sum.
    is_uncertain: bool,
}

impl Slope {
    const ZERO: Self = Self { size: 0.0, is_uncertain: false };

    /// Returns the magnitude of the slope, or by how much it may jump: from one sign to the other, or from 0 if it is
    /// uncertain whether the distance counts.
    fn part(self, part: Part, counts: Side) -> f64 {
        match part {
            Part::Jump if self.is_uncertain => 2.0 * self.size,
            _ => self.size * counts.hinge_slope::<f64>(part),
        }
    }
}

/// The hinge is a sum of the margin and two or three distances, each gradient a sum of theirs.
struct Triplets<'a, D, T> {
    part: Part,
    loss: TripletMarginWithDistanceLoss<D>,
    terms: &'a T,
    epsilon: f64,
    largest: DoubleDouble,
}

impl<D: Distance, T: DistanceScale> Triplets<'_, D, T> {
    /// Whether two distances are subtracted that are both beyond the range of the dtype, and not both infinite.
    fn cancels_out_of_range(&self, [a, p, n]: [&[DoubleDouble]; 3]) -> bool {
        let is_beyond = |a, b| self.loss.distance_function.distance(a, b) > self.largest;
        let is_infinite = |v: &[DoubleDouble]| v.iter().any(|x| x.abs() == DoubleDouble::from_f64(f64::INFINITY));
        let swap = self.loss.swap;
        let are_infinite = (is_infinite(a) || is_infinite(p))
            && (is_infinite(a) || is_infinite(n))
            && (!swap || is_infinite(p) || is_infinite(n));
        is_beyond(a, p) && is_beyond(a, n) && (!swap || is_beyond(p, n)) && !are_infinite
    }

    /// A triplet's hinge, and what it is made of.
    fn hinge(&self, [a, p, n]: [&[DoubleDouble]; 3]) -> Hinge {
        let (d, terms) = (&self.loss.distance_function, self.terms);
        let (mut nearest, mut choice, mut reached) = (d.distance(a, n), Side::Above, [true, false]);
        let mut sum = self.loss.margin.abs() + terms.distance(a, p) + terms.distance(a, n);
        if self.loss.swap {
            let swapped = d.distance(p, n);
            sum += terms.distance(p, n);
            choice = Side::of(self.epsilon, nearest - swapped, DoubleDouble::from_f64(sum));
            let is_certain = choice != Side::Uncertain;
            reached = [!(is_certain && swapped < nearest), !(is_certain && nearest < swapped)];
            nearest = nearest.minimum(swapped);
        }
        let hinge = DoubleDouble::from_f64(self.loss.margin) + d.distance(a, p) - nearest;
        let side = Side::of(self.epsilon, hinge, DoubleDouble::from_f64(sum));
        Hinge { side, choice, reached, terms: sum }
    }
}

struct Hinge {
    /// Where it stands to 0.
    side: Side,
    /// How far the negative is beyond the swapped distance.
    choice: Side,
    /// Whether the negative's own distance counts, and whether the swapped one.
    reached: [bool; 2],
    /// The sum of the magnitudes of its terms.
    terms: f64,
}

impl<D: Distance, T: DistanceScale> Vectorwise<DoubleDouble, 3> for Triplets<'_, D, T> {
    fn value(&self, vectors: [&[DoubleDouble]; 3], _: DoubleDouble) -> DoubleDouble {
        let hinge = self.hinge(vectors);
        DoubleDouble::from_f64(hinge.side.hinge(self.part, hinge.terms))
    }

    fn value_and_pullback(
        &self,
        cotangent: DoubleDouble,
        [a, p, n]: [&[DoubleDouble]; 3],
        _: DoubleDouble,
        [by_a, by_p, by_n]: [&mut [DoubleDouble]; 3],
    ) -> DoubleDouble {
        let Hinge { side, choice, reached, terms } = self.hinge([a, p, n]);
        for gradient in [&mut *by_a, &mut *by_p, &mut *by_n] {
            gradient.fill(DoubleDouble::ZERO);
        }
        if self.cancels_out_of_range([a, p, n]) {
            // Of infinity less infinity not even the sign is known.
            let is_known = cotangent == DoubleDouble::ZERO || self.part == Part::Jump;
            let unknown = DoubleDouble::from_f64(if is_known { 0.0 } else { f64::INFINITY });
            [by_a, by_p, by_n].into_iter().for_each(|gradient| gradient.fill(unknown));
        } else if side != Side::Below {
            let counts = if choice == Side::Uncertain { choice } else { side };
            let cotangent = cotangent.to_f64();
            let add = |from: &[DoubleDouble],
                       to: &[DoubleDouble],
                       by_from: &mut [DoubleDouble],
                       by_to: &mut [DoubleDouble]| {
                for (i, slope) in self.terms.slopes(from, to).into_iter().enumerate() {
                    let slope = DoubleDouble::from_f64(cotangent * slope.part(self.part, counts));
                    by_from[i] = by_from[i] + slope;
                    by_to[i] = by_to[i] + slope;
                }
            };
            add(a, p, by_a, by_p);
            if reached[0] {
                add(a, n, by_a, by_n);
            }
            if reached[1] {
                add(p, n, by_p, by_n);
            }
        }
        DoubleDouble::from_f64(side.hinge(self.part, terms))
    }
}

/// The terms of [`PairwiseDistance`]: each element is a difference plus eps, whose rounding the norm spreads.
pub(super) struct PairwiseScale {
    distance: PairwiseDistance,
    epsilon: f64,
    smallest_normal: f64,
    largest: f64,
}

impl PairwiseScale {
    pub(super) fn new(distance: PairwiseDistance, inputs: &Inputs<DoubleDouble>) -> Self {
        let (epsilon, smallest_normal) = (inputs.epsilon(), inputs.smallest_normal());
        Self { distance, epsilon, smallest_normal, largest: inputs.largest() }
    }

    /// The elements, and the magnitudes of their terms.
    fn differences<'a>(
        &'a self,
        a: &'a [DoubleDouble],
        b: &'a [DoubleDouble],
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        let eps = self.distance.eps;
        let difference = move |(&a, &b): (&DoubleDouble, &DoubleDouble)| {
            let difference = a - b;
            ((difference + DoubleDouble::from_f64(eps)).to_f64(), difference.to_f64().abs() + eps.abs())
        };
        a.iter().zip(b).map(difference)
    }

    fn norm(&self, elements: &[f64]) -> f64 {
        PairwiseDistance { eps: 0.0, ..self.distance }.distance(elements, &std::vec![0.0; elements.len()])
    }

    /// Whether elements that are as large as the norm in f64 are not alike.
    fn has_tie_by_rounding(&self, a: &[DoubleDouble], b: &[DoubleDouble], elements: &[f64], norm: f64) -> bool {
        let eps = DoubleDouble::from_f64(self.distance.eps);
        let exact = a.iter().zip(b).map(|(&a, &b)| (a - b + eps).abs());
        let mut tied = exact.zip(elements).filter(|(_, element)| element.abs() == norm).map(|(exact, _)| exact);
        let first = tied.next();
        tied.any(|other| Some(other) != first)
    }

    /// The magnitude of the norm's terms, from those of the elements' terms; all in a unit.
    fn terms_of_norm(&self, terms: &[f64], unit: f64) -> f64 {
        let p = self.distance.p;
        // Any element may be the smallest after its rounding.
        let norm = PairwiseDistance { p: p.abs(), eps: 0.0 }.distance(terms, &std::vec![0.0; terms.len()]);
        // Squares and powers that are subnormal have lost digits before the root.
        let least = if p > 1.0 && p.is_finite() { Real::powf(self.smallest_normal, 1.0 / p) / unit } else { 0.0 };
        let norm = if terms.is_empty() { norm } else { Real::maximum(norm, least) };
        // Rounding the exponent 1 / p counts as much as the logarithm is large.
        let has_root = ![0.0, 1.0, 2.0].contains(&p) && p.is_finite();
        if has_root && norm > 0.0 { norm * (1.0 + (Real::ln(norm) + Real::ln(unit)).abs()) } else { norm }
    }
}

impl DistanceScale for PairwiseScale {
    fn distance(&self, a: &[DoubleDouble], b: &[DoubleDouble]) -> f64 {
        let terms: Vec<f64> = self.differences(a, b).map(|(_, terms)| terms).collect();
        self.terms_of_norm(&terms, 1.0)
    }

    fn slopes(&self, a: &[DoubleDouble], b: &[DoubleDouble]) -> Vec<Slope> {
        let p = self.distance.p;
        if p == 0.0 {
            return std::vec![Slope::ZERO; a.len()];
        }
        // In the unit of the largest difference, for the norm may be out of range though its slopes are not.
        let differences: Vec<(f64, f64)> = self.differences(a, b).collect();
        let largest = differences.iter().fold(0.0, |largest, (d, _)| Real::maximum(largest, d.abs()));
        let unit = if largest > 0.0 && largest < f64::INFINITY { largest } else { 1.0 };
        let (elements, terms): (Vec<f64>, Vec<f64>) =
            differences.iter().map(|&(d, terms)| (d / unit, terms / unit)).unzip();
        let (norm, terms_of_norm) = (self.norm(&elements), self.terms_of_norm(&terms, unit));

        // Rounding may make a tie, or end one, with the largest (smallest) difference, which shares the slope of the norm.
        let side_of_norm = |d: f64, terms: f64| {
            let towards = if p > 0.0 { d.abs() - norm } else { norm - d.abs() };
            Side::of(self.epsilon, towards, terms + terms_of_norm)
        };
        let in_units = elements.iter().copied().zip(terms.iter().copied());
        let has_near_tie =
            p.is_infinite() && in_units.clone().any(|(d, terms)| side_of_norm(d, terms) == Side::Uncertain);
        let has_near_tie = has_near_tie || p.is_infinite() && self.has_tie_by_rounding(a, b, &elements, norm);
        // A difference that is out of range rounds to infinity, and ties with one that is infinite.
        let rounds_to_norm = |d: f64| p == f64::INFINITY && norm == f64::INFINITY && d.abs() > self.largest;
        let has_near_tie = has_near_tie || elements.iter().any(|&d| d.is_finite() && rounds_to_norm(d));
        let slope = |((d, terms), (element, element_terms)): ((f64, f64), (f64, f64))| {
            let may_be_norm = rounds_to_norm(element) || side_of_norm(element, element_terms) != Side::Below;
            let is_uncertain = has_near_tie && may_be_norm;
            // Terms that are subnormal round by as much as the smallest normal number.
            let rounding_terms = Real::maximum(element_terms, self.smallest_normal / unit);
            let is_uncertain = is_uncertain || Side::of(self.epsilon, element, rounding_terms) == Side::Uncertain;
            if p == 1.0 || p.is_infinite() {
                return Slope { size: 1.0, is_uncertain };
            }
            let d = d.abs();
            let power = |x| Real::powf(x, p - 1.0);
            // A small power of the ratio is in range where the ratio itself may not be.
            let slope = if p > 0.0 && p < 2.0 { power(d) / power(unit) / power(norm) } else { power(d / unit / norm) };
            // Beside an infinite difference, the others have no slope.
            let is_beside_infinity = norm == f64::INFINITY && d < f64::INFINITY;
            if d == 0.0 || slope == 0.0 || is_beside_infinity {
                return Slope { size: 0.0, is_uncertain };
            }
            let logarithm = Real::ln(d) - Real::ln(unit) - Real::ln(norm);
            let relative = terms / d + terms_of_norm / norm + logarithm.abs();
            Slope { size: slope * (1.0 + (p - 1.0).abs() * relative), is_uncertain }
        };
        differences.iter().copied().zip(in_units).map(slope).collect()
    }
}

/// The terms of [`SquaredEuclideanDistance`]: squares, and single differences.
pub(super) struct SquareScale {
    pub(super) smallest_normal: f64,
}

impl DistanceScale for SquareScale {
    fn distance(&self, a: &[DoubleDouble], b: &[DoubleDouble]) -> f64 {
        Real::maximum(SquaredEuclideanDistance.distance(a, b).to_f64(), self.smallest_normal)
    }

    fn slopes(&self, a: &[DoubleDouble], b: &[DoubleDouble]) -> Vec<Slope> {
        let size = |(&a, &b): (&DoubleDouble, &DoubleDouble)| 2.0 * (a - b).to_f64().abs();
        a.iter().zip(b).map(|pair| Slope { size: size(pair), ..Slope::ZERO }).collect()
    }
}

/// The magnitudes of a triplet loss, or by how much its results may jump.
pub(super) fn part<D: Distance>(
    part: Part,
    loss: TripletMarginWithDistanceLoss<D>,
    terms: &impl DistanceScale,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let operands = [inputs.required("anchor")?, inputs.required("positive")?, inputs.required("negative")?];
    let vectors = Vectors { operands, labels: None, reduction: loss.reduction };
    let largest = DoubleDouble::from_f64(inputs.largest());
    let triplets = Triplets { part, loss, terms, epsilon: inputs.epsilon(), largest };
    vectors::error_scale(&triplets, &vectors, NAMES, inputs.cotangent())
}

/// Evaluates a triplet loss with slope 1 where its hinge is exactly 0.
pub(super) fn passing_at_kink<D: Distance + Clone>(
    loss: TripletMarginWithDistanceLoss<D>,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    ValueAndGradients::of(&PassingAtKink(loss), inputs.triple(NAMES)?, inputs, NAMES, Outputs::Gradients.into())
}

/// Triplets of vectors whose other dimensions broadcast.
pub(super) fn inputs(dtype: DType) -> BoxedStrategy<Tensors> {
    let rows = vec(prop_oneof![1 => Just(0usize), 12 => 1usize..=3], 0..=2);
    vectors::inputs(dtype, NAMES, rows)
}
