//! Versions of PyTorch, and what depends on them.

use std::fmt;
use std::str::FromStr;

/// A release of PyTorch. A later release is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PytorchVersion {
    /// The first number.
    pub major: u16,
    /// The second number, in which two releases differ that have other features.
    pub minor: u16,
    /// The third number.
    pub patch: u16,
}

impl PytorchVersion {
    /// The release that the goldens are of.
    pub const CURRENT: Self = Self::new(2, 15, 0);

    /// Returns a release.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Returns the slope of a hinge max(0, z) at z = 0 in this release. `clamp_min` passed the gradient on at equality up to
    /// 2.13; since 2.14 its gradient is 0 there (<https://github.com/pytorch/pytorch/pull/191142>).
    pub fn slope_at_kink(self) -> SlopeAtKink {
        if self < Self::new(2, 14, 0) { SlopeAtKink::One } else { SlopeAtKink::Zero }
    }
}

impl fmt::Display for PytorchVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// The error of a text that is no version such as `2.15.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoVersion;

impl fmt::Display for NoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a version of PyTorch, such as 2.15.0")
    }
}

impl std::error::Error for NoVersion {}

impl FromStr for PytorchVersion {
    type Err = NoVersion;

    /// Reads three numbers with dots between them. What follows them does not count, such as `+cpu`.
    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let release = text.split('+').next().unwrap_or(text);
        let mut numbers = release.split('.').map(|number| number.parse().map_err(|_| NoVersion));
        let mut next = || numbers.next().unwrap_or(Err(NoVersion));
        let version = Self::new(next()?, next()?, next()?);
        if numbers.next().is_some() { Err(NoVersion) } else { Ok(version) }
    }
}

/// The slope of a hinge max(0, z) at z = 0, where any number from 0 to 1 is a subgradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlopeAtKink {
    /// PyTorch's since version 2.14.
    #[default]
    Zero,
    /// PyTorch's up to version 2.13.
    One,
}
