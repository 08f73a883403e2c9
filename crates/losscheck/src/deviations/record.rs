//! The record of a backend: how many goldens it provides, and how it is known to differ on them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::coverage::Divided;
use super::matcher::Matcher;
use super::statement::Statement;
use crate::case::Case;
use crate::error::DataError;
use crate::files::{read_if_present, write_atomically};
use crate::judge::verdict::{DifferenceKind, WrongNumber, WrongNumbers};
use crate::loss::LossKind;

/// The reason that `--update-deviations` writes, for a person to replace.
pub const UNEXPLAINED: &str = "unexplained";

/// The record of one backend.
#[derive(Clone, Debug, Default)]
pub struct Deviations {
    /// What the answers of the backend are judged by.
    pub judged_by: JudgedBy,
    /// The number of goldens that the backend provides, by the name of the loss.
    pub provided: BTreeMap<String, usize>,
    pub(super) entries: Vec<Entry>,
    pub(super) borrowed: Vec<Borrowed>,
}

/// What the answers of a backend are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// The oracle or, if the case has it, PyTorch's answer: to agree with one of them is enough.
    #[default]
    OracleOrPytorch,
    /// The oracle alone.
    Oracle,
}

/// A deviation of another backend, which this one has, too.
#[derive(Clone, Debug)]
pub(super) struct Borrowed {
    /// The backend in whose record the deviation is.
    pub(super) of: String,
    pub(super) entry: Entry,
}

/// A deviation whose names have been looked up.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) deviation: Arc<Deviation>,
    pub(super) loss: LossKind,
    pub(super) matchers: Vec<Matcher>,
    pub(super) statements: Vec<Statement>,
    pub(super) condition: Option<&'static Condition>,
}

/// A deviation as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The loss.
    pub loss: String,
    /// The name of the deviation among those of the loss: `LOSS/NAME` names it in the record.
    pub name: String,
    /// What the backend gives: see [`Statement`].
    pub gives: Vec<String>,
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
    /// Whether the backend is not deterministic: a case that agrees is no failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
    /// Whether a case may damage the memory of the process, so that later answers mean nothing. An adapter is asked it on
    /// request only, last and alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub corrupts_memory: bool,
    /// The name of the [`Condition`] under which the backend gives that. Outside the goldens a deviation without a condition
    /// covers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The goldens that differ in this way, or none if `when` is given and the witness is a regression: ids, in which `*` stands for anything, or `flag:NAME` for all cases of a flag.
    pub cases: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "is_default")]
    judged_by: JudgedBy,
    /// Deviations of other records that are true of this backend, too: `BACKEND/LOSS/NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    same_as: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    provided: BTreeMap<String, usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deviation: Vec<Deviation>,
}

fn is_default(judged_by: &JudgedBy) -> bool {
    *judged_by == JudgedBy::default()
}

impl Deviations {
    /// Reads the record of a backend. A file that is not there holds nothing. Files of other backends are beside it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or an entry is malformed.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        Self::read_among(file, file.parent().unwrap_or(Path::new(".")))
    }

    /// Reads the record of a backend, as [`Deviations::read`] does. Files of other backends are beside it, or in the folder
    /// `others`.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or an entry is malformed.
    pub fn read_among(file: &Path, others: &Path) -> Result<Self, DataError> {
        let Some(text) = read_if_present(file)? else { return Ok(Self::default()) };
        let read: File = toml::from_str(&text).map_err(|error| DataError::new(file, error.to_string()))?;
        let failed = |message: String| DataError::new(file, message);
        for name in read.provided.keys() {
            name.parse::<LossKind>().map_err(|message| failed(format!("`provided`: {message}")))?;
        }
        let entries: Vec<Entry> =
            read.deviation.into_iter().map(Entry::new).collect::<Result<_, _>>().map_err(failed)?;
        let mut paths = BTreeSet::new();
        if let Some(twice) = entries.iter().map(|entry| entry.deviation.path()).find(|path| !paths.insert(path.clone()))
        {
            return Err(failed(format!(
                "deviation {twice}: `name`: expected a name that no other deviation of the loss has"
            )));
        }
        let borrowed = borrowed(&read.same_as, file, others)?;
        Ok(Self { judged_by: read.judged_by, provided: read.provided, entries, borrowed })
    }

    /// Returns the record with the deviations of another besides.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self
    }

    /// Writes the record. If it is empty, the file is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), DataError> {
        if self.is_empty() {
            return match std::fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(DataError::new(file, format!("cannot be removed: {error}")))
                }
                _ => Ok(()),
            };
        }
        let all = File {
            judged_by: self.judged_by,
            same_as: self.same_as().collect(),
            provided: self.provided.clone(),
            deviation: self.iter().cloned().collect(),
        };
        let text = toml::to_string_pretty(&all).map_err(|error| DataError::new(file, error.to_string()))?;
        write_atomically(file, text.as_bytes())
    }

    /// Returns whether a case may damage the memory of the process.
    pub fn corrupts_memory(&self, case: &Case) -> bool {
        let corrupts = |entry: &&Entry| entry.deviation.corrupts_memory && entry.loss == case.loss.kind();
        let borrowed = self.borrowed.iter().map(|borrowed| &borrowed.entry);
        self.entries.iter().chain(borrowed).filter(corrupts).any(|entry| {
            let meets = |condition| Divided::new(case).meets(condition);
            entry.lists(case) || entry.condition.is_some_and(meets)
        })
    }

    /// Returns whether the record says nothing.
    pub fn is_empty(&self) -> bool {
        self.provided.is_empty() && self.entries.is_empty() && self.borrowed.is_empty()
    }

    /// Returns every deviation.
    pub fn iter(&self) -> impl Iterator<Item = &Deviation> {
        self.entries.iter().map(|entry| &*entry.deviation)
    }

    /// Returns the deviations of other records that are true of this backend, too, as `BACKEND/LOSS/NAME`.
    pub fn same_as(&self) -> impl Iterator<Item = String> {
        self.borrowed.iter().map(|Borrowed { of, entry }| format!("{of}/{}", entry.deviation.path()))
    }
}

