//! The record of a backend: how many goldens it provides, and how it is known to differ on them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::matcher::Matcher;
use crate::case::Case;
use crate::error::DataError;
use crate::files::{read_if_present, write_atomically};
use crate::judge::verdict::DifferenceKind;
use crate::loss::LossKind;

/// The reason that `--update-deviations` writes, for a person to replace.
pub const UNEXPLAINED: &str = "unexplained";

/// The record of one backend.
#[derive(Debug, Default)]
pub struct Deviations {
    /// The number of goldens that the backend provides, by the name of the loss.
    pub provided: BTreeMap<String, usize>,
    pub(super) entries: Vec<Entry>,
}

/// A deviation whose names have been looked up.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) deviation: Arc<Deviation>,
    pub(super) loss: LossKind,
    pub(super) matchers: Vec<Matcher>,
    condition: Option<&'static Condition>,
}

/// A deviation as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The loss.
    pub loss: String,
    /// The kind of difference that it covers.
    pub kind: DifferenceKind,
    /// Why the backend differs.
    pub reason: String,
    /// Where this is reported upstream, `wontfix` if it has been refused there, or `unreported`.
    pub upstream: String,
    /// The id of a case that shows it.
    pub witness: String,
    /// Whether it depends on the processor that a case differs, because libtorch chooses its kernels by the processor. If so,
    /// a case that agrees is no failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cpu_dependent: bool,
    /// The name of the [`Condition`] under which cases outside the goldens may differ in this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The goldens that differ in this way: ids, in which `*` stands for anything, or `flag:NAME` for all cases of a flag.
    pub cases: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    provided: BTreeMap<String, usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deviation: Vec<Deviation>,
}

impl Deviations {
    /// Reads the record of a backend. A file that is not there holds nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or an entry is malformed.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let Some(text) = read_if_present(file)? else { return Ok(Self::default()) };
        let read: File = toml::from_str(&text).map_err(|error| DataError::new(file, error.to_string()))?;
        let failed = |message: String| DataError::new(file, message);
        for name in read.provided.keys() {
            name.parse::<LossKind>().map_err(|message| failed(format!("`provided`: {message}")))?;
        }
        let entries = read.deviation.into_iter().map(Entry::new).collect::<Result<_, _>>();
        Ok(Self { provided: read.provided, entries: entries.map_err(failed)? })
    }

    /// Writes the record. If it is empty, the file is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), DataError> {
        if self.provided.is_empty() && self.entries.is_empty() {
            return match std::fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(DataError::new(file, format!("cannot be removed: {error}")))
                }
                _ => Ok(()),
            };
        }
        let all = File { provided: self.provided.clone(), deviation: self.iter().cloned().collect() };
        let text = toml::to_string_pretty(&all).map_err(|error| DataError::new(file, error.to_string()))?;
        write_atomically(file, text.as_bytes())
    }

    /// Returns every deviation.
    pub fn iter(&self) -> impl Iterator<Item = &Deviation> {
        self.entries.iter().map(|entry| &*entry.deviation)
    }

    /// Returns the deviation of a kind that lists a golden.
    pub(super) fn that_lists(&self, case: &Case, kind: DifferenceKind) -> Option<&Arc<Deviation>> {
        self.find(kind, |entry| entry.lists(case))
    }

    /// Returns the deviation of a kind whose condition holds of a case.
    pub(super) fn that_holds(&self, case: &Case, kind: DifferenceKind) -> Option<&Arc<Deviation>> {
        let holds = |entry: &Entry| entry.condition.is_some_and(|condition| condition.holds(case));
        self.find(kind, |entry| entry.loss == case.loss.kind() && holds(entry))
    }

    fn find(&self, kind: DifferenceKind, covers: impl Fn(&Entry) -> bool) -> Option<&Arc<Deviation>> {
        let mut entries = self.entries.iter().filter(|entry| entry.deviation.kind == kind);
        entries.find(|entry| covers(entry)).map(|entry| &entry.deviation)
    }
}

impl Entry {
    /// Looks up the names in a deviation.
    ///
    /// # Errors
    ///
    /// Returns an error if the loss or the condition is unknown.
    pub(super) fn new(deviation: Deviation) -> Result<Self, String> {
        let Deviation { loss: name, kind, cases, when, .. } = &deviation;
        let loss = name.parse().map_err(|message| format!("deviation of `{name}`: `loss`: {message}"))?;
        let condition = when.as_deref().map(Condition::named).transpose();
        let condition = condition.map_err(|message| format!("deviation of {name} ({kind:?}): `when` is {message}"))?;
        let matchers = cases.iter().map(|pattern| Matcher::new(pattern)).collect();
        Ok(Self { deviation: Arc::new(deviation), loss, matchers, condition })
    }

    /// Returns whether the deviation lists a golden.
    pub(super) fn lists(&self, case: &Case) -> bool {
        self.loss == case.loss.kind() && self.matchers.iter().any(|matcher| matcher.matches(case))
    }
}
