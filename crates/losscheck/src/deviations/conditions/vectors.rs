//! Conditions for the losses of vectors, each of which belongs to one part of the case.

use losscheck_options::DistanceFunction;

use super::properties::{compute_format, smallest_normal};
use super::{About, Condition};
use crate::case::parts::Part;
use crate::loss::Loss;
use crate::tensor::DType;

/// The squared lengths of the two vectors of a cosine, and their product without the lengths.
pub(in crate::deviations) fn cosine(part: &Part) -> (f64, f64, f64) {
    let (a, b) = (part.numbers("input1"), part.numbers("input2"));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    (product(&a, &a), product(&b, &b), product(&a, &b))
}

/// The degree of the norm of a triplet's differences.
pub(in crate::deviations) fn degree(part: &Part) -> f64 {
    match &part.case.loss {
        Loss::TripletMarginLoss(options) => options.p,
        Loss::TripletMarginWithDistanceLoss(options) if options.distance_function == DistanceFunction::Manhattan => 1.0,
        _ => 2.0,
    }
}

/// Whether the distance of the negative from the positive counts, too.
fn is_swapped(part: &Part) -> bool {
    match &part.case.loss {
        Loss::TripletMarginLoss(options) => options.swap,
        Loss::TripletMarginWithDistanceLoss(options) => options.swap,
        _ => false,
    }
}

