//! Judging the answers to one case, with no more of the oracle than that takes.

mod approximation;
pub mod bounds;
mod compare;
pub mod oracle;
pub(crate) mod rules;
pub mod tolerance;
pub mod ulp;
pub mod verdict;

use std::borrow::Borrow;
use std::sync::OnceLock;

use losscheck_backend::pytorch::SlopeAtKink;
use losscheck_reference::{Error, Real};

use self::approximation::Approximation;
use self::bounds::Bounds;
use self::compare::Expectation;
use self::oracle::{ExactAnswer, once};
use self::verdict::{DifferenceKind, Verdict};
use crate::backend::Outcome;
use crate::case::{Answer, Case, Expected, ExpectedBy};
use crate::loss::ValueAndGradients;
use crate::tensor::TensorExt;

/// Where the error of a number is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MeasuredAt {
    /// At the [error scale](crate::loss::LossSpec::error_scale), with which the error of a careful implementation grows.
    #[default]
    ErrorScale,
    /// At the magnitude of the exact number: in plain ULPs.
    ExactNumber,
}

/// A case, with as much of its exact answer as the answers that were judged have needed.
#[derive(Debug)]
pub struct Judge<C> {
    case: C,
    measured_at: MeasuredAt,
    slope: SlopeAtKink,
    /// The reference's answer in f64, if it is known how far it is from the exact one.
    approximation: Option<Approximation>,
    exact: OnceLock<Result<ExactAnswer, Error>>,
}

impl<C: Borrow<Case>> Judge<C> {
    /// Gets ready to judge answers to a case. `bounds` spare it the exact answers to large cases.
    pub fn new(case: C, bounds: &Bounds) -> Self {
        let approximation = Approximation::new(case.borrow(), bounds);
        let (measured_at, slope) = Default::default();
        Self { case, measured_at, slope, approximation, exact: OnceLock::new() }
    }

    /// Returns the judge of another slope where a hinge is exactly 0.
    #[must_use]
    pub fn with_slope(self, slope: SlopeAtKink) -> Self {
        // The reference has the current slope.
        let approximation = self.approximation.filter(|_| !oracle::matters(slope, self.case.borrow()));
        Self { slope, approximation, exact: OnceLock::new(), ..self }
    }

    /// Returns the judge with errors measured elsewhere.
    #[must_use]
    pub fn measuring_at(self, measured_at: MeasuredAt) -> Self {
        // The bound of an approximation is one at the error scale.
        let is_sharp =
            |approximation: &Approximation| measured_at == MeasuredAt::ErrorScale || approximation.is_exact();
        Self { measured_at, approximation: self.approximation.filter(is_sharp), ..self }
    }

    /// Returns the case.
    pub fn case(&self) -> &Case {
        self.case.borrow()
    }

    /// Returns the case, which is judged no longer.
    pub fn into_case(self) -> C {
        self.case
    }

    /// Judges an outcome by the exact answer and by PyTorch's, as [`judge`] does.
    pub fn judge(&self, outcome: &Outcome) -> Verdict {
        self.judge_by(golden(self.case()), outcome)
    }

    /// Judges an outcome by the exact answer alone.
    pub fn judge_by_oracle(&self, outcome: &Outcome) -> Verdict {
        self.judge_by(None, outcome)
    }

    fn judge_by(&self, golden: Option<&Expected>, outcome: &Outcome) -> Verdict {
        match (outcome, &self.approximation) {
            (Outcome::Answer(answer), Some(approximation))
                if approximation
                    .shows_right(self.case(), answer, self.measured_at, |output| self.case().wants(output)) =>
            {
                Verdict::Agrees
            }
            // This does not depend on the exact answer, which may take long.
            (Outcome::NotProvided(why), _) => Verdict::NotProvided(why.clone()),
            _ => judge_by(self.case(), ("exact", self.exact()), (golden, self.measured_at), outcome),
        }
    }

