//! Losses of one number, all others fixed: over 16 and 32 bits they can be gone through number by number.
//!
//! For f32 the 2^32 results are screened by the f64 kernels of the same formulas, whose error is no more than a few 2^-29
//! of a ULP of f32, as [`SCREEN`]'s rows show; the oracle then measures the worst ones.

use std::ops::Range;

use half::{bf16, f16};
use losscheck_reference::{DoubleDouble, Real};
use rayon::prelude::*;

use super::{Exact, Histogram, InputSet, Key, Measure, NumberError, Row, Rows, SCREEN, answer};
use crate::backend::Backend;
use crate::case::Case;
use crate::loss::{Inputs, LossExt, LossKind, Output, Outputs, ValueAndGradients};
use crate::tensor::{DType, Data, Tensor};

/// A loss of one number.
#[derive(Debug)]
pub struct Sweep {
    /// The name.
    pub name: &'static str,
    /// The loss, with the defaults of its options but for the reduction, which is none.
    pub loss: LossKind,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Number(f64),
    /// The number is the score of class 0, which is the right one; that of class 1 is 0.
    FirstOfTwo,
}

/// Every slice.
pub const SWEEPS: &[Sweep] = &[
    sweep("logit of target 0", LossKind::BinaryCrossEntropyWithLogits, Target::Number(0.0)),
    sweep("logit of target 1", LossKind::BinaryCrossEntropyWithLogits, Target::Number(1.0)),
    sweep("score of the right class of two", LossKind::CrossEntropy, Target::FirstOfTwo),
    sweep("score of label 1", LossKind::SoftMarginLoss, Target::Number(1.0)),
    sweep("score of label -1", LossKind::SoftMarginLoss, Target::Number(-1.0)),
    sweep("distance of label 1", LossKind::HingeEmbeddingLoss, Target::Number(1.0)),
    sweep("distance of label -1", LossKind::HingeEmbeddingLoss, Target::Number(-1.0)),
    sweep("difference in Huber's loss", LossKind::HuberLoss, Target::Number(0.0)),
    sweep("difference in smooth L1", LossKind::SmoothL1Loss, Target::Number(0.0)),
    sweep("difference in MSE", LossKind::MseLoss, Target::Number(0.0)),
    sweep("difference in L1", LossKind::L1Loss, Target::Number(0.0)),
    sweep("log-rate of count 0", LossKind::PoissonNllLoss, Target::Number(0.0)),
    sweep("log-rate of count 1", LossKind::PoissonNllLoss, Target::Number(1.0)),
];

const fn sweep(name: &'static str, loss: LossKind, target: Target) -> Sweep {
    Sweep { name, loss, target }
}

/// Into how many pieces 2^32 numbers are divided: each is a few seconds to a minute of work.
pub(super) const PIECES: u64 = 64;
/// How many finite numbers f32 has.
pub(super) const FINITE_NUMBERS: u64 = (1 << 32) - (1 << 24);
/// How many numbers a backend is given at a time: the tensors stay in the cache.
const CHUNK: u64 = 1 << 15;
/// Of so many numbers, the oracle looks at one whatever the screen says.
const SAMPLE: usize = 1 << 12;
/// A witness holds so many copies, for libraries compute whole vectors in another way than what is left over.
const COPIES: usize = 32;

/// The numbers of a dtype whose bits are in that range.
fn numbers(dtype: DType, bits: Range<u64>) -> Vec<f64> {
    let number = |bits: u64| match dtype {
        DType::F16 => f16::from_bits(bits as u16).to_f64(),
        DType::BF16 => bf16::from_bits(bits as u16).to_f64(),
        _ => f64::from(f32::from_bits(bits as u32)),
    };
    bits.map(number).filter(|x| x.is_finite()).collect()
}

impl Sweep {
    /// The case of these numbers.
    fn case(&self, dtype: DType, numbers: &[f64]) -> Case {
        let count = numbers.len();
        let tensor = |shape: &[usize], data| Tensor::new(shape.to_vec(), data).expect("as many as the shape asks for");
        let (input, target) = match self.target {
            Target::Number(target) => (
                tensor(&[count], Data::rounded(dtype, numbers.iter().copied())),
                tensor(&[count], Data::rounded(dtype, std::iter::repeat_n(target, count))),
            ),
            Target::FirstOfTwo => (
                tensor(&[count, 2], Data::rounded(dtype, numbers.iter().flat_map(|&x| [x, 0.0]))),
                tensor(&[count], Data::I64(vec![0; count])),
            ),
        };
        let loss = self.loss.defaults().unreduced();
        let inputs = [("input".to_owned(), input), ("target".to_owned(), target)].into();
        let id = format!("{}/{}/{}", self.loss.name(), dtype.name(), self.name.replace(' ', "-"));
        Case::new(id, loss, inputs)
    }

