//! What a deviation says that a library gives: `gradient of input: NaN, off by 300 ULPs in f32`.

use std::fmt;

use losscheck_options::{Output, Signature};

use super::measures::Measure;
use crate::judge::verdict::DifferenceKind;
use crate::tensor::DType;

/// What a library gives in place of what is right.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// The case as a whole has another outcome.
    Outcome(DifferenceKind),
    /// Numbers of an output are others.
    Numbers {
        /// The output.
        output: Output,
        /// What the numbers may be.
        gives: Vec<Gives>,
    },
}

/// What a library gives in place of a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Gives {
    /// A number that cannot be measured: NaN, an infinity, 0, or a finite number where it should be none.
    Special(DifferenceKind),
    /// A number that is off by at most a bound.
    Off {
        /// The bound.
        by: Bound,
        /// The dtype of the output to which this applies, or `None` for all.
        dtype: Option<DType>,
    },
}

/// How far a number may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// How far, in the unit.
    pub amount: f64,
    /// The unit of the amount.
    pub unit: Unit,
    /// What the bound grows with.
    pub per: Option<&'static Measure>,
}

/// The unit of a [`Bound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Units in the last place, at the error scale.
    Ulps,
    /// Parts of the error scale.
    Relative,
    /// Of the loss of a part, or of its slope: before the cotangent multiplies it and a mean divides it.
    Absolute,
    /// The smallest positive number.
    Smallest,
    /// One is as much as the rounding of the cotangent's share for the part to a multiple of the smallest positive number
    /// makes.
    Underflows,
}

impl Unit {
    const ALL: [(Self, &str); 5] = [
        (Self::Ulps, "ULPs"),
        (Self::Relative, "relative"),
        (Self::Absolute, "absolute"),
        (Self::Smallest, "smallest numbers"),
        (Self::Underflows, "underflows"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(unit, _)| *unit == self).map_or("ULPs", |(_, name)| name)
    }
}

const OUTCOMES: [(DifferenceKind, &str); 6] = [
    (DifferenceKind::WronglyAccepted, "accepts"),
    (DifferenceKind::WronglyRejected, "rejects"),
    (DifferenceKind::Failed, "fails"),
    (DifferenceKind::Crashed, "crashes"),
    (DifferenceKind::TimedOut, "times out"),
    (DifferenceKind::ChangedInputs, "changes its inputs"),
];

const SPECIAL: [(DifferenceKind, &str); 4] = [
    (DifferenceKind::Nan, "NaN"),
    (DifferenceKind::Infinity, "infinity"),
    (DifferenceKind::Zero, "0"),
    (DifferenceKind::Finite, "finite"),
];

fn name_of(names: &[(DifferenceKind, &'static str)], kind: DifferenceKind) -> &'static str {
    names.iter().find(|(of, _)| *of == kind).map_or("differs", |(_, name)| name)
}

impl Statement {
    /// Reads a statement about a loss with that signature.
    ///
    /// # Errors
    ///
    /// Returns what is expected if the text is no statement.
    pub fn parse(text: &str, signature: Signature) -> Result<Self, String> {
        if let Some((kind, _)) = OUTCOMES.iter().find(|(_, name)| *name == text) {
            return Ok(Self::Outcome(*kind));
        }
        let Some((output, gives)) = text.split_once(": ") else {
            let outcomes: Vec<_> = OUTCOMES.iter().map(|(_, name)| format!("`{name}`")).collect();
            return Err(format!("`{text}`, expected {} or `OUTPUT: WHAT, WHAT`", outcomes.join(", ")));
        };
        let output = signature.output(output)?;
        let gives = gives.split(", ").map(Gives::parse).collect::<Result<_, _>>()?;
        Ok(Self::Numbers { output, gives })
    }

    /// Returns the kinds of difference that the statement is about.
    pub fn kinds(&self) -> impl Iterator<Item = DifferenceKind> + '_ {
        let (outcome, gives) = match self {
            Self::Outcome(kind) => (Some(*kind), &[][..]),
            Self::Numbers { gives, .. } => (None, gives.as_slice()),
        };
        outcome.into_iter().chain(gives.iter().map(|gives| match gives {
            Gives::Special(kind) => *kind,
            Gives::Off { .. } => DifferenceKind::Off,
        }))
    }
}

impl Gives {
    /// Returns the bound that applies to numbers of a dtype.
    pub(super) fn bound(&self, of: DType) -> Option<&Bound> {
        match self {
            Self::Off { by, dtype } if dtype.is_none_or(|dtype| dtype == of) => Some(by),
            Self::Off { .. } | Self::Special(_) => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if let Some((kind, _)) = SPECIAL.iter().find(|(_, name)| *name == text) {
            return Ok(Self::Special(*kind));
        }
        let expected = || format!("`{text}`, expected `NaN`, `infinity`, `0`, `finite` or `off by 300 ULPs in f32`");
        let rest = text.strip_prefix("off by ").ok_or_else(expected)?;
        let (rest, dtype) = match rest.rsplit_once(" in ") {
            Some((rest, dtype)) => (rest, Some(dtype.parse()?)),
            None => (rest, None),
        };
        let (rest, per) = match rest.split_once(" per ") {
            Some((rest, measure)) => (rest, Some(Measure::named(measure)?)),
            None => (rest, None),
        };
        let (amount, unit) = rest.split_once(' ').ok_or_else(expected)?;
        let (unit, _) = *Unit::ALL.iter().find(|(_, name)| *name == unit).ok_or_else(expected)?;
        let amount = amount.parse().ok().filter(|amount: &f64| *amount > 0.0 && amount.is_finite());
        Ok(Self::Off { by: Bound { amount: amount.ok_or_else(expected)?, unit, per }, dtype })
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(kind) => f.write_str(name_of(&OUTCOMES, *kind)),
            Self::Numbers { output, gives } => {
                let gives: Vec<_> = gives.iter().map(ToString::to_string).collect();
                write!(f, "{output}: {}", gives.join(", "))
            }
        }
    }
}

impl fmt::Display for Gives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special(kind) => f.write_str(name_of(&SPECIAL, *kind)),
            Self::Off { by: Bound { amount, unit, per }, dtype } => {
                let unit = unit.name();
                match amount {
                    _ if *amount >= 1e-3 && *amount < 1e6 => write!(f, "off by {amount} {unit}")?,
                    _ => write!(f, "off by {amount:e} {unit}")?,
                }
                if let Some(measure) = per {
                    write!(f, " per {}", measure.name)?;
                }
                if let Some(dtype) = dtype {
                    write!(f, " in {dtype}")?;
                }
                Ok(())
            }
        }
    }
}