/// The differences of a triplet's vectors whose norms count: from the anchor to the positive and the negative, and with `swap`
/// between these.
pub(in crate::deviations) fn differences(part: &Part) -> Vec<Vec<f64>> {
    let eps = match &part.case.loss {
        Loss::TripletMarginLoss(options) => options.eps,
        Loss::TripletMarginWithDistanceLoss(options) if options.distance_function == DistanceFunction::Pairwise => 1e-6,
        _ => 0.0,
    };
    let vectors = ["anchor", "positive", "negative"].map(|name| part.numbers(name));
    let length = vectors.iter().map(Vec::len).max().unwrap_or(0);
    let at = |vector: &[f64], index: usize| vector.get(index).or(vector.first()).copied().unwrap_or(0.0);
    let pairs = [(0, 1), (0, 2), (1, 2)].into_iter().take(if is_swapped(part) { 3 } else { 2 });
    pairs
        .map(|(a, b)| (0..length).map(|index| at(&vectors[a], index) - at(&vectors[b], index) + eps).collect())
        .collect()
}

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "nan_of_special_degree",
        about: About::Part,
        describes: "a triplet with a norm of degree 0, 1 or infinity, and a difference that is NaN",
        holds: |part| {
            let p = degree(part);
            (p == 0.0 || p == 1.0 || p.is_infinite()) && differences(part).into_iter().flatten().any(f64::is_nan)
        },
    },
    Condition {
        name: "swap_tie",
        about: About::Part,
        describes: "a triplet with `swap`, whose negative is as far from the positive as from the anchor",
        holds: |part| {
            let (p, differences) = (degree(part), differences(part));
            let [_, from_anchor, from_positive] = differences.as_slice() else { return false };
            let largest = |differences: &[f64]| differences.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
            let unit = largest(from_anchor).max(largest(from_positive));
            let power = |differences: &[f64]| match p {
                f64::INFINITY => largest(differences),
                f64::NEG_INFINITY => differences.iter().fold(f64::INFINITY, |least, d| least.min(d.abs())),
                // Of parts of the largest difference, whose powers stay in range.
                _ if unit > 0.0 => differences.iter().map(|d| (d.abs() / unit).powf(p)).sum(),
                _ => 0.0,
            };
            let (from_anchor, from_positive) = (power(from_anchor), power(from_positive));
            (from_anchor - from_positive).abs() <= 4.0 * part.case.dtype().format().ulp(from_anchor)
        },
    },
    Condition {
        name: "infinite_difference",
        about: About::Part,
        describes: "a triplet with a difference that is not finite, or out of range",
        holds: |part| {
            let largest = part.case.dtype().format().largest;
            differences(part).into_iter().flatten().any(|d| d.is_nan() || d.abs() > largest)
        },
    },
    Condition {
        name: "power_out_of_range",
        about: About::Part,
        describes: "a triplet whose norm, or the sum of powers that it is a root of, is out of range, or subnormal",
        holds: |part| {
            let p = degree(part);
            let (own, wide) = (part.case.dtype().format(), compute_format(part.case.dtype()));
            let is_out_of_range = |differences: &Vec<f64>| {
                let largest = differences.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
                // In logarithms, which do not leave the range themselves.
                let sum: f64 = differences.iter().map(|d| (d.abs() / largest).powf(p)).sum();
                let (power, norm) = (p * largest.ln() + sum.ln(), largest.ln() + sum.ln() / p);
                let range = wide.smallest_normal().ln() + 0.1..wide.largest.ln() - 0.1;
                largest > 0.0 && (!range.contains(&power) || norm > own.largest.ln() - 0.1)
            };
            p.is_finite() && p > 0.0 && differences(part).iter().any(is_out_of_range)
        },
    },
    Condition {
        name: "power_beyond_f16",
        about: About::Part,
        describes: "a triplet in f16 with a norm of a finite degree p other than 0, 1 and 2, and a power of degree p or p - 1 that is out of range, or subnormal",
        holds: |part| {
            let (p, format) = (degree(part), part.case.dtype().format());
            let is_beyond = |x: f64| x > 0.98 * format.largest || x > 0.0 && x < format.smallest_normal();
            let is_any_beyond = |differences: &Vec<f64>| {
                let power = differences.iter().map(|d| d.abs().powf(p)).sum::<f64>();
                let slopes = differences.iter().filter(|d| **d != 0.0).map(|d| d.abs().powf(p - 1.0));
                is_beyond(power)
                    || power > 0.0 && is_beyond(power.powf((p - 1.0) / p))
                    || slopes.into_iter().any(is_beyond)
            };
            let has_powers = p.is_finite() && ![0.0, 1.0, 2.0].contains(&p);
            part.case.dtype() == DType::F16 && has_powers && differences(part).iter().any(is_any_beyond)
        },
    },
    Condition {
        name: "subnormal_share_of_norm",
        about: About::Part,
        describes: "a triplet in f16 with a norm of a finite degree p above 1 other than 2, and the cotangent's share divided by the norm's power of degree p - 1 is subnormal",
        holds: |part| {
            let (p, least) = (degree(part), part.case.dtype().format().smallest_normal());
            let power = |differences: &Vec<f64>| differences.iter().map(|d| d.abs().powf(p)).sum::<f64>();
            let is_subnormal = |power: f64| power > 0.0 && part.cotangent() / power.powf((p - 1.0) / p) < least;
            let is_divided = p > 1.0 && p != 2.0 && p.is_finite();
            part.case.dtype() == DType::F16 && is_divided && differences(part).iter().map(power).any(is_subnormal)
        },
    },
    Condition {
        name: "norm_of_empty_vector",
        about: About::Case,
        describes: "a triplet of vectors without elements, with a norm of infinite degree",
        holds: |part| {
            degree(part).is_infinite() && part.case.inputs.values().any(|tensor| tensor.shape().last() == Some(&0))
        },
    },
    Condition {
        name: "lengths_out_of_range",
        about: About::Part,
        describes: "the squared length of a vector, or the product of two of them, is out of range, or subnormal",
        holds: |part| {
            let (a, b, _) = cosine(part);
            let format = part.case.dtype().format();
            let is_subnormal = |x: f64| part.case.dtype() == DType::F16 && x < 2.0 * format.smallest_normal();
            [a, b, a * b].into_iter().any(|x| x > 0.98 * format.largest || is_subnormal(x))
        },
    },
    Condition {
        name: "short_vector_in_f64",
        about: About::Part,
        describes: "a vector in f64 whose squared length is within 2^28 of an eps of 1e-12",
        holds: |part| {
            let (a, b, _) = cosine(part);
            part.case.dtype() == DType::F64 && a.min(b) < 1e-12 * 2f64.powi(28)
        },
    },
    Condition {
        name: "subnormal_slope",
        about: About::Part,
        describes: "a cosine other than 0 whose quotient by the product of the squared lengths, times the cotangent's share, is subnormal",
        holds: |part| {
            let (a, b, dot) = cosine(part);
            // PyTorch adds an eps to the squared lengths, which is 0 in f16.
            let eps = if part.case.dtype() == DType::F16 { 0.0 } else { 1e-12 };
            let (a, b) = (a + eps, b + eps);
            let slope = part.cotangent() * dot.abs() / (a * b).powf(1.5).max(f64::MIN_POSITIVE);
            dot != 0.0 && slope * a.min(b).min(1.0) < 2.0 * smallest_normal(&part.case)
        },
    },
];
