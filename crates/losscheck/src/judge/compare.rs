//! Comparing an answer with the exact one, number by number.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use losscheck_reference::{DoubleDouble, Real};
use ndarray::ArrayD;

use super::MeasuredAt;
use super::oracle::ExactAnswer;
use super::rules::Number;
use super::tolerance::tolerance;
use super::ulp::Near;
use super::verdict::{Difference, DifferenceKind, Verdict, WrongNumber, WrongNumbers};
use crate::case::{Answer, Case, Tolerance};
use crate::loss::Output;
use crate::tensor::Tensor;

/// What an answer is compared with.
pub(super) struct Expectation<'a> {
    /// What messages call the exact numbers.
    pub(super) called: &'static str,
    /// The exact answer.
    pub(super) exact: &'a ExactAnswer,
    /// PyTorch's answer: a number may be as far from it as from the exact one.
    pub(super) golden: Option<&'a Answer>,
    /// Where errors are measured.
    pub(super) measured_at: MeasuredAt,
    /// How far numbers may be off besides, because they are not given in full.
    pub(super) given_to: Option<Tolerance>,
}

impl Expectation<'_> {
    /// Compares the outputs that are asked for.
    pub(super) fn compare(&self, case: &Case, answer: &Answer, is_asked_for: impl Fn(Output) -> bool) -> Verdict {
        let mut found = Found::default();
        let outputs = self.exact.results.outputs().enumerate();
        for (at, (output, exact)) in outputs.filter(|&(_, (output, _))| is_asked_for(output)) {
            let of_shape = |message| Difference {
                output: Some(output),
                ..Difference::whole(DifferenceKind::Shape, format!("{output}: {message}"))
            };
            match answer.output(output) {
                None => found.differences.push(of_shape("missing".to_owned())),
                Some(actual) if actual.shape() != exact.shape() => {
                    let (actual, expected) = (actual.shape(), exact.shape());
                    found.differences.push(of_shape(format!("shape {actual:?}, expected {expected:?}")));
                }
                Some(actual) => self.compare_output(case, (at, output, exact), actual, &mut found),
            }
        }
        match found {
            Found { differences, like_pytorch } if !differences.is_empty() => {
                Verdict::Differs { differences, like_pytorch }
            }
            Found { like_pytorch, .. } if !like_pytorch.is_empty() => Verdict::LikePyTorch(like_pytorch),
            _ => Verdict::Agrees,
        }
    }

    /// Adds the differences of each kind in one output, which is at this place among all.
    fn compare_output(
        &self,
        case: &Case,
        (at, output, exact): (usize, Output, &ArrayD<DoubleDouble>),
        actual: &Tensor,
        found: &mut Found,
    ) {
        let (dtype, tolerance) = (actual.dtype(), tolerance(case.loss.kind(), output, actual.dtype()));
        let golden = self.golden.and_then(|golden| golden.output(output)).filter(|golden| golden.len() == actual.len());
        let golden = golden.map(Tensor::to_f64);
        // These take long to work out, and are rarely asked for.
        let scales: LazyCell<Vec<DoubleDouble>, _> = LazyCell::new(|| {
            let of_output = self.exact.error_scale().outputs().nth(at);
            of_output.into_iter().flat_map(|(_, scales)| scales).copied().collect()
        });
        let jumps: LazyCell<Vec<DoubleDouble>, _> = LazyCell::new(|| {
            let of_output = self.exact.jumps().and_then(|jumps| jumps.outputs().nth(at));
            of_output.into_iter().flat_map(|(_, jumps)| jumps).copied().collect()
        });
        let near = Near::new(dtype, tolerance);
        let is_tolerated = |ulps: Option<f64>| ulps.is_some_and(|ulps| ulps <= tolerance);
        let (mut wrong, mut like_pytorch) = (BTreeMap::new(), BTreeMap::new());
        for (index, (&exact, actual)) in exact.iter().zip(actual.to_f64()).enumerate() {
            if near.to(exact.to_f64(), actual) {
                continue;
            }
            let number = Number { answer: self.exact, output, dtype, index, exact, actual };
            let plain = number.distance_from(exact, exact);
            // The terms are no smaller than what they add up to.
            if is_tolerated(plain) || self.given_to.is_some_and(|given_to| is_given_to(given_to, exact, actual)) {
                continue;
            }
            let scale = scales.get(index).copied().unwrap_or(exact);
            let at_scale = number.distance_from(exact, scale);
            let (decides, from) = match self.measured_at {
                MeasuredAt::ErrorScale => (at_scale, scale),
                MeasuredAt::ExactNumber => (plain, exact),
            };
            let may_jump = || jumps.get(index).is_some_and(|&jump| number.may_jump(jump, from, tolerance));
            if is_tolerated(decides) || number.may_underflow() || number.may_overflow() || may_jump() {
                continue;
            }
            let pytorch = golden.as_ref().map(|golden| golden[index]);
            let from_pytorch = pytorch.and_then(|pytorch| number.distance_from(DoubleDouble::from_f64(pytorch), from));
            let (exact, scale) = (exact.to_f64(), scale.abs().maximum(exact.abs()).to_f64());
            let [ulps, plain_ulps] = [at_scale, plain].map(|ulps| ulps.unwrap_or(f64::INFINITY));
            let to = if is_tolerated(from_pytorch) { &mut like_pytorch } else { &mut wrong };
            let of_kind = to.entry(kind_of(exact, actual)).or_insert_with(Vec::new);
            of_kind.push(WrongNumber { index, actual, exact, pytorch, ulps, plain_ulps, scale });
        }
        let differences = |numbers: BTreeMap<DifferenceKind, Vec<WrongNumber>>| {
            let of_output = |numbers| {
                let (shape, called, measured_at) = (actual.shape().to_vec(), self.called, self.measured_at);
                WrongNumbers { output, dtype, shape, called, measured_at, numbers }
            };
            numbers.into_iter().filter_map(move |(kind, numbers)| Difference::of_numbers(kind, of_output(numbers)))
        };
        found.differences.extend(differences(wrong));
        found.like_pytorch.extend(differences(like_pytorch));
    }
}

/// What a comparison has found.
#[derive(Default)]
struct Found {
    /// Differences from both the oracle and PyTorch.
    differences: Vec<Difference>,
    /// Differences from the oracle that PyTorch has, too.
    like_pytorch: Vec<Difference>,
}

/// Returns whether a number may be the exact one, written to so many digits or up to such a relative error.
fn is_given_to(given_to: Tolerance, exact: DoubleDouble, actual: f64) -> bool {
    let relative = match given_to {
        // The last of the digits is rounded.
        Tolerance::Digits(digits) => 0.5 * 10f64.powf(1.0 - f64::from(digits)),
        Tolerance::Relative(relative) => relative,
    };
    let error = (DoubleDouble::from_f64(actual) - exact).abs().to_f64();
    error.is_finite() && error <= relative * exact.to_f64().abs()
}

/// Returns how a number that is not right differs from the right one.
fn kind_of(exact: f64, actual: f64) -> DifferenceKind {
    match () {
        () if actual.is_nan() => DifferenceKind::Nan,
        () if actual.is_infinite() => DifferenceKind::Infinity,
        () if !exact.is_finite() => DifferenceKind::Finite,
        () if actual == 0.0 => DifferenceKind::Zero,
        () => DifferenceKind::Off,
    }
}
