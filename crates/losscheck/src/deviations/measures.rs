//! What the error of a known deviation grows with.

use super::conditions::properties::{classes, elements};
use super::conditions::vectors::{cosine, degree, differences};
use crate::case::parts::{Part, Parts};
use crate::loss::Loss;
use crate::tensor::Tensor;

/// A number that the error of a library is proportional to.
pub struct Measure {
    /// The name in deviation files, in the singular: an error is so many ULPs per `class`.
    pub name: &'static str,
    /// What the number is.
    pub describes: &'static str,
    of: fn(&Part) -> f64,
}

const MEASURES: &[Measure] = &[
    Measure { name: "class", describes: "the number of classes", of: |part| classes(&part.case).unwrap_or(1) as f64 },
    Measure {
        name: "term",
        describes: "the number of losses that the reduction adds up",
        of: |part| Parts::new(&part.case).map_or(1, |parts| parts.len()) as f64,
    },
    Measure {
        name: "pair of classes",
        describes: "the number of pairs of a class in the target and one that is not, at most",
        of: |part| {
            let labels = part.case.input("target").and_then(Tensor::to_indices).unwrap_or_default();
            let labels = labels.iter().take_while(|&&label| label >= 0).count();
            (labels * classes(&part.case).unwrap_or(1)) as f64
        },
    },
    Measure {
        name: "e^|x|",
        describes: "the exponential of the magnitude of the largest input",
        of: |part| elements(&part.case, "input").into_iter().fold(0.0, |most: f64, x| most.max(x.abs())).exp(),
    },
    Measure {
        name: "e^log_prob",
        describes: "the exponential of the largest log-probability, or 1",
        of: |part| part.numbers("log_probs").into_iter().fold(0.0, f64::max).exp(),
    },
    Measure {
        name: "1/|x - t|",
        describes: "the inverse of the difference of input and target",
        of: |part| 1.0 / (part.number("input") - part.number("target")).abs(),
    },
    Measure {
        name: "|x1 - x2|",
        describes: "the difference of the two inputs",
        of: |part| (part.number("input1") - part.number("input2")).abs(),
    },
    Measure {
        name: "probability",
        describes: "the target of a divergence, with `log_target` its exponential, or 1 if that is less",
        of: |part| divergence(part)[0].max(1.0),
    },
    Measure {
        name: "slope by the target",
        describes: "the magnitude of the terms of a divergence's derivative by its target, or 1",
        of: |part| divergence(part)[1].max(1.0),
    },
    Measure { name: "1/target", describes: "the inverse of the target", of: |part| 1.0 / part.number("target").abs() },
    Measure {
        name: "1/weight",
        describes: "the inverse of the smallest weight, of Huber's delta, of e^target, or of a class's share, if these are below 1",
        of: |part| {
            let weights = part.numbers("weight").into_iter().map(f64::abs).filter(|&weight| weight > 0.0);
            1.0 / (weights.fold(1.0, f64::min) * part.slope())
        },
    },
    Measure { name: "1/|x|", describes: "the inverse of the input", of: |part| 1.0 / part.number("input").abs() },
    Measure {
        name: "cubed length",
        describes: "the third power of the length of the longer of two vectors, or 1",
        of: |part| {
            let (a, b, _) = cosine(part);
            a.max(b).max(1.0).powf(1.5)
        },
    },
    Measure {
        name: "power of a difference",
        describes: "the largest difference of a triplet to the power of p - 1, p being the degree of the norm, or 1",
        of: |part| {
            let largest = differences(part).into_iter().flatten().fold(1.0, |most: f64, d| most.max(d.abs()));
            largest.powf(degree(part) - 1.0)
        },
    },
];

/// The target of a divergence as a probability, and the magnitude of the terms of its derivative by the target.
fn divergence(part: &Part) -> [f64; 2] {
    let (input, target) = (part.number("input"), part.number("target"));
    if matches!(&part.case.loss, Loss::KlDiv(options) if options.log_target) {
        let probability = target.exp();
        [probability, probability * (1.0 + target.abs() + input.abs())]
    } else {
        [target.abs(), 1.0 + target.ln().abs() + input.abs()]
    }
}

impl Measure {
    /// Returns the measure of a name.
    ///
    /// # Errors
    ///
    /// Returns an error that lists the names if there is no such measure.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        MEASURES.iter().find(|measure| measure.name == name).ok_or_else(|| {
            let names: Vec<_> = MEASURES.iter().map(|measure| measure.name).collect();
            format!("`{name}`, expected one of {}", names.join(", "))
        })
    }

    /// Returns the number for a part of a case.
    pub fn of(&self, part: &Part) -> f64 {
        (self.of)(part)
    }
}

impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