    /// The case of copies of one number.
    fn witness(&self, dtype: DType, number: f64) -> Case {
        let mut case = self.case(dtype, &[number; COPIES]);
        case.id = format!("{}/{number:e}", case.id);
        case
    }

    fn key(&self, dtype: DType, output: Output, backend: &str) -> Key {
        let inputs = InputSet::Every(self.name);
        Key { loss: self.loss, inputs, dtype, output, backend: backend.to_owned() }
    }

    /// The rows of all 2^16 numbers of a dtype, by the oracle.
    pub(super) fn of_16_bits(&self, dtype: DType, backends: &[&dyn Backend]) -> Rows {
        let numbers = numbers(dtype, 0..1 << 16);
        let mut rows = Rows::default();
        for numbers in numbers.chunks(1 << 12) {
            let case = self.case(dtype, numbers);
            let exact = Exact::of_elements(&case).expect("a slice is accepted");
            for backend in backends {
                let errors = answer(*backend, &case).map_or_else(Vec::new, |answer| exact.errors(&answer));
                for error in errors.iter().filter(|error| is_measured(error.output)) {
                    let row = rows.0.entry(self.key(dtype, error.output, backend.name())).or_default();
                    let per_number = exact.per_number(error.output, numbers.len());
                    let number = numbers[error.at / per_number];
                    // Of the witness the first copy.
                    let error = &NumberError { at: error.at % per_number, ..*error };
                    if row.is_worst(error) {
                        row.consider(error, Some(&self.witness(dtype, number)));
                    }
                    row.count(error);
                }
            }
        }
        rows
    }

    /// The rows of one piece of the 2^32 numbers of f32; `progress` hears of each chunk, of which there are
    /// [`chunks`].
    pub(super) fn of_32_bits(&self, piece: u64, backends: &[&dyn Backend], progress: &(dyn Fn() + Sync)) -> Rows {
        let size = (1u64 << 32) / PIECES;
        let start = piece * size;
        let worst = (0..size / CHUNK)
            .into_par_iter()
            .map(|chunk| {
                let from = start + chunk * CHUNK;
                let screened = self.screen(&numbers(DType::F32, from..from + CHUNK), backends);
                progress();
                screened
            })
            .reduce(Vec::new, merged);
        let mut rows = Rows::default();
        for Screened { output, backend, histogram, worst, number } in worst {
            let case = self.witness(DType::F32, number);
            let mut measure = Measure { histogram, ..Measure::default() };
            if worst > 0.0 {
                self.confirm(&case, output, &backend, backends, worst, &mut measure);
            }
            rows.0.insert(self.key(DType::F32, output, &backend), Row { plain: measure, scaled: None });
        }
        rows
    }

    /// The oracle's word on the worst number of a piece.
    fn confirm(
        &self,
        case: &Case,
        output: Output,
        backend: &str,
        backends: &[&dyn Backend],
        screened: f64,
        measure: &mut Measure,
    ) {
        let exact = Exact::of_elements(case).expect("a slice is accepted");
        let answer = backends.iter().find(|known| known.name() == backend).and_then(|known| answer(*known, case));
        let errors = answer.map_or_else(Vec::new, |answer| exact.errors(&answer));
        let worst = errors.iter().filter(|error| error.output == output).max_by(|a, b| a.plain.total_cmp(&b.plain));
        match worst {
            Some(error) => measure.consider(error.plain, error, Some(case)),
            None => measure.worst = screened,
        }
    }

