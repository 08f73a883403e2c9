//! Judging the answers to one case, with no more of the oracle than that takes.

use std::borrow::Borrow;
use std::sync::OnceLock;

use losscheck_reference::Error;

use crate::backend::Outcome;
use crate::bounds::Bounds;
use crate::case::{Case, Expected};
use crate::oracle::approximation::Approximation;
use crate::oracle::{Truth, once, truth};
use crate::verdict::{self, Verdict};

/// A case, with as much of its exact answer as the answers that were judged have needed.
#[derive(Debug)]
pub struct Judge<C> {
    case: C,
    /// Of a case of which it is known how far the reference is from exact.
    approximation: Option<Approximation>,
    truth: OnceLock<Result<Truth, Error>>,
}

impl<C: Borrow<Case>> Judge<C> {
    /// Gets ready to judge answers to a case; `bounds` spare it the exact answers to large ones.
    pub fn new(case: C, bounds: &Bounds) -> Self {
        let approximation = Approximation::new(case.borrow(), bounds);
        Self { case, approximation, truth: OnceLock::new() }
    }

    /// Returns the case.
    pub fn case(&self) -> &Case {
        self.case.borrow()
    }

    /// Judges an outcome by the exact answer and by PyTorch's, as [`verdict::judge`] does.
    pub fn judge(&self, outcome: &Result<Outcome, String>) -> Verdict {
        self.judge_by(self.case().expected.as_ref(), outcome)
    }

    /// Judges an outcome by the exact answer alone.
    pub fn judge_by_oracle(&self, outcome: &Result<Outcome, String>) -> Verdict {
        self.judge_by(None, outcome)
    }

    fn judge_by(&self, golden: Option<&Expected>, outcome: &Result<Outcome, String>) -> Verdict {
        match (outcome, &self.approximation) {
            (Ok(Outcome::Answer(answer)), Some(approximation))
                if approximation.shows_right(self.case(), answer, |_| true) =>
            {
                Verdict::Agrees
            }
            // They are no matter of the exact answer, which may take long.
            (Ok(Outcome::NotProvided(why)), _) => Verdict::NotProvided(why.clone()),
            _ => verdict::judge_by(self.case(), ("exact", self.truth()), golden, outcome),
        }
    }

    /// Judges PyTorch's stored answer, as [`verdict::judge_golden`] does.
    pub fn judge_golden(&self) -> Verdict {
        match (&self.case().expected, &self.approximation) {
            (Some(Expected::Answer(answer)), Some(approximation))
                if approximation.shows_right(self.case(), answer, |output| answer.output(output).is_some()) =>
            {
                Verdict::Agrees
            }
            _ => verdict::judge_golden(self.case(), self.truth()),
        }
    }

    /// Returns the exact answer, which it works out if nothing has needed it before.
    fn truth(&self) -> &Result<Truth, Error> {
        once(&self.truth, || truth(self.case()))
    }
}
