//! Verdicts: what comparing an outcome with the oracle and with PyTorch says.

use serde::{Deserialize, Serialize};

use crate::loss::Output;

/// The result of judging what a backend did on one case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The backend agrees.
    Agrees,
    /// The backend does not provide the loss or an option of it, and why.
    NotProvided(String),
    /// The backend differs: at most one difference for each output and kind, the worst.
    Differs(Vec<Difference>),
}

impl Verdict {
    /// Returns the differences; none if the backend agrees or provides nothing.
    pub fn differences(&self) -> &[Difference] {
        match self {
            Self::Differs(differences) => differences,
            Self::Agrees | Self::NotProvided(_) => &[],
        }
    }

    /// Returns the verdict on a case as a whole, which has one difference.
    pub(crate) fn whole(kind: DifferenceKind, message: String) -> Self {
        Self::Differs(vec![Difference { kind, output: None, ulps: f64::INFINITY, message }])
    }
}

/// The ways to differ, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The process of the backend ended.
    Crashed,
    /// The backend took too long.
    TimedOut,
    /// The backend panicked, or raised an error that is no rejection.
    Failed,
    /// The backend accepted input that PyTorch rejects.
    WronglyAccepted,
    /// The backend rejected input that PyTorch accepts.
    WronglyRejected,
    /// An output has the wrong shape, or is missing.
    Shape,
    /// A number is NaN or infinite and should not be, or the other way round.
    Nan,
    /// The value is off.
    Value,
    /// A gradient is off.
    Gradient,
}

impl DifferenceKind {
    /// Returns a description for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Crashed => "crashed",
            Self::TimedOut => "timed out",
            Self::Failed => "failed",
            Self::WronglyAccepted => "accepted bad input",
            Self::WronglyRejected => "rejected good input",
            Self::Shape => "shape",
            Self::Nan => "NaN or infinity",
            Self::Value => "value",
            Self::Gradient => "gradient",
        }
    }
}

/// One way in which a backend differs on a case.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The kind of difference.
    pub kind: DifferenceKind,
    /// The output that differs, unless it is the case as a whole.
    pub output: Option<Output>,
    /// The error in ULPs at the error scale; infinite if there is no number for it.
    pub ulps: f64,
    /// What was expected and what was found, in words.
    pub message: String,
}

/// Returns a number of ULPs with the digits that matter.
pub fn count(ulps: f64) -> String {
    match ulps {
        _ if ulps >= 1e5 => format!("{ulps:.1e}"),
        _ if ulps >= 100.0 => format!("{ulps:.0}"),
        _ => format!("{ulps:.2}"),
    }
}
