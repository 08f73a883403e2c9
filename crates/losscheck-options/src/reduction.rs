//! How the losses of elements, rows or samples are reduced.

use std::fmt;
use std::str::FromStr;

/// PyTorch's `reduction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum Reduction {
    /// No reduction: one loss for each element, row or sample.
    None,
    /// The sum of the losses, divided by their number or, in the losses over classes, by the sum of their weights.
    #[default]
    Mean,
    /// The sum of the losses.
    Sum,
}

/// The `reduction` of PyTorch's `KLDivLoss`, which has one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum KLDivReduction {
    /// No reduction: one loss for each element.
    None,
    /// The sum of the losses, divided by their number. This is not the divergence, which [`KLDivReduction::BatchMean`]
    /// gives.
    #[default]
    Mean,
    /// The sum of the losses, divided by the first dimension of the input: the divergence, averaged over the batch.
    BatchMean,
    /// The sum of the losses.
    Sum,
}

/// The error for a name that is no reduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReduction {
    /// The name.
    pub name: String,
    /// The names that were expected.
    pub expected: &'static [&'static str],
}

impl fmt::Display for UnknownReduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reduction `{}`, expected one of {}", self.name, self.expected.join(", "))
    }
}

impl std::error::Error for UnknownReduction {}

impl Reduction {
    /// Every reduction.
    pub const ALL: [Self; 3] = [Self::None, Self::Mean, Self::Sum];

    /// Returns PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::Sum => "sum",
        }
    }
}

impl KLDivReduction {
    /// Every reduction.
    pub const ALL: [Self; 4] = [Self::None, Self::Mean, Self::BatchMean, Self::Sum];

    /// Returns PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::BatchMean => "batchmean",
            Self::Sum => "sum",
        }
    }
}

impl From<Reduction> for KLDivReduction {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::None => Self::None,
            Reduction::Mean => Self::Mean,
            Reduction::Sum => Self::Sum,
        }
    }
}

impl FromStr for Reduction {
    type Err = UnknownReduction;

    fn from_str(name: &str) -> Result<Self, UnknownReduction> {
        let expected = &["none", "mean", "sum"];
        Self::ALL
            .into_iter()
            .find(|reduction| reduction.name() == name)
            .ok_or_else(|| UnknownReduction { name: name.to_owned(), expected })
    }
}

impl FromStr for KLDivReduction {
    type Err = UnknownReduction;

    fn from_str(name: &str) -> Result<Self, UnknownReduction> {
        let expected = &["none", "mean", "batchmean", "sum"];
        Self::ALL
            .into_iter()
            .find(|reduction| reduction.name() == name)
            .ok_or_else(|| UnknownReduction { name: name.to_owned(), expected })
    }
}
