//! What comparing an outcome with the oracle and with PyTorch says.

use std::cell::LazyCell;

use losscheck_reference::{Error, Real, Wide};
use serde::{Deserialize, Serialize};

use crate::backend::Outcome;
use crate::budget::budget;
use crate::case::{Answer, Case, Expected};
use crate::definition::Output;
use crate::oracle::{Truth, near_largest};
use crate::tensor::Tensor;
use crate::ulp::{Near, distance};

/// What a backend did on one case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It agrees.
    Agrees,
    /// It has nothing for the case, and why.
    NotProvided(String),
    /// It differs; at most one difference for each output and kind, the worst.
    Differs(Vec<Difference>),
}

/// The ways to differ, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The backend panicked.
    Panicked,
    /// It accepted input that PyTorch rejects.
    Accepted,
    /// It rejected input that PyTorch accepts.
    Rejected,
    /// An output has the wrong shape, or is missing.
    Shape,
    /// NaN or an infinity where there should be none, or the other way round.
    Nan,
    /// The value is off.
    Value,
    /// A gradient is off.
    Gradient,
}

impl Kind {
    /// What it says, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Panicked => "panicked",
            Self::Accepted => "accepted bad input",
            Self::Rejected => "rejected good input",
            Self::Shape => "shape",
            Self::Nan => "NaN or infinity",
            Self::Value => "value",
            Self::Gradient => "gradient",
        }
    }

    /// The name in deviation files.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// One way in which a backend differs on a case.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What sort.
    pub kind: Kind,
    /// The output that differs, if it is one.
    pub output: Option<Output>,
    /// The error in ULPs at scale; infinite where there is no number for it.
    pub ulps: f64,
    /// What was expected and what came, in words.
    pub message: String,
}

/// Compares an outcome with the truth and, where the case has one, with PyTorch's answer: agreeing with either will do.
/// That PyTorch itself departs from the truth only where that is on record is for PyTorch's own row to show.
///
/// An outcome that is an error is a panic with its message.
pub fn judge(case: &Case, truth: &Result<Truth, Error>, outcome: &Result<Outcome, String>) -> Verdict {
    judge_by(case, ("exact", truth), case.expected.as_ref(), outcome)
}

