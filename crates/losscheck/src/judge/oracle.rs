//! The oracle: the formulas of the reference, evaluated in double-double arithmetic.

use std::sync::OnceLock;

use losscheck_backend::pytorch::SlopeAtKink;
use losscheck_reference::{DoubleDouble, Error, Real};

use super::rules::near_largest;
use super::ulp::distance;
use crate::case::Case;
use crate::case::parts::{Part, Parts};
use crate::loss::{Inputs, Loss, LossExt, LossKindExt, Output, Outputs, ValueAndGradients};
use crate::tensor::{DType, Tensor};

/// What a case's results are in exact arithmetic.
///
/// All but the results is worked out from the case when it is first asked for. Most answers are so near to the exact results
/// that nobody asks.
#[derive(Clone, Debug)]
pub struct ExactAnswer {
    /// The value and the gradients, to about 100 bits; from [`LARGE`] numbers narrower than f64 on, in f64.
    pub results: ValueAndGradients<DoubleDouble>,
    /// What the rest is worked out from; absent if it is given.
    case: Option<Case>,
    error_scale: OnceLock<ValueAndGradients<DoubleDouble>>,
    jumps: OnceLock<Option<ValueAndGradients<DoubleDouble>>>,
    overflows: OnceLock<Overflows>,
    /// Whether each part of the case comes near the end of the range; absent if the case has no parts.
    parts_that_overflow: OnceLock<Option<Vec<bool>>>,
    candidates: OnceLock<Option<ArgmaxCandidates>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Overflows {
    /// See [`ExactAnswer::overflows`].
    somewhere: bool,
    /// See [`ExactAnswer::sums_overflow`].
    in_sums: bool,
}

impl ExactAnswer {
    /// Returns an exact answer of given numbers, none of which comes near the end of the range.
    pub fn in_range(results: ValueAndGradients<DoubleDouble>, error_scale: ValueAndGradients<DoubleDouble>) -> Self {
        Self {
            results,
            case: None,
            error_scale: OnceLock::from(error_scale),
            jumps: OnceLock::from(None),
            overflows: OnceLock::from(Overflows::default()),
            parts_that_overflow: OnceLock::from(None),
            candidates: OnceLock::from(None),
        }
    }

    /// Returns this answer, whose numbers may jump by so much.
    #[must_use]
    pub(crate) fn jumping_by(self, jumps: ValueAndGradients<DoubleDouble>) -> Self {
        Self { jumps: OnceLock::from(Some(jumps)), ..self }
    }

    /// Returns this answer, with intermediate results that overflow if those of another do.
    #[must_use]
    pub fn overflowing_as(self, other: &Self) -> Self {
        Self { overflows: OnceLock::from(*other.known_overflows()), ..self }
    }

    /// Returns for each number of the exact results the sum of the magnitudes of the terms that the documented formula adds
    /// up to it.
    pub fn error_scale(&self) -> &ValueAndGradients<DoubleDouble> {
        once(&self.error_scale, || {
            let magnitudes = self.case.as_ref().map(|case| case.loss.error_scale(&Inputs::from(case)));
            // A loss that has a value has these, too.
            magnitudes.and_then(Result::ok).unwrap_or_else(|| self.results.clone())
        })
    }

    /// Returns, for each number of the exact results, by how much it may jump if intermediate results are rounded; `None` if
    /// nothing may jump.
    pub fn jumps(&self) -> Option<&ValueAndGradients<DoubleDouble>> {
        let of_case = |case: &Case| case.loss.jumps(&Inputs::from(case)).ok().flatten();
        once(&self.jumps, || self.case.as_ref().and_then(of_case)).as_ref()
    }

    /// Returns whether a tensor, the loss of an element or its slope comes near the end of the dtype's range
    /// (`near_largest`). An intermediate result may overflow then, so infinity and NaN are no fault, though the exact result
    /// is in range.
    pub fn overflows(&self) -> bool {
        self.known_overflows().somewhere
    }

    /// Returns whether one of the parts that a number of an output is made of comes near the end of the range: see
    /// [`ExactAnswer::overflows`].
    pub(crate) fn overflows_at(&self, output: Output, index: usize) -> bool {
        if !self.overflows() {
            return false;
        }
        let Some((case, parts)) = self.case.as_ref().and_then(|case| Some((case, Parts::new(case)?))) else {
            return true;
        };
        let overflow = once(&self.parts_that_overflow, || {
            let part = |number| part_overflows(case.dtype(), &parts.part(number));
            Some((0..parts.len()).map(part).collect())
        });
        let shape = self.results.outputs().find(|(own, _)| *own == output).map(|(_, array)| array.shape());
        let (Some(overflow), Some(shape)) = (overflow, shape) else { return true };
        parts.of(output, shape, index).into_iter().any(|number| overflow[number])
    }

    /// Returns whether every loss is finite and their sum was not, on the way at least: its terms may yet cancel.
    pub fn sums_overflow(&self) -> bool {
        self.known_overflows().in_sums
    }