    /// Judges what the case expects, as [`judge_expected`] does.
    pub fn judge_expected(&self) -> Verdict {
        match (&self.case().expected, &self.approximation) {
            (Some(Expected::Answer(answer)), Some(approximation))
                if approximation
                    .shows_right(self.case(), answer, self.measured_at, |output| answer.output(output).is_some()) =>
            {
                Verdict::Agrees
            }
            _ => judge_expected_by(self.case(), self.exact(), self.measured_at),
        }
    }

    /// Returns why the loss has no value for the inputs and options of the case, or `None` if it has one.
    pub fn refusal(&self) -> Option<&Error> {
        match self.approximation {
            Some(_) => None,
            None => self.exact().as_ref().err(),
        }
    }

    /// Returns the exact answer, which is computed when it is first needed.
    ///
    /// # Errors
    ///
    /// Returns why the loss has no value for the inputs and options of the case.
    pub fn exact(&self) -> &Result<ExactAnswer, Error> {
        once(&self.exact, || oracle::evaluate_with(self.case(), self.slope))
    }
}

/// Compares an outcome with the exact answer and, if the case has one, with PyTorch's answer. To agree with one of them is
/// enough: whether PyTorch itself differs from the exact answer without a known deviation shows in PyTorch's own column.
pub fn judge(case: &Case, exact: &Result<ExactAnswer, Error>, outcome: &Outcome) -> Verdict {
    judge_by(case, ("exact", exact), (golden(case), MeasuredAt::ErrorScale), outcome)
}

/// Returns what PyTorch gives for a case, which a backend may give, too. What the author of the case expects is no such
/// thing, and neither are numbers that are not given in full.
fn golden(case: &Case) -> Option<&Expected> {
    let is_pytorch = matches!(case.expected_by, ExpectedBy::Pytorch(_));
    case.expected.as_ref().filter(|_| is_pytorch && case.tolerance.is_none())
}