/// Looks up deviations in the records of other backends.
fn borrowed(paths: &[String], file: &Path, others: &Path) -> Result<Vec<Borrowed>, DataError> {
    let mut records: BTreeMap<&str, Deviations> = BTreeMap::new();
    let mut borrowed = Vec::new();
    for path in paths {
        let failed = |message: &str| DataError::new(file, format!("`same_as`: `{path}`: {message}"));
        let (of, name) = path.split_once('/').ok_or_else(|| failed("expected `BACKEND/LOSS/NAME`"))?;
        let beside = file.with_file_name(format!("{of}.toml"));
        if beside == file {
            return Err(failed("expected a deviation of another backend"));
        }
        let beside = if beside.exists() { beside } else { others.join(format!("{of}.toml")) };
        if !records.contains_key(of) {
            records.insert(of, Deviations::read(&beside)?);
        }
        let entry = records[of].entries.iter().find(|entry| entry.deviation.path() == name);
        let entry = entry.ok_or_else(|| failed(&format!("there is no such deviation in {}", beside.display())))?;
        borrowed.push(Borrowed { of: of.to_owned(), entry: entry.clone() });
    }
    Ok(borrowed)
}

impl Deviation {
    /// Returns what names the deviation in its record.
    pub fn path(&self) -> String {
        format!("{}/{}", self.loss, self.name)
    }
}

impl Entry {
    /// Looks up the names in a deviation.
    ///
    /// # Errors
    ///
    /// Returns an error if the loss, the condition or what the deviation gives is unknown.
    pub(super) fn new(deviation: Deviation) -> Result<Self, String> {
        let path = deviation.path();
        let failed = |field: &str, message: String| format!("deviation {path}: `{field}`: {message}");
        let Deviation { loss: name, gives, cases, when, .. } = &deviation;
        let loss: LossKind = name.parse().map_err(|message| failed("loss", message))?;
        let condition = when.as_deref().map(Condition::named).transpose();
        let condition = condition.map_err(|message| failed("when", message))?;
        let statements = gives.iter().map(|text| Statement::parse(text, loss.signature())).collect::<Result<_, _>>();
        let statements = statements.map_err(|message| failed("gives", message))?;
        if cases.is_empty() && condition.is_none() {
            return Err(failed("cases", "expected goldens, or a condition in `when`".to_owned()));
        }
        let matchers = cases.iter().map(|pattern| Matcher::new(pattern)).collect();
        Ok(Self { deviation: Arc::new(deviation), loss, matchers, statements, condition })
    }

    /// Returns whether the deviation covers another outcome of a case as a whole.
    pub(super) fn covers_outcome(&self, kind: DifferenceKind, divided: &Divided<'_>) -> bool {
        self.statements.contains(&Statement::Outcome(kind))
            && self.condition.is_none_or(|condition| divided.meets(condition))
    }

    /// Returns whether the deviation covers a wrong number.
    pub(super) fn covers(
        &self,
        kind: DifferenceKind,
        of: &WrongNumbers,
        number: &WrongNumber,
        divided: &Divided<'_>,
    ) -> bool {
        self.statements.iter().any(|statement| match statement {
            Statement::Numbers { output, gives } if *output == of.output => {
                divided.covers((self.condition, gives), kind, of, number)
            }
            Statement::Numbers { .. } | Statement::Outcome(_) => false,
        })
    }

    /// Returns how far the deviation allows a wrong number to be off: 0 if it does not.
    pub(super) fn allowance(
        &self,
        kind: DifferenceKind,
        of: &WrongNumbers,
        number: &WrongNumber,
        divided: &Divided<'_>,
    ) -> f64 {
        let allowance = |statement: &Statement| match statement {
            Statement::Numbers { output, gives } if *output == of.output => {
                divided.allowance((self.condition, gives), kind, of, number)
            }
            Statement::Numbers { .. } | Statement::Outcome(_) => 0.0,
        };
        self.statements.iter().map(allowance).sum()
    }

    /// Returns whether the deviation lists a golden.
    pub(super) fn lists(&self, case: &Case) -> bool {
        self.loss == case.loss.kind() && self.matchers.iter().any(|matcher| matcher.matches(case))
    }
}