    fn known_overflows(&self) -> &Overflows {
        once(&self.overflows, || {
            let of_case = |case: &Case| {
                let inputs = Inputs::from(case);
                let somewhere = overflows(case, &inputs)?;
                let in_sums = somewhere
                    && is_infinite(&self.results)
                    && !is_infinite(&case.loss.unreduced().evaluate(&inputs, Outputs::Value)?);
                Ok::<_, Error>(Overflows { somewhere, in_sums })
            };
            // A loss that has a value has those of its elements or rows, too.
            self.case.as_ref().and_then(|case| of_case(case).ok()).unwrap_or_default()
        })
    }

    /// Returns what the indices are chosen from that the value consists of, if it does.
    pub fn argmax_candidates(&self) -> Option<&ArgmaxCandidates> {
        let of_case = |case: &Case| {
            ArgmaxCandidates::new(&case.loss.argmax_candidates()?, &Inputs::from(case), case.dtype()).ok()
        };
        once(&self.candidates, || self.case.as_ref().and_then(of_case)).as_ref()
    }
}

/// Returns what a cell holds, after filling it if it is empty.
///
/// Unlike [`OnceLock::get_or_init`] it does the work outside of the lock. A thread of rayon that waits for a part of the work
/// may take up another task meanwhile, and if that came upon the same lock, it would wait for itself.
pub(crate) fn once<T>(cell: &OnceLock<T>, work: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(known) => known,
        None => {
            let result = work();
            cell.get_or_init(|| result)
        }
    }
}

/// Numbers that an answer of indices is chosen from, a row for each index.
#[derive(Clone, Debug)]
pub struct ArgmaxCandidates {
    exact: Vec<DoubleDouble>,
    magnitudes: Vec<DoubleDouble>,
    /// For each row, what its numbers that are NaN are together by the scores of their clusters alone; NaN where these are.
    hidden: Vec<DoubleDouble>,
    width: usize,
    dtype: DType,
}

impl ArgmaxCandidates {
    fn new(loss: &Loss, inputs: &Inputs<DoubleDouble>, dtype: DType) -> Result<Self, Error> {
        let exact = loss.evaluate(inputs, Outputs::Value)?.value;
        let width = exact.shape().last().copied().unwrap_or(1);
        let magnitudes = loss.error_scale(inputs)?.value.into_iter().collect();
        let exact: Vec<DoubleDouble> = exact.into_iter().collect();
        let mut candidates = Self { exact, magnitudes, hidden: Vec::new(), width, dtype };
        if candidates.exact.iter().any(|x| x.is_nan()) {
            candidates.look_at_clusters(loss, &inputs.with_empty_tails())?;
        }
        Ok(candidates)
    }

    /// Fills in what the numbers that are NaN are by the scores of their clusters, and how large the terms of these are.
    /// A cluster is chosen by its own score, whatever is in its tail.
    fn look_at_clusters(&mut self, loss: &Loss, inputs: &Inputs<DoubleDouble>) -> Result<(), Error> {
        let scores = loss.evaluate(inputs, Outputs::Value)?.value;
        let magnitudes = loss.error_scale(inputs)?.value;
        let mut together = vec![DoubleDouble::ZERO; self.exact.len() / self.width.max(1)];
        for (at, (score, magnitude)) in scores.into_iter().zip(magnitudes).enumerate() {
            if self.exact[at].is_nan() {
                self.magnitudes[at] = magnitude;
                together[at / self.width] = together[at / self.width] + score.exp();
            }
        }
        self.hidden = together.into_iter().map(Real::ln).collect();
        Ok(())
    }

    /// How much smaller the number is that `chosen` names than that of the exact choice, in ULPs at the sum of their
    /// magnitudes: rounding may turn the choice of such that are no farther apart than the errors of both. A number that is NaN
    /// by the tail of its cluster is as large as the cluster. `None` where `chosen` names none, or either is no number that others
    /// can be compared with.
    pub fn distance(&self, row: usize, exact: DoubleDouble, chosen: f64) -> Option<f64> {
        let exact = exact.to_f64();
        if exact == chosen {
            return Some(0.0);
        }
        let at = |index: f64| {
            if !(index >= 0.0 && index < self.width as f64 && index.fract() == 0.0) {
                return None;
            }
            let at = row * self.width + index as usize;
            Some((*self.exact.get(at)?, *self.magnitudes.get(at)?))
        };
        let ((best, best_magnitude), (own, own_magnitude)) = (at(exact)?, at(chosen)?);
        let hidden = |x: DoubleDouble| if x.is_nan() { self.hidden.get(row).copied().unwrap_or(x) } else { x };
        if best.is_nan() && own.is_nan() {
            return None;
        }
        let (best, own) = (hidden(best), hidden(own));
        if best.is_nan() || own.is_nan() {
            return None;
        }
        distance(self.dtype, best, best_magnitude + own_magnitude, own.to_f64())
    }
}

/// The exact answers to a case, one for each slope where a hinge is exactly 0. Each is worked out when it is first asked for.
#[derive(Debug)]
pub struct ExactAnswers<'a> {
    case: &'a Case,
    current: OnceLock<Result<ExactAnswer, Error>>,
    older: OnceLock<Result<ExactAnswer, Error>>,
}

