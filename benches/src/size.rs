//! How much data a call works on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much data a call works on, by the memory that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Size {
    /// So little that the overhead of a call shows.
    #[serde(rename = "small")]
    Small,
    /// The data fits the second-level cache.
    L2,
    /// The data fits the third-level cache.
    L3,
    /// The data is larger than the caches.
    #[serde(rename = "memory")]
    Memory,
}

impl Size {
    /// Every size, from the smallest.
    pub const ALL: [Self; 4] = [Self::Small, Self::L2, Self::L3, Self::Memory];

    /// Returns the name of the size in tables and in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::L2 => "L2",
            Self::L3 => "L3",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
