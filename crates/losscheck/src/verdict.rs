//! What comparing an outcome with the oracle and with PyTorch says.

use losscheck_reference::{Error, Real, Wide};
use serde::{Deserialize, Serialize};

use crate::backend::Outcome;
use crate::budget::budget;
use crate::case::{Answer, Case, Expected};
use crate::definition::Output;
use crate::oracle::{Contenders, Truth, near_largest};
use crate::tensor::Tensor;
use crate::ulp::distance;

/// What a backend did on one case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It agrees, with its worst error in ULPs at scale.
    Agrees(f64),
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
    let outcome = match case.expected.clone() {
        None => return Verdict::NotProvided("the case has no expectation".to_owned()),
        Some(Expected::Answer(answer)) => Outcome::Answer(answer),
        Some(Expected::Rejection { message, .. }) => Outcome::Rejection(message),
    };
    // Large cases store no gradients, and where backward fails there are none.
    let stored: Vec<&str> = match &outcome {
        Outcome::Answer(answer) => answer.gradients.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let mut truth = truth.clone();
    if let Ok(truth) = &mut truth {
        for evaluation in [&mut truth.exact, &mut truth.magnitudes] {
            evaluation.gradients.retain(|(name, _)| stored.contains(name));
        }
    }
    judge_by(case, ("exact", &truth), None, &Ok(outcome))
}

fn judge_by(
    case: &Case,
    (called, truth): (&'static str, &Result<Truth, Error>),
    golden: Option<&Expected>,
    outcome: &Result<Outcome, String>,
) -> Verdict {
    let whole = |kind, message| Verdict::Differs(vec![Difference { kind, output: None, ulps: f64::INFINITY, message }]);
    match (outcome, truth, golden) {
        (Err(panic), ..) => whole(Kind::Panicked, format!("panicked: {panic}")),
        (Ok(Outcome::NotProvided(why)), ..) => Verdict::NotProvided(why.clone()),
        (Ok(Outcome::Rejection(_)), Err(_), _) => Verdict::Agrees(0.0),
        (Ok(Outcome::Rejection(_)), _, Some(Expected::Rejection { .. })) => Verdict::Agrees(0.0),
        (Ok(Outcome::Rejection(message)), Ok(_), _) => whole(Kind::Rejected, format!("rejected: {message}")),
        (Ok(Outcome::Answer(answer)), Ok(truth), golden) => {
            let golden = match golden {
                Some(Expected::Answer(answer)) => Some(answer),
                _ => None,
            };
            compare(case, (called, truth), golden, answer)
        }
        (Ok(Outcome::Answer(answer)), Err(_), Some(Expected::Answer(golden))) => {
            compare(case, (called, &truth_of(golden, case)), Some(golden), answer)
        }
        (Ok(Outcome::Answer(_)), Err(reason), _) => whole(Kind::Accepted, format!("accepted, though {reason}")),
    }
}

/// PyTorch's answer in place of the truth, where the reference has none.
fn truth_of(golden: &Answer, case: &Case) -> Truth {
    let gradients = case.differentiable().filter_map(|name| Some((name, golden.gradients.get(name)?.to_array())));
    let exact = crate::definition::Evaluation { value: golden.value.to_array(), gradients: gradients.collect() };
    Truth::in_range(exact.clone(), exact)
}

fn compare(case: &Case, (called, truth): (&'static str, &Truth), golden: Option<&Answer>, answer: &Answer) -> Verdict {
    let mut worst = 0.0_f64;
    let mut differences = Vec::new();
    for ((output, exact), (_, magnitudes)) in truth.exact.outputs().zip(truth.magnitudes.outputs()) {
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
            magnitudes,
            golden: golden.and_then(|golden| golden.output(output)),
            actual,
            allowed,
            overflows: truth.overflows,
            sums_overflow: truth.sums_overflow && output == Output::Value,
            contenders: truth.contenders.as_ref().filter(|_| output == Output::Value),
        };
        worst = worst.max(elements.compare(&mut differences));
    }
    if differences.is_empty() { Verdict::Agrees(worst) } else { Verdict::Differs(differences) }
}

struct Elements<'a> {
    output: Output,
    /// What messages call the exact numbers.
    called: &'static str,
    exact: &'a ndarray::ArrayD<Wide>,
    magnitudes: &'a ndarray::ArrayD<Wide>,
    golden: Option<&'a Tensor>,
    actual: &'a Tensor,
    allowed: f64,
    overflows: bool,
    sums_overflow: bool,
    contenders: Option<&'a Contenders>,
}

impl Elements<'_> {
    /// Adds the worst difference of each kind; gives the worst error among the elements that agree.
    fn compare(&self, differences: &mut Vec<Difference>) -> f64 {
        let dtype = self.actual.dtype();
        let error = |index: usize, exact: Wide, scale: Wide, actual: f64| match self.contenders {
            Some(contenders) => contenders.distance(index, exact, actual),
            None => distance(dtype, exact, scale, actual),
        };
        let golden = self.golden.filter(|golden| golden.len() == self.actual.len()).map(Tensor::to_f64);
        let mut agreeing = 0.0_f64;
        let mut worst: [Option<Difference>; 2] = [None, None];
        for (index, ((&exact, &scale), actual)) in
            self.exact.iter().zip(self.magnitudes).zip(self.actual.to_f64()).enumerate()
        {
            // The oracle's exponents are f64's, so that near the end of its range the truth may overflow instead.
            let near_end = !exact.to_f64().is_finite() && (self.sums_overflow || actual.abs() > near_largest(dtype));
            let overflow = self.overflows && (!actual.is_finite() || near_end || self.contenders.is_some());
            let from_exact = if overflow { Some(0.0) } else { error(index, exact, scale, actual) };
            if let Some(ulps) = from_exact.filter(|&ulps| ulps <= self.allowed) {
                agreeing = agreeing.max(ulps);
                continue;
            }
            let as_pytorch =
                golden.as_ref().and_then(|golden| error(index, Wide::from_f64(golden[index]), scale, actual));
            if as_pytorch.is_some_and(|ulps| ulps <= self.allowed) {
                continue;
            }
            let ulps = from_exact.unwrap_or(f64::INFINITY);
            let slot = &mut worst[usize::from(from_exact.is_some())];
            if slot.as_ref().is_none_or(|worst| ulps > worst.ulps) {
                let kind = match (from_exact, self.output) {
                    (None, _) => Kind::Nan,
                    (_, Output::Value) => Kind::Value,
                    (_, Output::Gradient(_)) => Kind::Gradient,
                };
                let &Self { output, called, .. } = self;
                let pytorch =
                    golden.as_ref().map_or_else(String::new, |golden| format!(", PyTorch {:e}", golden[index]));
                let size = if ulps.is_finite() { format!(" ({} ULPs)", count(ulps)) } else { String::new() };
                let message = format!("{output}[{index}]: {actual:e}, {called} {:e}{pytorch}{size}", exact.to_f64());
                *slot = Some(Difference { kind, output: Some(output), ulps, message });
            }
        }
        differences.extend(worst.into_iter().flatten());
        agreeing
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
