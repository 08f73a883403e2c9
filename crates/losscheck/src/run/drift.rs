//! What changed in PyTorch's answers from one version to another.

pub mod notes;

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use losscheck_backend::pytorch::PytorchVersion;
use losscheck_reference::Real;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::case::format::write_tensor;
use crate::case::versions::{Answers, Lack, Lacking};
use crate::case::{Answer, Case, Expected};
use crate::judge::oracle::{self, ExactAnswer};
use crate::judge::tolerance::tolerance;
use crate::loss::{LossKind, Output};
use crate::tensor::{DType, Tensor};

/// How an answer changed, what matters most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The slope of the loss is 0 where it was not, or the other way round, at the same value.
    Slope,
    /// A number is NaN or infinite where it was not, or the other way round.
    Nonfinite,
    /// An output has another shape.
    Shape,
    /// What was refused is accepted.
    Accepted,
    /// What was accepted is refused.
    Refused,
    /// What crashed the process, or varied from run to run, has an answer.
    Defined,
    /// What had an answer crashes the process, or varies from run to run.
    Undefined,
    /// The loss is there.
    Loss,
    /// An option or a tensor of the loss is there.
    Option,
    /// There is a kernel for the dtype.
    Kernel,
    /// There is a kernel of the backward pass for the dtype.
    Gradient,
    /// Something is no longer there that is named above.
    Removed,
    /// Numbers have moved by more than the tolerance, towards the exact ones.
    MoreExact,
    /// Numbers have moved by more than the tolerance, away from the exact ones.
    LessExact,
    /// Numbers have moved by no more than the tolerance.
    Bits,
    /// A refusal has other words.
    Message,
}

/// What kinds of change concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// What the loss is.
    Semantics,
    /// What there is.
    Support,
    /// How near the numbers are to the exact ones, beyond the tolerance.
    Accuracy,
    /// Digits within the tolerance, and words.
    Noise,
}

impl Kind {
    /// Returns what the change concerns.
    pub fn category(self) -> Category {
        match self {
            Self::Slope
            | Self::Nonfinite
            | Self::Shape
            | Self::Accepted
            | Self::Refused
            | Self::Defined
            | Self::Undefined => Category::Semantics,
            Self::Loss | Self::Option | Self::Kernel | Self::Gradient | Self::Removed => Category::Support,
            Self::MoreExact | Self::LessExact => Category::Accuracy,
            Self::Bits | Self::Message => Category::Noise,
        }
    }

    /// Returns a description for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Slope => "gradient to or from 0",
            Self::Nonfinite => "to or from NaN or infinity",
            Self::Shape => "another shape",
            Self::Accepted => "accepted now",
            Self::Refused => "refused now",
            Self::Defined => "no crash, no chance now",
            Self::Undefined => "crashes or varies now",
            Self::Loss => "new loss",
            Self::Option => "new option",
            Self::Kernel => "new dtype",
            Self::Gradient => "gradient for a new dtype",
            Self::Removed => "removed",
            Self::MoreExact => "more exact",
            Self::LessExact => "less exact",
            Self::Bits => "other digits within the tolerance",
            Self::Message => "other words of a refusal",
        }
    }
}

/// Answers to the cases of one loss that changed in one way from one version to the next that is stored.
#[derive(Clone, Debug)]
pub struct Change {
    /// The first version with the new answers.
    pub since: PytorchVersion,
    /// The version before it.
    pub before: PytorchVersion,
    /// The loss.
    pub loss: LossKind,
    /// How they changed.
    pub kind: Kind,
    /// The number of cases.
    pub cases: usize,
    /// The dtypes of the cases.
    pub dtypes: BTreeSet<DType>,
    /// The smallest of the cases, as the newer version answers it.
    pub witness: Case,
    /// What the older version answers to it, and the newer one.
    pub answers: [String; 2],
}

