//! The truth: the reference's formulas in wide arithmetic.

use std::sync::OnceLock;

use losscheck_reference::{Error, Real, Wide};
use ndarray::ArrayD;

use crate::case::Case;
use crate::definition::{Arrays, Evaluation, Wanted};
use crate::loss::Loss;
use crate::tensor::{DType, Tensor};
use crate::ulp::{distance, largest};

/// What a case's results are in exact arithmetic.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The value and the gradients, to about 100 bits; from [`MANY`] numbers narrower than f64 on, in f64.
    pub exact: Evaluation<Wide>,
    /// Whether a tensor, the loss of an element or its slope comes near the end of the dtype's range (`near_largest`).
    /// An intermediate result may overflow then, so infinity and NaN are no fault, though the exact result is in range.
    pub overflows: bool,
    /// Whether every loss is finite and their sum was not, on the way at least: its terms may yet cancel.
    pub sums_overflow: bool,
    /// Where the value consists of indices, what these are chosen from.
    pub contenders: Option<Contenders>,
    magnitudes: Magnitudes,
}

/// Most results are so near to the exact ones that nobody asks for these, and they take as long as the exact ones.
#[derive(Clone, Debug)]
struct Magnitudes {
    of: Option<Case>,
    known: OnceLock<Evaluation<Wide>>,
}

impl Truth {
    /// Of numbers none of which comes near the end of the range.
    pub fn in_range(exact: Evaluation<Wide>, magnitudes: Evaluation<Wide>) -> Self {
        let magnitudes = Magnitudes { of: None, known: OnceLock::from(magnitudes) };
        Self { exact, overflows: false, sums_overflow: false, contenders: None, magnitudes }
    }

    /// For each number of the exact results, the sum of the magnitudes of the terms that the documented formula adds up to
    /// it; worked out when it is first asked for.
    pub fn magnitudes(&self) -> &Evaluation<Wide> {
        let Magnitudes { of, known } = &self.magnitudes;
        known.get_or_init(|| {
            let magnitudes = of.as_ref().map(|case| case.loss.magnitudes(&Arrays::new(case)));
            // A loss that has a value has these, too.
            magnitudes.and_then(Result::ok).unwrap_or_else(|| self.exact.clone())
        })
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
            let is_index = index >= 0.0 && index < self.width as f64 && index.fract() == 0.0;
            let at = row * self.width + index as usize;
            Some((*self.exact.get(at).filter(|_| is_index)?, *self.magnitudes.get(at)?))
        };
        let ((best, best_magnitude), (own, own_magnitude)) = (at(exact)?, at(chosen)?);
        if best.is_nan() || own.is_nan() {
            return None;
        }
        distance(self.dtype, best, best_magnitude + own_magnitude, own.to_f64())
    }
}

/// The truth about a case.
///
/// # Errors
///
/// Where the loss has no value for the case's inputs and options.
pub fn truth(case: &Case) -> Result<Truth, Error> {
    let inputs = Arrays::new(case);
    let exact = exact(case, &inputs)?;
    let magnitudes = Magnitudes { of: Some(Case { expected: None, ..case.clone() }), known: OnceLock::new() };
    let contenders = case.loss.contenders().map(|loss| Contenders::new(&loss, &inputs, case.dtype())).transpose()?;
    let overflows = overflows(case, &inputs)?;
    let sums_overflow =
        overflows && is_infinite(&exact) && !is_infinite(&case.loss.unreduced().evaluate(&inputs, Wanted::Value)?);
    Ok(Truth { exact, overflows, sums_overflow, contenders, magnitudes })
}

/// From so many numbers on, those of narrower dtypes are judged by f64.
pub const MANY: usize = 4096;

/// Wide arithmetic takes a microsecond for a number. The same formulas in f64 take a small part of that, are off by some
/// 2^-29 of what narrower dtypes are, and are themselves judged in wide arithmetic by the cases in f64.
fn exact(case: &Case, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
    let floats = case.inputs.values().filter(|tensor| tensor.dtype().is_float());
    if case.dtype() == DType::F64 || floats.map(Tensor::len).sum::<usize>() < MANY {
        return case.loss.evaluate(inputs, Wanted::Gradients);
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
