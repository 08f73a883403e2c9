//! The truth: the reference's formulas in wide arithmetic.

pub(crate) mod approximation;

use std::sync::OnceLock;

use losscheck_reference::{Error, Real, Wide};
use ndarray::ArrayD;

use crate::case::Case;
use crate::definition::{Arrays, Evaluation, Wanted};
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};
use crate::ulp::{distance, largest};

/// What a case's results are in exact arithmetic.
///
/// All but the results is worked out from the case when it is first asked for. Most answers are so near to the exact results
/// that nobody asks.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The value and the gradients, to about 100 bits; from [`MANY`] numbers narrower than f64 on, in f64.
    pub exact: Evaluation<Wide>,
    /// What the rest is worked out from; absent if it is given.
    case: Option<Case>,
    magnitudes: OnceLock<Evaluation<Wide>>,
    overflows: OnceLock<Overflows>,
    contenders: OnceLock<Option<Contenders>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Overflows {
    /// See [`Truth::overflows`].
    somewhere: bool,
    /// See [`Truth::sums_overflow`].
    in_sums: bool,
}

impl Truth {
    /// Returns the truth about numbers none of which comes near the end of the range.
    pub fn in_range(exact: Evaluation<Wide>, magnitudes: Evaluation<Wide>) -> Self {
        let (magnitudes, overflows) = (OnceLock::from(magnitudes), OnceLock::from(Overflows::default()));
        Self { exact, case: None, magnitudes, overflows, contenders: OnceLock::from(None) }
    }

    /// Returns this truth, with intermediate results that overflow if those of another do.
    #[must_use]
    pub fn overflowing_as(self, other: &Self) -> Self {
        Self { overflows: OnceLock::from(*other.known_overflows()), ..self }
    }

    /// Returns for each number of the exact results the sum of the magnitudes of the terms that the documented formula adds
    /// up to it.
    pub fn magnitudes(&self) -> &Evaluation<Wide> {
        once(&self.magnitudes, || {
            let magnitudes = self.case.as_ref().map(|case| case.loss.magnitudes(&Arrays::new(case)));
            // A loss that has a value has these, too.
            magnitudes.and_then(Result::ok).unwrap_or_else(|| self.exact.clone())
        })
    }

    /// Returns whether a tensor, the loss of an element or its slope comes near the end of the dtype's range
    /// (`near_largest`). An intermediate result may overflow then, so infinity and NaN are no fault, though the exact result
    /// is in range.
    pub fn overflows(&self) -> bool {
        self.known_overflows().somewhere
    }

    /// Returns whether every loss is finite and their sum was not, on the way at least: its terms may yet cancel.
    pub fn sums_overflow(&self) -> bool {
        self.known_overflows().in_sums
    }

    fn known_overflows(&self) -> &Overflows {
        once(&self.overflows, || {
            let of_case = |case: &Case| {
                let inputs = Arrays::new(case);
                let somewhere = overflows(case, &inputs)?;
                let in_sums = somewhere
                    && is_infinite(&self.exact)
                    && !is_infinite(&case.loss.unreduced().evaluate(&inputs, Wanted::Value)?);
                Ok::<_, Error>(Overflows { somewhere, in_sums })
            };
            // A loss that has a value has those of its elements or rows, too.
            self.case.as_ref().and_then(|case| of_case(case).ok()).unwrap_or_default()
        })
    }