/// Returns what changed from each of some versions to the one before it in the list, of which the newest comes first. Changes
/// of the newest versions come first, and of these what matters most.
pub fn changes(goldens: &[Case], versions: &[Answers]) -> Vec<Change> {
    let steps: Vec<(&Answers, &Answers)> = versions.iter().zip(versions.iter().skip(1)).collect();
    let of_step = |(newer, older): &(&Answers, &Answers)| {
        let changed = goldens.par_iter().filter(|golden| !newer.is_as(older, golden));
        let found: Vec<(&Case, Found)> =
            changed.filter_map(|golden| Some((golden, compare(golden, older, newer)?))).collect();
        let mut groups: BTreeMap<(Kind, LossKind), Vec<(&Case, Found)>> = BTreeMap::new();
        for (golden, found) in found {
            groups.entry((found.kind, golden.loss.kind())).or_default().push((golden, found));
        }
        let change = |((kind, loss), cases): ((Kind, LossKind), Vec<(&Case, Found)>)| {
            let dtypes = cases.iter().map(|(golden, _)| golden.dtype()).collect();
            let count = cases.len();
            let (golden, found) = cases.into_iter().min_by_key(|(golden, _)| size(golden))?;
            Some(Change {
                since: newer.version,
                before: older.version,
                loss,
                kind,
                cases: count,
                dtypes,
                witness: newer.case(golden).into_owned(),
                answers: [found.older, found.newer],
            })
        };
        groups.into_iter().filter_map(change).collect::<Vec<_>>()
    };
    steps.iter().flat_map(of_step).collect()
}

/// How hard a case is to read: whether its dtype is another than PyTorch's default, whether it is about numbers at the ends of
/// the range, and how many numbers it has.
fn size(golden: &Case) -> (bool, bool, usize, usize) {
    let is_odd = golden.dtype() != DType::F32 || golden.inputs.values().any(|tensor| tensor.dtype() == DType::U8);
    let is_edge = golden.flags.iter().any(|flag| flag.starts_with("edge_") || flag.starts_with("odd_"));
    (is_odd, is_edge, golden.inputs.values().map(Tensor::len).sum(), golden.id.len())
}

/// A change in the answer to a case.
struct Found {
    kind: Kind,
    older: String,
    newer: String,
}

/// What a version answers to a case.
enum Stored<'a> {
    /// It was not asked.
    Nothing,
    Lacks(&'a Lack),
    Refuses(&'a str, &'a str),
    Answers(&'a Answer),
}

fn stored<'a>(golden: &'a Case, answers: &'a Answers) -> (Stored<'a>, Option<&'a Lack>) {
    let changed = answers.changed(golden);
    let expected = changed.map_or(golden.expected.as_ref(), |changed| changed.expected.as_ref());
    let lack = changed.and_then(|changed| changed.lack.as_ref());
    let stored = match (expected, lack) {
        (Some(Expected::Answer(answer)), _) => Stored::Answers(answer),
        (Some(Expected::Rejection { error, message }), _) => Stored::Refuses(error, message),
        (None, Some(lack)) => Stored::Lacks(lack),
        (None, None) => Stored::Nothing,
    };
    (stored, lack)
}

impl Stored<'_> {
    fn describe(&self) -> String {
        match self {
            Self::Nothing => "not asked".to_owned(),
            Self::Lacks(Lack { of, message }) if message.is_empty() => of.describe().to_owned(),
            Self::Lacks(Lack { of, message }) => format!("{}: {}", of.describe(), first_line(message)),
            Self::Refuses(error, message) => format!("{error}: {}", first_line(message)),
            Self::Answers(answer) if answer.value.len() == 1 => format!("value {}", number(&answer.value, 0)),
            Self::Answers(answer) => format!("a value of shape {:?}", answer.value.shape()),
        }
    }
}

