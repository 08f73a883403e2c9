//! The reference's answer in f64 in place of the exact one.

use std::cell::LazyCell;
use std::sync::OnceLock;

use losscheck_reference::{DoubleDouble, Real};
use ndarray::ArrayD;

use super::MeasuredAt;
use super::bounds::Bounds;
use super::oracle::{is_exact_in_f64, once};
use super::tolerance::tolerance;
use super::ulp::Near;
use crate::case::{Answer, Case};
use crate::loss::{Inputs, LossExt, Output, Outputs, ValueAndGradients};
use crate::tensor::Tensor;

/// The reference's answer in f64 to a large case, of which it is known how far it is from the exact one.
///
/// Most answers that are judged are so near to it that they are as near to the exact answer as they have to be. Only for the
/// others does the exact answer have to be worked out.
#[derive(Clone, Debug)]
pub(crate) struct Approximation {
    answer: ValueAndGradients<f64>,
    /// How far a number may be from the exact one at most, in ULPs of f64 at the magnitude of its terms.
    error: f64,
    magnitudes: OnceLock<Option<ValueAndGradients<DoubleDouble>>>,
}

impl Approximation {
    /// Approximates the exact answer to a large case. It is the exact one if the case is in a narrower dtype than f64, by
    /// [definition](super::oracle::LARGE). For a case in f64, `bounds` have to say how near the reference comes.
    pub(crate) fn new(case: &Case, bounds: &Bounds) -> Option<Self> {
        let of = |answer, error| Self { answer, error, magnitudes: OnceLock::new() };
        if is_exact_in_f64(case) {
            return Some(of(evaluate(case)?, 0.0));
        }
        let bound = bounds.get(&case.id)?;
        let answer = evaluate(case)?;
        bound.is_of(case, &answer).then(|| of(answer, bound.ulps))
    }

    /// Returns whether the approximation is the exact answer.
    pub(crate) fn is_exact(&self) -> bool {
        self.error == 0.0
    }

    /// Whether an answer is sure to be within the budget of the exact one, in each output that is asked for. If not, it may
    /// still be right.
    pub(crate) fn shows_right(
        &self,
        case: &Case,
        answer: &Answer,
        measured_at: MeasuredAt,
        is_asked_for: impl Fn(Output) -> bool,
    ) -> bool {
        let is_right = |(at, (output, approximation)): (usize, (Output, &ArrayD<f64>))| {
            answer.output(output).is_some_and(|actual| {
                let within = tolerance(case.loss.kind(), output, actual.dtype()) - self.error;
                self.is_near(case, at, approximation, actual, (within, measured_at))
            })
        };
        self.answer.outputs().enumerate().filter(|&(_, (output, _))| is_asked_for(output)).all(is_right)
    }

    /// Whether every number is within so many ULPs of what approximates it.
    fn is_near(
        &self,
        case: &Case,
        at: usize,
        approximation: &ArrayD<f64>,
        actual: &Tensor,
        (within, measured_at): (f64, MeasuredAt),
    ) -> bool {
        let dtype = actual.dtype();
        let near = Near::new(dtype, within);
        let magnitudes = LazyCell::new(|| self.error_scale(case, at));
        let is_near_at_scale = |index: usize, x: f64, y: f64| {
            if measured_at == MeasuredAt::ExactNumber {
                return false;
            }
            let magnitude = magnitudes.get(index);
            magnitude.is_some_and(|&magnitude| (y - x).abs() <= within * dtype.format().ulp(magnitude))
        };
        let mut numbers = approximation.iter().zip(actual.to_f64()).enumerate();
        actual.shape() == approximation.shape()
            && (dtype == case.dtype() || !dtype.is_float())
            && numbers.all(|(index, (&x, y))| near.to(x, y) || is_near_at_scale(index, x, y))
    }

    /// The magnitudes of the terms of one output; none if they cannot be worked out.
    fn error_scale(&self, case: &Case, at: usize) -> Vec<f64> {
        let all = once(&self.magnitudes, || case.loss.error_scale(&Inputs::from(case)).ok());
        let of_output = all.as_ref().and_then(|all| all.outputs().nth(at));
        of_output.into_iter().flat_map(|(_, magnitudes)| magnitudes).map(|x| x.to_f64()).collect()
    }
}

/// The reference's answer in f64; none if the reference refuses the case.
pub(crate) fn evaluate(case: &Case) -> Option<ValueAndGradients<f64>> {
    case.loss.evaluate(&Inputs::<f64>::from(case), Outputs::Gradients).ok()
}