    fn screen(&self, numbers: &[f64], backends: &[&dyn Backend]) -> Vec<Screened> {
        if numbers.is_empty() {
            return Vec::new();
        }
        let case = self.case(DType::F32, numbers);
        let exact = case.loss.evaluate::<f64>(&Inputs::from(&case), Outputs::Gradients).expect("a slice is accepted");
        let mut screened = vec![];
        for (output, exact) in exact.outputs().filter(|(output, _)| is_measured(*output)) {
            let exact = exact.as_slice().expect("a result of the reference is contiguous");
            let per_number = exact.len() / numbers.len();
            screened.push(self.sampled(numbers, output, exact, per_number));
        }
        for backend in backends {
            let Some(answer) = answer(*backend, &case) else { continue };
            for (output, exact) in exact.outputs().filter(|(output, _)| is_measured(*output)) {
                if let Some(Data::F32(actual)) = answer.output(output).map(Tensor::data)
                    && let Some(exact) = exact.as_slice()
                {
                    screened.push(Screened::new(output, backend.name(), exact, actual, numbers));
                }
            }
        }
        screened
    }

    /// How far the screen is from the oracle, in ULPs of f32.
    fn sampled(&self, numbers: &[f64], output: Output, screen: &[f64], per_number: usize) -> Screened {
        let chosen: Vec<usize> = (0..numbers.len()).step_by(SAMPLE).collect();
        let case = self.case(DType::F32, &chosen.iter().map(|&at| numbers[at]).collect::<Vec<_>>());
        let exact: ValueAndGradients<DoubleDouble> =
            case.loss.evaluate(&Inputs::from(&case), Outputs::Gradients).expect("a slice is accepted");
        let mut screened = Screened::nothing(output, SCREEN);
        let of_output = exact.outputs().find(|(known, _)| *known == output);
        for (at, &exact) in of_output.into_iter().flat_map(|(_, array)| array).enumerate() {
            let (number, part) = (chosen[at / per_number], at % per_number);
            let error = (DoubleDouble::from_f64(screen[number * per_number + part]) - exact).abs();
            screened.add(error.to_f64() / DType::F32.format().ulp(exact.abs().to_f64()), numbers[number]);
        }
        screened
    }
}

impl Exact {
    /// How many numbers of an output belong to one of so many inputs.
    fn per_number(&self, output: Output, numbers: usize) -> usize {
        self.results.outputs().find(|(known, _)| *known == output).map_or(1, |(_, array)| array.len() / numbers)
    }
}

/// Whether the errors of an output are of interest: those of the number alone.
fn is_measured(output: Output) -> bool {
    matches!(output, Output::Value | Output::Gradient("input"))
}

/// How many chunks a piece has.
pub(super) fn chunks() -> u64 {
    (1 << 32) / PIECES / CHUNK
}

/// What the screen says of one output on one backend.
struct Screened {
    output: Output,
    backend: String,
    histogram: Histogram,
    worst: f64,
    /// The number with the worst error.
    number: f64,
}

impl Screened {
    fn nothing(output: Output, backend: &str) -> Self {
        Self { output, backend: backend.to_owned(), histogram: Histogram::default(), worst: 0.0, number: 0.0 }
    }

    fn new(output: Output, backend: &str, exact: &[f64], actual: &[f32], numbers: &[f64]) -> Self {
        let mut screened = Self::nothing(output, backend);
        let per_number = exact.len() / numbers.len();
        for (at, (&exact, &actual)) in exact.iter().zip(actual).enumerate() {
            let actual = f64::from(actual);
            let ulps = (actual - exact).abs() / DType::F32.format().ulp(exact.abs());
            let ulps = if ulps.is_finite() && actual.is_finite() { ulps } else { not_finite(exact, actual) };
            screened.add(ulps, numbers[at / per_number]);
        }
        screened
    }

    #[inline(always)]
    fn add(&mut self, ulps: f64, number: f64) {
        self.histogram.count(ulps);
        if ulps > self.worst {
            (self.worst, self.number) = (ulps, number);
        }
    }
}

/// The error where a number is not finite: none where both round to the same.
#[cold]
fn not_finite(exact: f64, actual: f64) -> f64 {
    let rounded = f64::from(exact as f32);
    let is_same = rounded == actual || rounded.is_nan() && actual.is_nan();
    if is_same { 0.0 } else { f64::INFINITY }
}

/// What two stretches of numbers say together.
fn merged(a: Vec<Screened>, b: Vec<Screened>) -> Vec<Screened> {
    let mut all = a;
    for other in b {
        match all.iter_mut().find(|known| (known.output, &known.backend) == (other.output, &other.backend)) {
            None => all.push(other),
            Some(known) => {
                known.histogram.merge(other.histogram);
                if other.worst > known.worst {
                    (known.worst, known.number) = (other.worst, other.number);
                }
            }
        }
    }
    all
}