/// Returns a number of a tensor, in as many digits as its dtype needs.
fn number(tensor: &Tensor, index: usize) -> String {
    let written = &write_tensor(tensor)["data"][index];
    written.as_str().map_or_else(|| written.to_string(), str::to_owned)
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn compare(golden: &Case, older: &Answers, newer: &Answers) -> Option<Found> {
    let ((a, lack_of_a), (b, lack_of_b)) = (stored(golden, older), stored(golden, newer));
    let kind = match (&a, &b) {
        (Stored::Answers(from), Stored::Answers(to)) => {
            if let Some(found) = compare_numbers(golden, (from, older), (to, newer)) {
                return Some(found);
            }
            match (lack_of_a, lack_of_b) {
                (Some(Lack { of: Lacking::Gradient, message }), None) => {
                    let older = format!("no gradient: {}", first_line(message));
                    return Some(Found { kind: Kind::Gradient, older, newer: "a gradient".to_owned() });
                }
                (None, Some(Lack { of: Lacking::Gradient, message })) => {
                    let newer = format!("no gradient: {}", first_line(message));
                    return Some(Found { kind: Kind::Removed, older: "a gradient".to_owned(), newer });
                }
                _ => return None,
            }
        }
        (Stored::Refuses(error, message), Stored::Refuses(other_error, other_message)) => {
            if (error, message) == (other_error, other_message) {
                return None;
            }
            Kind::Message
        }
        (Stored::Refuses(..), Stored::Answers(_)) => Kind::Accepted,
        (Stored::Answers(_), Stored::Refuses(..)) => Kind::Refused,
        (Stored::Lacks(lack), Stored::Lacks(other)) if lack.of == other.of => return None,
        (Stored::Lacks(lack), _) => match lack.of {
            Lacking::Loss => Kind::Loss,
            Lacking::Option => Kind::Option,
            Lacking::Kernel | Lacking::Gradient => Kind::Kernel,
            Lacking::Process | Lacking::Definition => Kind::Defined,
        },
        (_, Stored::Lacks(lack)) => match lack.of {
            Lacking::Process | Lacking::Definition => Kind::Undefined,
            _ => Kind::Removed,
        },
        (Stored::Nothing, _) | (_, Stored::Nothing) => return None,
    };
    Some(Found { kind, older: a.describe(), newer: b.describe() })
}

/// Compares the numbers of two answers; `None` if they are the same to the bit.
fn compare_numbers(golden: &Case, (a, older): (&Answer, &Answers), (b, newer): (&Answer, &Answers)) -> Option<Found> {
    // It takes longest to work out, and equal answers do not need it.
    let exact = LazyCell::new(|| {
        [older, newer].map(|answers| oracle::evaluate_with(golden, answers.version.slope_at_kink()).ok())
    });
    let mut worst: Option<Found> = None;
    let gradients = golden.loss.kind().signature().differentiable.iter().map(|name| Output::Gradient(name));
    for output in [Output::Value].into_iter().chain(gradients) {
        let (Some(from), Some(to)) = (a.output(output), b.output(output)) else { continue };
        if from.shape() != to.shape() {
            let [older, newer] = [from, to].map(|tensor| format!("{output} of shape {:?}", tensor.shape()));
            return Some(Found { kind: Kind::Shape, older, newer });
        }
        let numbers = LazyCell::new(|| exact.each_ref().map(|exact| Numbers::of(exact.as_ref(), output)));
        for (index, (x, y)) in from.to_f64().into_iter().zip(to.to_f64()).enumerate() {
            if x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan() {
                continue;
            }
            let of_output = (golden.loss.kind(), output, to.dtype());
            let kind = kind_of(of_output, [x, y], numbers.each_ref().map(|numbers| numbers.at(index)));
            if worst.as_ref().is_none_or(|worst| kind < worst.kind) {
                let [older, newer] = [from, to].map(|tensor| format!("{output}[{index}] {}", number(tensor, index)));
                worst = Some(Found { kind, older, newer });
            }
        }
    }
    worst
}

/// The exact numbers of an output, with the magnitudes of their terms; none if the oracle refuses the case.
struct Numbers(Vec<(f64, f64)>);

impl Numbers {
    fn of(exact: Option<&ExactAnswer>, output: Output) -> Self {
        let of_output = exact.and_then(|exact| {
            let scales = exact.error_scale().outputs().find(|(own, _)| *own == output)?.1;
            let results = exact.results.outputs().find(|(own, _)| *own == output)?.1;
            Some(results.iter().zip(scales).map(|(exact, scale)| (exact.to_f64(), scale.abs().to_f64())).collect())
        });
        Self(of_output.unwrap_or_default())
    }

    fn at(&self, index: usize) -> Option<(f64, f64)> {
        self.0.get(index).copied()
    }
}

/// Returns how a number of an output changed, given the exact numbers with the magnitudes of their terms.
fn kind_of(
    (loss, output, dtype): (LossKind, Output, DType),
    [older, newer]: [f64; 2],
    exact: [Option<(f64, f64)>; 2],
) -> Kind {
    if !(older.is_finite() && newer.is_finite()) {
        return Kind::Nonfinite;
    }
    let format = dtype.format();
    let terms = exact[1].map_or(0.0, |(exact, scale)| scale.max(exact.abs()));
    let magnitude = terms.max(older.abs()).max(newer.abs()).min(format.largest);
    if (older - newer).abs() / format.ulp(magnitude) <= tolerance(loss, output, dtype) {
        return Kind::Bits;
    }
    if matches!(output, Output::Gradient(_)) && (older == 0.0) != (newer == 0.0) {
        return Kind::Slope;
    }
    let error = |x: f64, exact: Option<(f64, f64)>| exact.map_or(0.0, |(exact, _)| (x - exact).abs());
    if error(newer, exact[1]) <= error(older, exact[0]) { Kind::MoreExact } else { Kind::LessExact }
}
