//! The goals of the reference's performance, which the file `benches/goals.toml` holds and documents.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use losscheck::backend::Pass;
use losscheck::error::DataError;
use losscheck::loss::LossKind;
use losscheck::tensor::DType;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::report::document::Row;
use crate::size::Size;

/// A list of goals.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// The goals, in the order of the table.
    #[serde(default, rename = "goal")]
    pub goals: Vec<Goal>,
}

/// Something to reach in some workloads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What the table calls the workloads.
    pub workloads: String,
    /// The losses; every loss if the list is empty.
    #[serde(default, deserialize_with = "names")]
    pub losses: Vec<LossKind>,
    /// The passes; both if the list is empty.
    #[serde(default)]
    pub passes: Vec<Pass>,
    /// The dtypes; every dtype if the list is empty.
    #[serde(default, deserialize_with = "names")]
    pub dtypes: Vec<DType>,
    /// The sizes; every size if the list is empty.
    #[serde(default)]
    pub sizes: Vec<Size>,
    /// The number of elements of the first tensor.
    #[serde(default)]
    pub elements: Elements,
    /// The number of threads.
    #[serde(default = "one")]
    pub threads: usize,
    /// What is measured of each workload.
    pub measure: Measure,
    /// What is wanted of the measure.
    pub wanted: Wanted,
}

/// Bounds on a number of elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elements {
    /// The least number.
    #[serde(default)]
    pub from: u64,
    /// The number that is too large, if there is one.
    pub below: Option<u64>,
}

/// A measure of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How many times as long as the reference a backend takes.
    SpeedUpOver(String),
    /// How many times as long as the reference the fastest of the other backends takes.
    SpeedUpOverFastest,
    /// How many times as long the reference takes on one thread.
    SpeedUpOverOneThread,
    /// The share of a copy's bandwidth that the reference reaches, writing into the caller's buffers if that was measured.
    ShareOfCopy,
    /// The share of the reference's time that the elementary functions alone take.
    ShareOfElementary,
    /// How many times the measured workspace the documented one is.
    DocumentedWorkspace,
}

/// What is wanted of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// At least this in every workload.
    Every(f64),
    /// At least this in every workload, or less by no more than the noise of its two times.
    EveryButNoise(f64),
    /// A geometric mean of at least this.
    Mean(f64),
}

impl Goals {
    /// Returns the file of the goals in the workspace that this crate was built in.
    pub fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("goals.toml")
    }

    /// Reads a file of goals.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or a goal is malformed.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let text =
            fs::read_to_string(file).map_err(|error| DataError::new(file, format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(|message| DataError::new(file, message))
    }

    /// Returns the goals in a text, or which field is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let toml = toml::Deserializer::parse(text).map_err(|error| error.to_string())?;
        let goals: Self = serde_path_to_error::deserialize(toml).map_err(|error| {
            let field = error.path().to_string();
            format!("`{field}`: {}", error.into_inner().message())
        })?;
        for (place, goal) in goals.goals.iter().enumerate() {
            let bound = goal.wanted.bound();
            if !(bound.is_finite() && bound > 0.0) {
                return Err(format!("`goal[{place}].wanted`: {bound}, expected a number above 0"));
            }
            if goal.threads == 0 {
                return Err(format!("`goal[{place}].threads`: 0, expected at least 1"));
            }
        }
        Ok(goals)
    }
}

impl Goal {
    /// Returns true if the goal is about this workload.
    pub(crate) fn is_about(&self, row: &Row) -> bool {
        let Self { losses, passes, dtypes, sizes, elements, threads, .. } = self;
        (losses.is_empty() || losses.iter().any(|loss| loss.name() == row.loss))
            && (passes.is_empty() || passes.contains(&row.pass))
            && (dtypes.is_empty() || dtypes.iter().any(|dtype| dtype.name() == row.dtype))
            && (sizes.is_empty() || sizes.contains(&row.size))
            && row.elements >= elements.from
            && elements.below.is_none_or(|below| row.elements < below)
            && row.threads == *threads
    }
}

impl Wanted {
    /// Returns the bound.
    pub(crate) fn bound(self) -> f64 {
        match self {
            Self::Every(bound) | Self::EveryButNoise(bound) | Self::Mean(bound) => bound,
        }
    }
}

fn one() -> usize {
    1
}

/// Reads a list of names.
fn names<'de, T: FromStr<Err = String>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::tests::row;

    #[test]
    fn the_shipped_goals_can_be_read() {
        let goals = Goals::read(&Goals::shipped()).expect("goals");
        assert!(goals.goals.len() >= 15, "expected the shipped goals, found {}", goals.goals.len());
    }

    #[test]
    fn a_condition_that_is_left_out_holds_for_every_workload() {
        let text = "[[goal]]\nworkloads = 'all'\nmeasure = 'share_of_copy'\nwanted = { every = 0.5 }\n";
        let small = row("l1_loss", 128, &[]);
        let large = row("mse_loss", 1 << 24, &[]);
        let is_about = |condition: &str| {
            let goals = Goals::parse(&format!("{text}{condition}")).expect("goals").goals;
            [&small, &large].map(|row| goals[0].is_about(row))
        };
        assert_eq!(is_about(""), [true, true]);
        assert_eq!(is_about("losses = ['mse_loss']"), [false, true]);
        assert_eq!(is_about("passes = ['forward_gradient']"), [false, false]);
        assert_eq!(is_about("dtypes = ['f64', 'f32']"), [true, true]);
        assert_eq!(is_about("sizes = ['memory']"), [false, true]);
        assert_eq!(is_about("elements = { below = 1000 }"), [true, false]);
        assert_eq!(is_about("elements = { from = 1000 }"), [false, true]);
        assert_eq!(is_about("threads = 2"), [false, false]);
    }

    #[test]
    fn a_malformed_goal_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("goals.toml");
        let message = |from: &str, to: &str| {
            let text = "[[goal]]\nworkloads = 'all'\nlosses = ['l1_loss']\nmeasure = 'share_of_copy'\nwanted = { every = 0.5 }\n";
            fs::write(&file, text.replace(from, to)).unwrap();
            Goals::read(&file).unwrap_err().to_string()
        };
        for (from, to, expected) in [
            ("[[goal]]", "[[goal", "TOML parse error at line 1"),
            ("share_of_copy", "speed", "`goal[0].measure`: unknown variant `speed`"),
            ("every", "most", "`goal[0].wanted`: unknown variant `most`"),
            ("0.5", "'much'", "`goal[0].wanted.every`: invalid type"),
            ("0.5", "0.0", "`goal[0].wanted`: 0, expected a number above 0"),
            ("l1_loss", "l3_loss", "`goal[0].losses`: unknown loss `l3_loss`"),
            ("losses", "lossses", "`goal[0].lossses`: unknown field"),
            ("workloads = 'all'", "", "`goal[0]`: missing field `workloads`"),
            ("workloads = 'all'", "workloads = 'all'\nthreads = 0", "`goal[0].threads`: 0"),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected) && message.contains("goals.toml: "), "{message}, expected {expected}");
        }
        assert!(Goals::read(&folder.path().join("none")).unwrap_err().to_string().contains("cannot be read"));
    }
}
