//! How exact a backend is: for each output of a loss the worst error, the input that shows it, and a histogram.
//!
//! Errors are in ULPs, and measured twice: plainly, at the exact result f; and at the result's own scale, |f| + sum
//! |x df/dx| over the predictions x, which excuses what the condition of the problem costs any algorithm. The inputs are
//! of three kinds ([`InputSet`]). Those that are searched give lower bounds on the worst error; those of a [`Sweep`], which
//! is gone through number by number, the worst error itself.

mod lengths;
mod parts;
mod rows;
mod scale;
mod search;
mod sweeps;

pub use parts::{AccuracyRun, Part, Results, SearchBudget, Shard};
pub use rows::{BOUNDS, Histogram, InputSet, Key, Line, Measure, Row, Rows, SCREEN, Witness};
pub use sweeps::{SWEEPS, Sweep};

use losscheck_reference::{DoubleDouble, Real};

use crate::backend::call::evaluate;
use crate::backend::{Backend, Outcome};
use crate::case::{Answer, Case};
use crate::judge::ulp::distance;
use crate::loss::{Output, ValueAndGradients};
use crate::tensor::Tensor;

/// The error of one number.
#[derive(Clone, Copy, Debug)]
pub struct NumberError {
    /// Which result it is part of.
    pub output: Output,
    /// Its place there, in row-major order.
    pub at: usize,
    /// What it should be, to the nearest f64.
    pub exact: f64,
    /// What it is.
    pub actual: f64,
    /// In ULPs of the exact result; infinite where one of the two is no number, or out of range, and the other not.
    pub plain: f64,
    /// In ULPs at the scale of the result.
    pub scaled: f64,
}

/// The exact results of a case, and their scales.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The results.
    pub results: ValueAndGradients<DoubleDouble>,
    /// For each number of the results, its scale.
    pub scales: ValueAndGradients<DoubleDouble>,
    /// Which of the results are not measured.
    pub jumps: ValueAndGradients<bool>,
}

impl Exact {
    /// The error of every number of an answer whose shape is as it should be.
    pub fn errors(&self, answer: &Answer) -> Vec<NumberError> {
        let mut errors = Vec::new();
        let results = self.results.outputs().zip(self.scales.outputs()).zip(self.jumps.outputs());
        for (((output, exact), (_, scales)), (_, jumps)) in results {
            let Some(part) = answer.output(output).filter(|part| part.shape() == exact.shape()) else { continue };
            let (dtype, actual) = (part.dtype(), part.to_f64());
            let numbers = exact.iter().zip(scales).zip(jumps).zip(actual).enumerate();
            for (at, (((&exact, &scale), _), actual)) in numbers.filter(|(_, ((_, jumps), _))| !**jumps) {
                let error = |scale| distance(dtype, exact, scale, actual).unwrap_or(f64::INFINITY);
                let (plain, scaled) = (error(exact), error(scale));
                errors.push(NumberError { output, at, exact: exact.to_f64(), actual, plain, scaled });
            }
        }
        errors
    }
}

/// What a backend answers, if it does.
fn answer(backend: &dyn Backend, case: &Case) -> Option<Answer> {
    match evaluate(backend, case) {
        Outcome::Answer(answer) => Some(answer),
        _ => None,
    }
}

/// The differentiable inputs that a model predicts: all but the target, whose numbers count as exact.
fn predictions(case: &Case) -> impl Iterator<Item = (&'static str, &Tensor)> {
    case.differentiable().filter(|&name| name != "target").filter_map(|name| Some((name, case.input(name)?)))
}
