//! Verdicts: what comparing an outcome with the oracle and with PyTorch says.

use serde::{Deserialize, Serialize};

use crate::loss::Output;
use crate::tensor::DType;

/// The result of judging what a backend did on one case.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The backend agrees with the oracle.
    Agrees,
    /// The backend agrees with PyTorch alone, and how it differs from the oracle.
    LikePyTorch(Vec<Difference>),
    /// The backend does not provide the loss or an option of it, and why.
    NotProvided(String),
    /// The backend differs.
    Differs {
        /// How: at most one difference for each output and kind.
        differences: Vec<Difference>,
        /// How it differs from the oracle besides, as PyTorch does.
        like_pytorch: Vec<Difference>,
    },
}

impl Verdict {
    /// Returns the differences; none if the backend agrees or provides nothing.
    pub fn differences(&self) -> &[Difference] {
        match self {
            Self::Differs { differences, .. } => differences,
            Self::Agrees | Self::LikePyTorch(_) | Self::NotProvided(_) => &[],
        }
    }

    /// Returns the differences from the oracle that the backend has in common with PyTorch.
    pub fn in_common_with_pytorch(&self) -> &[Difference] {
        match self {
            Self::LikePyTorch(like_pytorch) | Self::Differs { like_pytorch, .. } => like_pytorch,
            Self::Agrees | Self::NotProvided(_) => &[],
        }
    }

    /// Returns the verdict on a case as a whole, which has one difference.
    pub(crate) fn whole(kind: DifferenceKind, message: String) -> Self {
        Self::Differs { differences: vec![Difference::whole(kind, message)], like_pytorch: Vec::new() }
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
    /// A number is NaN and should not be.
    Nan,
    /// A number is infinite and should not be.
    Infinity,
    /// A number is finite and should be NaN or infinite.
    Finite,
    /// A number is 0 and should not be.
    Zero,
    /// A number is off.
    Off,
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
            Self::Nan => "NaN",
            Self::Infinity => "infinity",
            Self::Finite => "finite",
            Self::Zero => "0",
            Self::Off => "off",
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
    /// The largest error in ULPs at the error scale; infinite if there is no number for it.
    pub ulps: f64,
    /// What was expected and what was found, in words.
    pub message: String,
    /// The numbers of the output that differ in this way; `None` if it is the output or the case as a whole.
    pub numbers: Option<WrongNumbers>,
}

/// The numbers of one output that differ in the same way.
#[derive(Clone, Debug)]
pub struct WrongNumbers {
    /// The output.
    pub output: Output,
    /// The dtype of the output.
    pub dtype: DType,
    /// The shape of the output.
    pub shape: Vec<usize>,
    /// What messages call the right numbers.
    pub called: &'static str,
    /// The numbers.
    pub numbers: Vec<WrongNumber>,
}

/// A number of an answer that differs.
#[derive(Clone, Copy, Debug)]
pub struct WrongNumber {
    /// The place of the number in its output, in row-major order.
    pub index: usize,
    /// The number.
    pub actual: f64,
    /// The right number.
    pub exact: f64,
    /// PyTorch's number, if the case has one.
    pub pytorch: Option<f64>,
    /// The error in ULPs at the error scale; infinite if there is no number for it.
    pub ulps: f64,
    /// The error scale.
    pub scale: f64,
}

impl Difference {
    /// Returns the difference of a case as a whole.
    pub(crate) fn whole(kind: DifferenceKind, message: String) -> Self {
        Self { kind, output: None, ulps: f64::INFINITY, message, numbers: None }
    }

    /// Returns the difference that some numbers of an output make, or `None` if there are none.
    pub(crate) fn of_numbers(kind: DifferenceKind, numbers: WrongNumbers) -> Option<Self> {
        // The first of those that are equally bad.
        let worse = |worst, number: &WrongNumber| if number.ulps > worst { number.ulps } else { worst };
        let ulps = numbers.numbers.iter().fold(f64::NEG_INFINITY, worse);
        let worst = numbers.numbers.iter().find(|number| number.ulps == ulps)?;
        let WrongNumber { index, actual, exact, pytorch, .. } = *worst;
        let (output, called) = (numbers.output, numbers.called);
        let pytorch = pytorch.map_or_else(String::new, |pytorch| format!(", PyTorch {pytorch:e}"));
        let size = if ulps.is_finite() { format!(" ({} ULPs)", count(ulps)) } else { String::new() };
        let message = format!("{output}[{index}]: {actual:e}, {called} {exact:e}{pytorch}{size}");
        Some(Self { kind, output: Some(output), ulps, message, numbers: Some(numbers) })
    }
}

/// Returns a number of ULPs with the digits that matter.
pub fn count(ulps: f64) -> String {
    match ulps {
        _ if ulps >= 1e5 => format!("{ulps:.1e}"),
        _ if ulps >= 100.0 => format!("{ulps:.0}"),
        _ => format!("{ulps:.2}"),
    }
}
