//! What a run of the benchmarks leaves for the report, beside criterion's own data.
//!
//! Criterion keeps the times, in a folder for each benchmark, `LOSS/PASS/SHAPE/DTYPE/BACKEND`; a [`RunRecord`] says what they
//! are the times of, and on what machine. In the place of a backend [`COPY`] or [`ELEMENTARY`] may stand. Other frameworks
//! hand in a [`FrameworksRecord`].

use std::collections::BTreeMap;

use losscheck::backend::Pass;
use serde::{Deserialize, Serialize};

use crate::size::Size;

/// The first field of a [`RunRecord`].
pub const RUN_FORMAT: &str = "losscheck-run/3";
/// The first field of a [`FrameworksRecord`].
pub const FRAMEWORKS_FORMAT: &str = "losscheck-frameworks/1";
/// What criterion calls the times of a copy that reads and writes as many bytes as a loss must.
pub const COPY: &str = "copy";
/// What criterion calls the times of a loss's elementary functions alone, in a loop like the reference's.
pub const ELEMENTARY: &str = "elementary";
/// The file of the [`FrameworksRecord`] in criterion's folder.
pub const FRAMEWORKS_FILE: &str = "losscheck-frameworks.json";

/// Returns the file of the [`RunRecord`] with so many threads, in criterion's folder.
pub fn run_file(threads: usize) -> String {
    format!("losscheck-threads-{threads}.json")
}

/// One run of the benchmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`RUN_FORMAT`].
    pub format: String,
    /// The day, as 2026-11-26.
    pub date: String,
    /// The processor's name and its caches.
    pub processor: String,
    /// The threads that each library had.
    pub threads: usize,
    /// The version of each backend, by its name.
    pub versions: BTreeMap<String, String>,
    /// How fast the machine was, from the first to the last.
    pub calibrations: Vec<Calibration>,
    /// What was measured.
    pub workloads: Vec<WorkloadRecord>,
}

/// How fast the machine is at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The workload that had just been measured; absent at the start.
    pub after: Option<String>,
    /// For each size, the gigabytes a second that a copy reads and writes, both counted.
    pub copy: BTreeMap<Size, f64>,
    /// The nanoseconds of a fixed piece of arithmetic.
    pub arithmetic: f64,
    /// The share of the processors' time that other processes took since the last calibration.
    pub busy: f64,
}

/// One loss, pass, shape and dtype: a row of the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRecord {
    /// `LOSS/PASS/SHAPE/DTYPE`, the group of its benchmarks.
    pub id: String,
    /// The loss, by PyTorch's functional name.
    pub loss: String,
    /// What is timed.
    pub pass: Pass,
    /// The shape of the first tensor: `32x1000`.
    pub shape: String,
    /// The dtype of the computation.
    pub dtype: String,
    /// How much data that is.
    pub size: Size,
    /// The shape of each tensor, by name.
    pub tensors: BTreeMap<String, Vec<usize>>,
    /// The elements of the first tensor.
    pub elements: u64,
    /// The bytes that must be read and written: every input once, every result once.
    pub bytes: u64,
    /// Why a backend has no times, by its name.
    pub absent: BTreeMap<String, String>,
    /// What a call of the reference holds in memory beside its inputs and results.
    pub workspace: Option<Workspace>,
    /// Why the times are noisy, if they are.
    pub noisy: Option<String>,
}

/// What a call holds in memory, at most, beside its inputs and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// The bytes measured.
    pub bytes: u64,
    /// The bytes that the documentation allows.
    pub documented: u64,
}

/// The times of other frameworks on the same workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameworksRecord {
    /// [`FRAMEWORKS_FORMAT`].
    pub format: String,
    /// The day.
    pub date: String,
    /// The threads that each had.
    pub threads: usize,
    /// The version of each, by its name.
    pub versions: BTreeMap<String, String>,
    /// What was measured.
    pub cells: Vec<FrameworkTimes>,
}

/// One framework on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameworkTimes {
    /// The [`WorkloadRecord::id`].
    pub workload: String,
    /// The framework's name.
    pub backend: String,
    /// The nanoseconds of a call, a number for each sample; empty where there is a reason.
    pub nanoseconds: Vec<f64>,
    /// Why there are none.
    pub absent: Option<String>,
}