    /// Returns what the indices are chosen from that the value consists of, if it does.
    pub fn contenders(&self) -> Option<&Contenders> {
        let of_case = |case: &Case| Contenders::new(&case.loss.contenders()?, &Arrays::new(case), case.dtype()).ok();
        once(&self.contenders, || self.case.as_ref().and_then(of_case)).as_ref()
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
pub struct Contenders {
    exact: Vec<Wide>,
    magnitudes: Vec<Wide>,
    width: usize,
    dtype: DType,
}

impl Contenders {
    fn new(loss: &Loss, inputs: &Arrays<Wide>, dtype: DType) -> Result<Self, Error> {
        let exact = loss.evaluate(inputs, Wanted::Value)?.value;
        let width = exact.shape().last().copied().unwrap_or(1);
        let magnitudes = loss.magnitudes(inputs)?.value.into_iter().collect();
        Ok(Self { exact: exact.into_iter().collect(), magnitudes, width, dtype })
    }

    /// How much smaller the number is that `chosen` names than that of the exact choice, in ULPs at the sum of their
    /// magnitudes: rounding may turn the choice of such that are no farther apart than the errors of both. `None` where
    /// `chosen` names none, or either is no number that others can be compared with.
    pub fn distance(&self, row: usize, exact: Wide, chosen: f64) -> Option<f64> {
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
        if best.is_nan() || own.is_nan() {
            return None;
        }
        distance(self.dtype, best, best_magnitude + own_magnitude, own.to_f64())
    }
}

/// Returns the truth about a case.
///
/// # Errors
///
/// Returns an error if the loss has no value for the case's inputs and options.
pub fn truth(case: &Case) -> Result<Truth, Error> {
    let (magnitudes, overflows, contenders) = Default::default();
    let plain = Case { expected: None, ..case.clone() };
    Ok(Truth { exact: exact(case)?, case: Some(plain), magnitudes, overflows, contenders })
}

/// From so many numbers on, those of narrower dtypes are judged by f64.
pub const MANY: usize = 4096;

/// Whether a case has so many numbers that wide arithmetic takes long.
pub(crate) fn is_large(case: &Case) -> bool {
    let floats = case.inputs.values().filter(|tensor| tensor.dtype().is_float());
    floats.map(Tensor::len).sum::<usize>() >= MANY
}

/// Whether the exact answer to a case is the one in f64.
pub(crate) fn is_exact_in_f64(case: &Case) -> bool {
    case.dtype() != DType::F64 && is_large(case)
}

/// Wide arithmetic takes a microsecond for a number. The same formulas in f64 take a small part of that, are off by some
/// 2^-29 of what narrower dtypes are, and are themselves judged in wide arithmetic by the cases in f64.
fn exact(case: &Case) -> Result<Evaluation<Wide>, Error> {
    if !is_exact_in_f64(case) {
        return case.loss.evaluate(&Arrays::new(case), Wanted::Gradients);
    }
    let Evaluation { value, gradients } = case.loss.evaluate(&Arrays::<f64>::new(case), Wanted::Gradients)?;
    let wide = |array: ArrayD<f64>| array.mapv(Wide::from_f64);
    Ok(Evaluation {
        value: wide(value),
        gradients: gradients.into_iter().map(|(name, gradient)| (name, wide(gradient))).collect(),
    })
}

/// Whether a number of the value is infinite or NaN.
fn is_infinite(evaluation: &Evaluation<Wide>) -> bool {
    evaluation.value.iter().any(|x| !x.to_f64().is_finite())
}

/// From where on an intermediate result may overflow: within a factor of 2^24 of the end of the range, but 2^4 for f16,
/// whose range has no more to give.
pub(crate) fn near_largest(dtype: DType) -> f64 {
    largest(dtype) * 2f64.powi(if dtype == DType::F16 { -4 } else { -24 })
}

/// See [`Truth::overflows`].
pub(crate) fn overflows(case: &Case, inputs: &Arrays<Wide>) -> Result<bool, Error> {
    let end = near_largest(case.dtype());
    let exceeds = |limit: f64| {
        let floats = case.inputs.values().chain(&case.cotangent).filter(|tensor| tensor.dtype().is_float());
        floats.flat_map(|tensor| tensor.to_f64()).any(|x| x.abs() > limit && x.is_finite())
    };
    if exceeds(end) {
        return Ok(true);
    }
    // No loss grows faster than the exponential of its tensors.
    if !exceeds(end.ln()) {
        return Ok(false);
    }
    // Weights and cotangents of 0 do not undo an overflow.
    let each = case.loss.unreduced().magnitudes(&inputs.without_factors())?;
    Ok(each.outputs().any(|(_, magnitudes)| magnitudes.iter().any(|x| x.abs().to_f64() > end)))
}
