//! Verdicts: what comparing an outcome with the oracle and with PyTorch says.

use serde::{Deserialize, Serialize};

use super::MeasuredAt;
use crate::backend::Backend;
use crate::loss::{LossKind, Output};
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

    /// Returns the verdict without what it says of gradients that a backend does not compute.
    pub fn without_missing_gradients(self, backend: &dyn Backend, loss: LossKind) -> Self {
        let is_computed = |difference: &Difference| match difference.output {
            Some(Output::Gradient(input)) => backend.has_gradient(loss, input),
            Some(Output::Value) | None => true,
        };
        match self {
            Self::Differs { mut differences, mut like_pytorch } => {
                differences.retain(is_computed);
                like_pytorch.retain(is_computed);
                match (differences.is_empty(), like_pytorch.is_empty()) {
                    (false, _) => Self::Differs { differences, like_pytorch },
                    (true, false) => Self::LikePyTorch(like_pytorch),
                    (true, true) => Self::Agrees,
                }
            }
            verdict => verdict,
        }
    }

    /// Adds a difference of the case as a whole to what a comparison of its numbers found.
    pub(crate) fn and(self, kind: DifferenceKind, message: String) -> Self {
        let (mut differences, like_pytorch) = match self {
            Self::Differs { differences, like_pytorch } => (differences, like_pytorch),
            Self::LikePyTorch(like_pytorch) => (Vec::new(), like_pytorch),
            Self::Agrees | Self::NotProvided(_) => (Vec::new(), Vec::new()),
        };
        differences.push(Difference::whole(kind, message));
        Self::Differs { differences, like_pytorch }
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
    /// The backend changed its inputs.
    ChangedInputs,
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
            Self::ChangedInputs => "changed its inputs",
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
    /// The largest error in plain ULPs, at the magnitude of the exact number; infinite if there is no number for it.
    pub plain_ulps: f64,
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
    /// Where the error was measured that decided.
    pub measured_at: MeasuredAt,
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
    /// The error in plain ULPs, at the magnitude of the exact number; infinite if there is no number for it.
    pub plain_ulps: f64,
    /// The error scale.
    pub scale: f64,
}

impl WrongNumber {
    /// Returns the error in ULPs by which a number is judged that is measured there.
    fn ulps_at(&self, measured_at: MeasuredAt) -> f64 {
        match measured_at {
            MeasuredAt::ErrorScale => self.ulps,
            MeasuredAt::ExactNumber => self.plain_ulps,
        }
    }
}

impl Difference {
    /// Returns the largest error in the ULPs that decided; infinite if there is no number for it.
    pub fn deciding_ulps(&self) -> f64 {
        match self.numbers.as_ref().map(|numbers| numbers.measured_at) {
            Some(MeasuredAt::ExactNumber) => self.plain_ulps,
            Some(MeasuredAt::ErrorScale) | None => self.ulps,
        }
    }

    /// Returns the difference of a case as a whole.
    pub(crate) fn whole(kind: DifferenceKind, message: String) -> Self {
        let (ulps, plain_ulps) = (f64::INFINITY, f64::INFINITY);
        Self { kind, output: None, ulps, plain_ulps, message, numbers: None }
    }

    /// Returns the difference that some numbers of an output make, or `None` if there are none.
    pub(crate) fn of_numbers(kind: DifferenceKind, numbers: WrongNumbers) -> Option<Self> {
        let largest = |ulps: fn(&WrongNumber) -> f64| {
            numbers
                .numbers
                .iter()
                .map(ulps)
                .fold(f64::NEG_INFINITY, |worst, ulps| if ulps > worst { ulps } else { worst })
        };
        let at_scale = largest(|number| number.ulps);
        let plain_ulps = largest(|number| number.plain_ulps);
        let measured_at = numbers.measured_at;
        let decided = match measured_at {
            MeasuredAt::ErrorScale => at_scale,
            MeasuredAt::ExactNumber => plain_ulps,
        };
        // The first of those that are equally bad.
        let worst = *numbers.numbers.iter().find(|number| number.ulps_at(measured_at) == decided)?;
        let WrongNumber { index, actual, exact, pytorch, .. } = worst;
        let (output, called) = (numbers.output, numbers.called);
        let pytorch = pytorch.map_or_else(String::new, |pytorch| format!(", PyTorch {pytorch:e}"));
        let size = match both(worst.ulps, worst.plain_ulps) {
            Some(size) => format!(" ({size})"),
            None => String::new(),
        };
        let message = format!("{output}[{index}]: {actual:e}, {called} {exact:e}{pytorch}{size}");
        Some(Self { kind, output: Some(output), ulps: at_scale, plain_ulps, message, numbers: Some(numbers) })
    }
}

/// Returns an error in words, in ULPs at the error scale and in plain ULPs; `None` if there is no number for it.
pub fn both(ulps: f64, plain_ulps: f64) -> Option<String> {
    let (at_scale, plain) = (count(ulps), count(plain_ulps));
    match (ulps.is_finite(), plain_ulps.is_finite()) {
        (true, true) if at_scale == plain => Some(format!("{plain} ULPs")),
        (true, true) => Some(format!("{at_scale} ULPs at scale, {plain} plain")),
        (true, false) => Some(format!("{at_scale} ULPs at scale")),
        (false, true) => Some(format!("{plain} plain ULPs")),
        (false, false) => None,
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