/// Compares an outcome with numbers that are expected in place of the exact answer. Messages call them so.
pub(crate) fn judge_by_expected(
    case: &Case,
    (called, expected): (&'static str, ExactAnswer),
    outcome: &Outcome,
) -> Verdict {
    judge_by(case, (called, &Ok(expected)), (None, MeasuredAt::ErrorScale), outcome)
}

/// Compares what a case expects, be it PyTorch's stored answer or that of the author of the case, with the exact answer.
///
/// A number may be off by the case's own tolerance, too. Any reason to refuse the case meets an expected rejection.
pub fn judge_expected(case: &Case, exact: &Result<ExactAnswer, Error>) -> Verdict {
    judge_expected_by(case, exact, MeasuredAt::ErrorScale)
}

fn judge_expected_by(case: &Case, exact: &Result<ExactAnswer, Error>, measured_at: MeasuredAt) -> Verdict {
    match (&case.expected, exact) {
        (None, _) => Verdict::NotProvided("the case has no expectation".to_owned()),
        (Some(Expected::Answer(answer)), Ok(exact)) => {
            // Large cases store no gradients, and if the backward pass fails there are none.
            let expectation =
                Expectation { called: "exact", exact, golden: None, measured_at, given_to: case.tolerance };
            expectation.compare(case, answer, |output| answer.output(output).is_some())
        }
        (Some(Expected::Answer(_)), Err(reason)) if case.expected_by == ExpectedBy::Author => {
            let message = format!("expected an answer, but the loss has none: {reason}");
            Verdict::whole(DifferenceKind::WronglyAccepted, message)
        }
        (Some(Expected::Answer(_)), Err(reason)) => wrongly_accepted(reason),
        (Some(Expected::Rejection { .. }), Err(_)) => Verdict::Agrees,
        (Some(Expected::Rejection { error, message }), Ok(exact))
            if message.is_empty() || case.expected_by == ExpectedBy::Author =>
        {
            let expected = if message.is_empty() { "a rejection".to_owned() } else { format!("{error}: {message}") };
            let value = &exact.results.value;
            let found = match value.first().filter(|_| value.len() == 1) {
                Some(value) => format!("{:e}", value.to_f64()),
                None => format!("a tensor of shape {:?}", value.shape()),
            };
            let message =
                format!("the case expects {expected}, but the loss has a value for its inputs and options: {found}");
            Verdict::whole(DifferenceKind::WronglyRejected, message)
        }
        (Some(Expected::Rejection { message, .. }), Ok(_)) => wrongly_rejected(message),
    }
}

fn judge_by(
    case: &Case,
    (called, exact): (&'static str, &Result<ExactAnswer, Error>),
    (golden, measured_at): (Option<&Expected>, MeasuredAt),
    outcome: &Outcome,
) -> Verdict {
    match (outcome, exact, golden) {
        (Outcome::Failed(_) | Outcome::Crashed(_) | Outcome::TimedOut(_) | Outcome::NotProvided(_), ..) => {
            judge_failure(outcome)
        }
        (Outcome::ChangedInputs(answer), ..) => {
            let verdict = judge_by(case, (called, exact), (golden, measured_at), &Outcome::Answer(answer.clone()));
            verdict.and(DifferenceKind::ChangedInputs, "the call changed its inputs".to_owned())
        }
        (Outcome::Rejection(_), Err(_), _) => Verdict::Agrees,
        (Outcome::Rejection(message), _, Some(Expected::Rejection { .. })) => like_pytorch(wrongly_rejected(message)),
        (Outcome::Rejection(message), Ok(_), _) => wrongly_rejected(message),
        (Outcome::Answer(answer), Ok(exact), golden) => {
            let golden = match golden {
                Some(Expected::Answer(answer)) => Some(answer),
                _ => None,
            };
            Expectation { called, exact, golden, measured_at, given_to: None }
                .compare(case, answer, |output| case.wants(output))
        }
        (Outcome::Answer(answer), Err(reason), Some(Expected::Answer(golden))) => {
            let exact = &in_place_of_exact(golden, case);
            let expectation = Expectation { called, exact, golden: Some(golden), measured_at, given_to: None };
            match expectation.compare(case, answer, |output| case.wants(output)) {
                Verdict::Agrees => like_pytorch(wrongly_accepted(reason)),
                verdict => verdict,
            }
        }
        (Outcome::Answer(_), Err(reason), _) => wrongly_accepted(reason),
    }
}

/// Judges an outcome that says nothing of the loss, and is judged alike in every case. Anything else agrees.
pub fn judge_failure(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Failed(message) => Verdict::whole(DifferenceKind::Failed, message.clone()),
        Outcome::Crashed(how) => Verdict::whole(DifferenceKind::Crashed, format!("crashed: {how}")),
        Outcome::TimedOut(after) => {
            Verdict::whole(DifferenceKind::TimedOut, format!("no answer within {} s", after.as_secs_f64()))
        }
        Outcome::NotProvided(why) => Verdict::NotProvided(why.clone()),
        Outcome::Answer(_) | Outcome::ChangedInputs(_) | Outcome::Rejection(_) => Verdict::Agrees,
    }
}

/// Returns the verdict on a difference that PyTorch has, too.
fn like_pytorch(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Differs { differences, .. } => Verdict::LikePyTorch(differences),
        verdict => verdict,
    }
}

fn wrongly_rejected(message: &str) -> Verdict {
    Verdict::whole(DifferenceKind::WronglyRejected, format!("rejected: {message}"))
}

fn wrongly_accepted(reason: &Error) -> Verdict {
    Verdict::whole(DifferenceKind::WronglyAccepted, format!("accepted, though {reason}"))
}

/// Returns PyTorch's answer in place of the exact one, for a case that the reference rejects.
pub(crate) fn in_place_of_exact(golden: &Answer, case: &Case) -> ExactAnswer {
    let gradients = case.differentiable().filter_map(|name| Some((name, golden.gradients.get(name)?.to_array())));
    let results = ValueAndGradients { value: golden.value.to_array(), gradients: gradients.collect() };
    ExactAnswer::in_range(results.clone(), results)
}