impl<'a> ExactAnswers<'a> {
    /// Gets ready to evaluate a case.
    pub fn new(case: &'a Case) -> Self {
        Self { case, current: OnceLock::new(), older: OnceLock::new() }
    }

    /// Returns the exact answer with a slope.
    ///
    /// # Errors
    ///
    /// Returns an error if the loss has no value for the inputs and options of the case.
    pub fn with(&self, slope: SlopeAtKink) -> &Result<ExactAnswer, Error> {
        if matters(slope, self.case) {
            once(&self.older, || evaluate_with(self.case, slope))
        } else {
            once(&self.current, || evaluate(self.case))
        }
    }
}

/// Returns whether the exact answer to a case depends on it that the slope at a kink is this one, and not the current one.
pub(crate) fn matters(slope: SlopeAtKink, case: &Case) -> bool {
    slope != SlopeAtKink::default() && case.loss.kind().has_kink()
}

/// Evaluates a case exactly.
///
/// # Errors
///
/// Returns an error if the loss has no value for the inputs and options of the case.
pub fn evaluate(case: &Case) -> Result<ExactAnswer, Error> {
    evaluate_with(case, SlopeAtKink::default())
}

/// Evaluates a case exactly, with this slope where a hinge is exactly 0.
///
/// # Errors
///
/// Returns an error if the loss has no value for the inputs and options of the case.
pub fn evaluate_with(case: &Case, slope: SlopeAtKink) -> Result<ExactAnswer, Error> {
    let (error_scale, jumps, overflows, parts_that_overflow, candidates) = Default::default();
    let (case, results) = (Some(Case { expected: None, ..case.clone() }), results(case, slope)?);
    Ok(ExactAnswer { results, case, error_scale, jumps, overflows, parts_that_overflow, candidates })
}

/// From so many numbers on, those of narrower dtypes are judged by f64.
pub const LARGE: usize = 4096;

/// Whether a case has so many numbers that wide arithmetic takes long.
pub(crate) fn is_large(case: &Case) -> bool {
    let floats = case.inputs.values().filter(|tensor| tensor.dtype().is_float());
    floats.map(Tensor::len).sum::<usize>() >= LARGE
}

/// Whether the exact answer to a case is the one in f64.
pub(crate) fn is_exact_in_f64(case: &Case) -> bool {
    case.dtype() != DType::F64 && is_large(case)
}

/// Wide arithmetic takes a microsecond for a number. The same formulas in f64 take a small part of that, are off by some
/// 2^-29 of what narrower dtypes are, and are themselves judged in wide arithmetic by the cases in f64.
///
/// The slope at a kink is worked out in wide arithmetic alone, which is compiled for it.
fn results(case: &Case, slope: SlopeAtKink) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    if matters(slope, case) || !is_exact_in_f64(case) {
        return case.loss.evaluate_exactly(&Inputs::from(case), slope);
    }
    let in_f64 = case.loss.evaluate(&Inputs::<f64>::from(case), Outputs::Gradients)?;
    Ok(in_f64.map(|array| array.mapv(DoubleDouble::from_f64)))
}

/// Whether a number of the value is infinite or NaN.
fn is_infinite(evaluation: &ValueAndGradients<DoubleDouble>) -> bool {
    evaluation.value.iter().any(|x| !x.to_f64().is_finite())
}

/// See [`ExactAnswer::overflows`].
pub(crate) fn overflows(case: &Case, inputs: &Inputs<DoubleDouble>) -> Result<bool, Error> {
    let end = near_largest(case.dtype());
    let exceeds = |limit: f64| {
        let floats = case.inputs.values().chain(&case.cotangent).filter(|tensor| tensor.dtype().is_float());
        floats.flat_map(|tensor| tensor.to_f64()).any(|x| x.abs() > limit && x.is_finite())
    };
    if exceeds(end) {
        return Ok(true);
    }
    // A variance divides twice, and a Poisson rate once.
    let divisor = match &case.loss {
        Loss::GaussianNllLoss(_) => case.input("var"),
        Loss::PoissonNllLoss(loss) if !loss.log_input => case.input("input"),
        _ => None,
    };
    let is_tiny = |x: f64| x != 0.0 && x.abs() < end.ln() / end.sqrt();
    let divisor_is_tiny = || divisor.is_some_and(|divisor| divisor.to_f64().into_iter().any(is_tiny));
    // No other loss grows faster than the exponential of its tensors.
    if !exceeds(end.ln()) && !divisor_is_tiny() {
        return Ok(false);
    }
    // Weights and cotangents of 0 do not undo an overflow.
    let each = case.loss.unreduced().error_scale(&inputs.without_factors())?;
    Ok(each.outputs().any(|(_, magnitudes)| magnitudes.iter().any(|x| x.abs().to_f64() > end)))
}

/// Returns whether a part of a case comes near the end of the dtype's range, or has no loss by itself.
fn part_overflows(dtype: DType, part: &Part) -> bool {
    let is_near_end = |x: &f64| x.abs() > near_largest(dtype) && x.is_finite();
    part.cotangents.iter().any(is_near_end) || overflows(&part.case, &Inputs::from(&part.case)).unwrap_or(true)
}
