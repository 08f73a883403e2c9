//! What a library has to offer to be tested: one trait, one method per question.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use losscheck_options::LossKind;
use serde::{Deserialize, Serialize};

use crate::case::{Answer, Case};
use crate::pytorch::PytorchVersion;

/// Something that evaluates cases: the reference, candle, libtorch, or yours.
///
/// A panic inside a method becomes a verdict of its own; it does not end the run.
pub trait Backend: Sync {
    /// Returns the name of the backend on the command line and in the tables.
    fn name(&self) -> &str;

    /// Returns the library behind the backend, with its version.
    fn version(&self) -> String;

    /// Returns the version of PyTorch that the backend is to agree with. It is the current one, unless the backend keeps to an
    /// older one, whose answers to some cases are others.
    fn pytorch(&self) -> PytorchVersion {
        PytorchVersion::CURRENT
    }

    /// Returns the file of the known deviations of the backend, unless it is among those that losscheck comes with.
    fn deviations(&self) -> Option<&Path> {
        None
    }

    /// Returns how the backend comes by a loss.
    fn coverage(&self, loss: LossKind) -> Coverage;

    /// Returns whether the backend computes the gradient of an input of a loss. One that it does not compute is not looked at.
    fn has_gradient(&self, _loss: LossKind, _input: &str) -> bool {
        true
    }

    /// Evaluates a case: the value, and the gradient of every input that [`Case::differentiable`] names. A gradient that is
    /// wanted and left out of the answer counts as a difference; one that is not wanted is not looked at.
    fn evaluate(&self, case: &Case) -> Outcome;

    /// Evaluates several cases and returns an outcome for each, in their order. A backend to which a call is costly, such as
    /// one in another process, does better than one case after the other.
    fn evaluate_many(&self, cases: &[&Case]) -> Vec<Outcome> {
        cases.iter().map(|case| self.evaluate(case)).collect()
    }

    /// Returns a closure to time, which evaluates a case whose inputs were converted beforehand; `None` if the backend
    /// does not provide the loss, rejects the case, or takes no part in benchmarks.
    ///
    /// [`Pass::ForwardAndGradient`] computes the gradient of the first differentiable input alone, as training does.
    fn workload<'a>(&'a self, _case: &'a Case, _pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        None
    }
}

/// How a backend comes by a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The library's own function.
    Native,
    /// The adapter composes it from the library's tensor operations.
    Composed,
    /// There is no such loss.
    Missing,
}

/// What becomes of a case on a backend.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The backend computes an answer.
    Answer(Answer),
    /// The backend computes an answer, and changes its inputs, which nobody expects.
    ChangedInputs(Answer),
    /// The backend rejects the input, with its message.
    Rejection(String),
    /// The backend does not provide the loss or an option of it, and why.
    NotProvided(String),
    /// The backend panicked, or raised an error that is no rejection, with the message.
    Failed(String),
    /// The process of the backend ended, and how.
    Crashed(String),
    /// The backend gave no answer within this time.
    TimedOut(Duration),
}

/// What a benchmark times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pass {
    /// The value alone, without recording a graph.
    #[serde(rename = "forward")]
    Forward,
    /// The value and the gradient of the first differentiable input.
    #[serde(rename = "forward_gradient")]
    ForwardAndGradient,
}

impl Pass {
    /// Every pass.
    pub const ALL: [Self; 2] = [Self::Forward, Self::ForwardAndGradient];

    /// Returns the name of the pass in the names of benchmarks and in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::ForwardAndGradient => "forward_gradient",
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