/// Compares an outcome with what is expected in place of the truth; messages call that so.
pub(crate) fn judge_by_expected(
    case: &Case,
    (called, expected): (&'static str, Truth),
    outcome: &Result<Outcome, String>,
) -> Verdict {
    judge_by(case, (called, &Ok(expected)), None, outcome)
}

/// Judges PyTorch's stored answer by the truth alone.
pub fn judge_golden(case: &Case, truth: &Result<Truth, Error>) -> Verdict {
    match (&case.expected, truth) {
        (None, _) => Verdict::NotProvided("the case has no expectation".to_owned()),
        (Some(Expected::Answer(answer)), Ok(truth)) => {
            // Large cases store no gradients, and where backward fails there are none.
            compare(case, ("exact", truth), None, answer, |output| answer.output(output).is_some())
        }
        (Some(Expected::Answer(_)), Err(reason)) => accepted(reason),
        (Some(Expected::Rejection { .. }), Err(_)) => Verdict::Agrees,
        (Some(Expected::Rejection { message, .. }), Ok(_)) => rejected(message),
    }
}

/// Compares an outcome with the truth, which messages call so, and with PyTorch's answer.
pub(crate) fn judge_by(
    case: &Case,
    (called, truth): (&'static str, &Result<Truth, Error>),
    golden: Option<&Expected>,
    outcome: &Result<Outcome, String>,
) -> Verdict {
    match (outcome, truth, golden) {
        (Err(panic), ..) => whole(Kind::Panicked, format!("panicked: {panic}")),
        (Ok(Outcome::NotProvided(why)), ..) => Verdict::NotProvided(why.clone()),
        (Ok(Outcome::Rejection(_)), Err(_), _) => Verdict::Agrees,
        (Ok(Outcome::Rejection(_)), _, Some(Expected::Rejection { .. })) => Verdict::Agrees,
        (Ok(Outcome::Rejection(message)), Ok(_), _) => rejected(message),
        (Ok(Outcome::Answer(answer)), Ok(truth), golden) => {
            let golden = match golden {
                Some(Expected::Answer(answer)) => Some(answer),
                _ => None,
            };
            compare(case, (called, truth), golden, answer, |_| true)
        }
        (Ok(Outcome::Answer(answer)), Err(_), Some(Expected::Answer(golden))) => {
            compare(case, (called, &truth_of(golden, case)), Some(golden), answer, |_| true)
        }
        (Ok(Outcome::Answer(_)), Err(reason), _) => accepted(reason),
    }
}

fn rejected(message: &str) -> Verdict {
    whole(Kind::Rejected, format!("rejected: {message}"))
}

fn accepted(reason: &Error) -> Verdict {
    whole(Kind::Accepted, format!("accepted, though {reason}"))
}

fn whole(kind: Kind, message: String) -> Verdict {
    Verdict::Differs(vec![Difference { kind, output: None, ulps: f64::INFINITY, message }])
}

/// PyTorch's answer in place of the truth, where the reference has none.
fn truth_of(golden: &Answer, case: &Case) -> Truth {
    let gradients = case.differentiable().filter_map(|name| Some((name, golden.gradients.get(name)?.to_array())));
    let exact = crate::definition::Evaluation { value: golden.value.to_array(), gradients: gradients.collect() };
    Truth::in_range(exact.clone(), exact)
}

fn compare(
    case: &Case,
    (called, truth): (&'static str, &Truth),
    golden: Option<&Answer>,
    answer: &Answer,
    is_asked_for: impl Fn(Output) -> bool,
) -> Verdict {
    let mut differences = Vec::new();
    for (at, (output, exact)) in truth.exact.outputs().enumerate().filter(|&(_, (output, _))| is_asked_for(output)) {
        let Some(actual) = answer.output(output) else {
            let message = format!("{output}: missing");
            differences.push(Difference { kind: Kind::Shape, output: Some(output), ulps: f64::INFINITY, message });
            continue;
        };
        if actual.shape() != exact.shape() {
            let message = format!("{output}: shape {:?}, expected {:?}", actual.shape(), exact.shape());
            differences.push(Difference { kind: Kind::Shape, output: Some(output), ulps: f64::INFINITY, message });
            continue;
        }
        let allowed = budget(case.loss.kind(), output);
        let elements = Elements {
            output,
            called,
            exact,
            magnitudes: &|| truth.magnitudes().outputs().nth(at).into_iter().flat_map(|(_, m)| m).copied().collect(),
            golden: golden.and_then(|golden| golden.output(output)),
            actual,
            allowed,
            truth,
        };
        elements.compare(&mut differences);
    }
    if differences.is_empty() { Verdict::Agrees } else { Verdict::Differs(differences) }
}

struct Elements<'a> {
    output: Output,
    /// What messages call the exact numbers.
    called: &'static str,
    exact: &'a ndarray::ArrayD<Wide>,
    /// Those of the exact numbers, which take long to work out.
    magnitudes: &'a dyn Fn() -> Vec<Wide>,
    golden: Option<&'a Tensor>,
    actual: &'a Tensor,
    allowed: f64,
    /// For what is rarely asked for.
    truth: &'a Truth,
}

impl Elements<'_> {
    /// Adds the worst difference of each kind.
    fn compare(&self, differences: &mut Vec<Difference>) {
        let &Self { truth, output, actual, allowed, .. } = self;
        let dtype = actual.dtype();
        let contenders = LazyCell::new(|| truth.contenders().filter(|_| output == Output::Value));
        let error = |index: usize, exact: Wide, scale: Wide, actual: f64| match *contenders {
            Some(contenders) => contenders.distance(index, exact, actual),
            None => distance(dtype, exact, scale, actual),
        };
        let golden = self.golden.filter(|golden| golden.len() == actual.len()).map(Tensor::to_f64);
        let is_allowed = |ulps: Option<f64>| ulps.is_some_and(|ulps| ulps <= allowed);
        let magnitudes = LazyCell::new(self.magnitudes);
        let near = Near::new(dtype, allowed);
        let mut worst: [Option<Difference>; 2] = [None, None];
        for (index, (&exact, actual)) in self.exact.iter().zip(actual.to_f64()).enumerate() {
            // The terms are no smaller than what they add up to.
            if near.to(exact.to_f64(), actual) || is_allowed(error(index, exact, exact, actual)) {
                continue;
            }
            let scale = magnitudes.get(index).copied().unwrap_or(exact);
            let from_exact = error(index, exact, scale, actual);
            let as_pytorch =
                golden.as_ref().and_then(|golden| error(index, Wide::from_f64(golden[index]), scale, actual));
            if is_allowed(from_exact) || is_allowed(as_pytorch) || self.may_overflow(exact, actual) {
                continue;
            }
            let ulps = from_exact.unwrap_or(f64::INFINITY);
            let slot = &mut worst[usize::from(from_exact.is_some())];
            if slot.as_ref().is_none_or(|worst| ulps > worst.ulps) {
                let kind = match (from_exact, output) {
                    (None, _) => Kind::Nan,
                    (_, Output::Value) => Kind::Value,
                    (_, Output::Gradient(_)) => Kind::Gradient,
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

    /// Whether a number is what an intermediate result that overflows may lead to.
    fn may_overflow(&self, exact: Wide, actual: f64) -> bool {
        let &Self { truth, output, .. } = self;
        if !truth.overflows() {
            return false;
        }
        // The oracle's exponents are f64's, so that near the end of its range the truth may overflow instead.
        let is_near_end = || actual.abs() > near_largest(self.actual.dtype());
        let sums_overflow = || output == Output::Value && truth.sums_overflow();
        let has_contenders = || output == Output::Value && truth.contenders().is_some();
        let is_infinite = !exact.to_f64().is_finite();
        !actual.is_finite() || is_infinite && (is_near_end() || sums_overflow()) || has_contenders()
    }
}

/// A number of ULPs with the digits that matter.
pub fn count(ulps: f64) -> String {
    match ulps {
        _ if ulps >= 1e5 => format!("{ulps:.1e}"),
        _ if ulps >= 100.0 => format!("{ulps:.0}"),
        _ => format!("{ulps:.2}"),
    }
}
