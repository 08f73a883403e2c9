//! Comparing an answer with the exact one, number by number.

use std::cell::LazyCell;

use losscheck_reference::{DoubleDouble, Real};
use ndarray::ArrayD;

use super::oracle::ExactAnswer;
use super::rules::Number;
use super::tolerance::tolerance;
use super::ulp::Near;
use super::verdict::{Difference, DifferenceKind, Verdict, count};
use crate::case::{Answer, Case};
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
}

impl Expectation<'_> {
    /// Compares the outputs that are asked for.
    pub(super) fn compare(&self, case: &Case, answer: &Answer, is_asked_for: impl Fn(Output) -> bool) -> Verdict {
        let mut differences = Vec::new();
        let outputs = self.exact.results.outputs().enumerate();
        for (at, (output, exact)) in outputs.filter(|&(_, (output, _))| is_asked_for(output)) {
            let of_shape = |message| Difference {
                kind: DifferenceKind::Shape,
                output: Some(output),
                ulps: f64::INFINITY,
                message,
            };
            match answer.output(output) {
                None => differences.push(of_shape(format!("{output}: missing"))),
                Some(actual) if actual.shape() != exact.shape() => {
                    let (found, expected) = (actual.shape(), exact.shape());
                    differences.push(of_shape(format!("{output}: shape {found:?}, expected {expected:?}")));
                }
                Some(actual) => self.compare_output(case, (at, output, exact), actual, &mut differences),
            }
        }
        if differences.is_empty() { Verdict::Agrees } else { Verdict::Differs(differences) }
    }

    /// Adds the worst difference of each kind in one output, which is at this place among all.
    fn compare_output(
        &self,
        case: &Case,
        (at, output, exact): (usize, Output, &ArrayD<DoubleDouble>),
        actual: &Tensor,
        differences: &mut Vec<Difference>,
    ) {
        let (dtype, tolerance) = (actual.dtype(), tolerance(case.loss.kind(), output));
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
        let mut worst: [Option<Difference>; 2] = [None, None];
        for (index, (&exact, actual)) in exact.iter().zip(actual.to_f64()).enumerate() {
            if near.to(exact.to_f64(), actual) {
                continue;
            }
            let number = Number { answer: self.exact, output, dtype, index, exact, actual };
            // The terms are no smaller than what they add up to.
            if is_tolerated(number.distance_from(exact, exact)) {
                continue;
            }
            let scale = scales.get(index).copied().unwrap_or(exact);
            let from_exact = number.distance_from(exact, scale);
            let from_golden =
                golden.as_ref().and_then(|golden| number.distance_from(DoubleDouble::from_f64(golden[index]), scale));
            let may_jump = || jumps.get(index).is_some_and(|&jump| number.may_jump(jump, scale, tolerance));
            if is_tolerated(from_exact) || is_tolerated(from_golden) || number.may_overflow() || may_jump() {
                continue;
            }
            let ulps = from_exact.unwrap_or(f64::INFINITY);
            let slot = &mut worst[usize::from(from_exact.is_some())];
            if slot.as_ref().is_none_or(|worst| ulps > worst.ulps) {
                let kind = match (from_exact, output) {
                    (None, _) => DifferenceKind::Nan,
                    (_, Output::Value) => DifferenceKind::Value,
                    (_, Output::Gradient(_)) => DifferenceKind::Gradient,
                };
                let called = self.called;
                let pytorch =
                    golden.as_ref().map_or_else(String::new, |golden| format!(", PyTorch {:e}", golden[index]));
                let size = if ulps.is_finite() { format!(" ({} ULPs)", count(ulps)) } else { String::new() };
                let message = format!("{output}[{index}]: {actual:e}, {called} {:e}{pytorch}{size}", exact.to_f64());
                *slot = Some(Difference { kind, output: Some(output), ulps, message });
            }
        }
        differences.extend(worst.into_iter().flatten());
    }
}
