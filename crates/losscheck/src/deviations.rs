//! Known differences, on record: strict both ways.
//!
//! A deviation excuses one kind of difference of one backend on the cases that it names. A difference that no deviation
//! excuses is a finding; so is a deviation whose case agrees by now, or that names no case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::conditions;
use crate::golden::{DataError, write_atomically};
use crate::loss::LossKind;
use crate::verdict::{Kind, Verdict};

/// The reason that `--update-deviations` writes, for a person to replace.
pub const UNEXPLAINED: &str = "unexplained";

/// The record of one backend.
#[derive(Debug, Default)]
pub struct Deviations {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    loss: LossKind,
    matchers: Vec<Matcher>,
}

#[derive(Debug)]
enum Matcher {
    Flag(String),
    /// The parts of an id, with anything between two of them.
    Id(Vec<String>),
}

/// One deviation, as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The loss.
    pub loss: String,
    /// The difference that it excuses.
    pub kind: Kind,
    /// Why it is so.
    pub reason: String,
    /// Where it is reported upstream, `wontfix` where that has been refused, or `unreported`.
    pub upstream: String,
    /// A case that shows it.
    pub witness: String,
    /// Whether the processor decides if a case differs so, for libtorch chooses its kernels by it: a case that agrees is no
    /// failure then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_processor: bool,
    /// The condition under which cases outside the goldens may differ so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The goldens that differ so: ids, with `*` for any part, or `flag:NAME` for all of that flag.
    pub cases: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    deviation: Vec<Record>,
}

impl Deviations {
    /// Reads the record of a backend; no file is an empty record.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or an entry is malformed.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(DataError::new(file, format!("cannot be read: {error}"))),
        };
        let records: File = toml::from_str(&text).map_err(|error| DataError::new(file, error.to_string()))?;
        let entries = records.deviation.into_iter().map(Entry::new).collect::<Result<_, _>>();
        Ok(Self { entries: entries.map_err(|message: String| DataError::new(file, message))? })
    }

    /// Writes the record; an empty one is no file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), DataError> {
        if self.entries.is_empty() {
            return match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(DataError::new(file, format!("cannot be removed: {error}")))
                }
                _ => Ok(()),
            };
        }
        let records = File { deviation: self.records().cloned().collect() };
        let text = toml::to_string_pretty(&records).map_err(|error| DataError::new(file, error.to_string()))?;
        write_atomically(file, text.as_bytes())
    }

    /// The entries.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.entries.iter().map(|entry| &entry.record)
    }

    /// The deviation that excuses a golden case of this kind of difference.
    pub fn excuse_golden(&self, case: &Case, kind: Kind) -> Option<&Record> {
        let mut entries = self.entries.iter().filter(|entry| entry.record.kind == kind);
        entries.find(|entry| entry.covers(case)).map(|entry| &entry.record)
    }

    /// The deviation that excuses a case outside the goldens: one whose condition holds.
    pub fn excuse_other(&self, case: &Case, kind: Kind) -> Option<&Record> {
        let mut entries = self.entries.iter().filter(|entry| entry.record.kind == kind);
        let holds = |entry: &&Entry| {
            entry.loss == case.loss.kind()
                && entry.record.when.as_ref().is_some_and(|name| conditions::holds(name, case) == Some(true))
        };
        entries.find(holds).map(|entry| &entry.record)
    }

    /// What is no longer true of the record, given the verdicts on all goldens of some losses.
    pub fn stale<'a>(&self, verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone) -> Vec<String> {
        let losses: BTreeSet<LossKind> = verdicts.clone().map(|(case, _)| case.loss.kind()).collect();
        let mut stale = Vec::new();
        for entry in self.entries.iter().filter(|entry| losses.contains(&entry.loss)) {
            let Record { loss, kind, witness, .. } = &entry.record;
            let covered: Vec<_> = verdicts.clone().filter(|(case, _)| entry.covers(case)).collect();
            for (pattern, matcher) in entry.record.cases.iter().zip(&entry.matchers) {
                if !covered.iter().any(|(case, _)| matcher.matches(case)) {
                    stale.push(format!("deviation of {loss} ({kind:?}): `{pattern}` names no case"));
                }
            }
            for (case, verdict) in covered.iter().filter(|_| !entry.record.by_processor) {
                let differs = match verdict {
                    Verdict::Differs(differences) => differences.iter().any(|difference| difference.kind == *kind),
                    Verdict::NotProvided(_) => true,
                    Verdict::Agrees => false,
                };
                if !differs {
                    stale.push(format!("deviation of {loss} ({kind:?}): {} does not differ so", case.id));
                }
            }
            if !covered.iter().any(|(case, _)| case.id == *witness) {
                stale.push(format!("deviation of {loss} ({kind:?}): its witness `{witness}` is none of its cases"));
            }
        }
        stale
    }

    /// The record brought up to date: each entry's cases are those that differ so now; what no entry excuses is added by
    /// loss, kind and first flag, for a person to explain.
    #[must_use]
    pub fn updated<'a>(&self, verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone) -> Self {
        let mut groups: BTreeMap<(LossKind, Kind, usize, String), BTreeSet<&str>> = BTreeMap::new();
        for (case, verdict) in verdicts.clone() {
            let Verdict::Differs(differences) = verdict else { continue };
            for kind in differences.iter().map(|difference| difference.kind).collect::<BTreeSet<_>>() {
                let loss = case.loss.kind();
                let entry = self.entries.iter().position(|entry| entry.record.kind == kind && entry.covers(case));
                let flag = case.flags.first().cloned().unwrap_or_default();
                // An entry made by an earlier update for the same flag takes in what has come since.
                let entry = entry.or_else(|| {
                    self.entries.iter().position(|entry| {
                        entry.record.kind == kind && entry.loss == loss && entry.record.witness_flag(&verdicts, &flag)
                    })
                });
                let key = match entry {
                    Some(position) => (loss, kind, position, String::new()),
                    None => (loss, kind, usize::MAX, flag),
                };
                groups.entry(key).or_default().insert(&case.id);
            }
        }
        // Where the processor decides, this one has no say about what is on record already.
        for (position, entry) in self.entries.iter().enumerate().filter(|(_, entry)| entry.record.by_processor) {
            for (case, _) in verdicts.clone().filter(|(case, _)| entry.covers(case)) {
                let key = (entry.loss, entry.record.kind, position, String::new());
                groups.entry(key).or_default().insert(&case.id);
            }
        }
        let seen: BTreeSet<LossKind> = verdicts.clone().map(|(case, _)| case.loss.kind()).collect();
        let untouched = self.records().filter(|record| !seen.iter().any(|loss| loss.name() == record.loss)).cloned();
        let changed = groups.into_iter().map(|((loss, kind, position, _), ids)| {
            let old = self.entries.get(position).map(|entry| entry.record.clone());
            let first = ids.first().map_or_else(String::new, |id| (*id).to_owned());
            let old = old.unwrap_or_else(|| Record {
                loss: loss.name().to_owned(),
                kind,
                reason: UNEXPLAINED.to_owned(),
                upstream: "unreported".to_owned(),
                witness: first.clone(),
                by_processor: false,
                when: None,
                cases: Vec::new(),
            });
            let witness = if ids.contains(old.witness.as_str()) { old.witness.clone() } else { first };
            Record { witness, cases: patterns(&ids, loss, verdicts.clone()), ..old }
        });
        let mut records: Vec<Record> = Vec::new();
        for record in untouched.chain(changed) {
            match records.iter_mut().find(|known| known.explains_as(&record)) {
                Some(known) => known.cases.extend(record.cases),
                None => records.push(record),
            }
        }
        records.sort_by(|a, b| (&a.loss, a.kind, &a.witness).cmp(&(&b.loss, b.kind, &b.witness)));
        let entries = records.into_iter().map(|record| Entry::new(record).expect("the patterns are well-formed"));
        Self { entries: entries.collect() }
    }
}

impl Record {
    /// Whether another says the same of other cases.
    fn explains_as(&self, other: &Self) -> bool {
        let explanation = |record: &Self| Self { witness: String::new(), cases: Vec::new(), ..record.clone() };
        self.reason != UNEXPLAINED && explanation(self) == explanation(other)
    }

    fn witness_flag<'a>(&self, verdicts: &(impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone), flag: &str) -> bool {
        let mut cases = verdicts.clone().map(|(case, _)| case);
        cases.find(|case| case.id == self.witness).is_some_and(|case| case.flags.first().is_some_and(|own| own == flag))
    }
}

impl Entry {
    fn new(record: Record) -> Result<Self, String> {
        let Record { loss: name, kind, cases, when, .. } = &record;
        let loss = name.parse().map_err(|message| format!("deviation of `{name}`: `loss`: {message}"))?;
        if let Some(when) = when
            && conditions::ALL.iter().all(|condition| condition.name != when)
        {
            let names: Vec<_> = conditions::ALL.iter().map(|condition| condition.name).collect();
            return Err(format!(
                "deviation of {name} ({kind:?}): `when` is `{when}`, expected one of {}",
                names.join(", ")
            ));
        }
        let matchers = cases.iter().map(|pattern| Matcher::new(pattern)).collect();
        Ok(Self { loss, matchers, record })
    }

    fn covers(&self, case: &Case) -> bool {
        self.loss == case.loss.kind() && self.matchers.iter().any(|matcher| matcher.matches(case))
    }
}

impl Matcher {
    fn new(pattern: &str) -> Self {
        match pattern.strip_prefix("flag:") {
            Some(flag) => Self::Flag(flag.to_owned()),
            None => Self::Id(pattern.split('*').map(str::to_owned).collect()),
        }
    }

    fn matches(&self, case: &Case) -> bool {
        match self {
            Self::Flag(flag) => case.flags.contains(flag),
            Self::Id(parts) => are_parts_of(&case.id, parts),
        }
    }
}

/// Whether a text consists of these parts, in this order, with anything between two of them.
fn are_parts_of<'t>(text: &'t str, parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else { return parts == [text] };
    let after = |rest: &'t str, part: &String| rest.split_once(part.as_str()).map(|(_, rest)| rest);
    let rest = text.strip_prefix(first.as_str());
    let rest = rest.and_then(|rest| between.iter().try_fold(rest, after));
    rest.is_some_and(|rest| rest.ends_with(last.as_str()))
}

/// The shortest list of patterns for just these cases: a flag or a parent where all that are provided are among them.
fn patterns<'a>(
    ids: &BTreeSet<&str>,
    loss: LossKind,
    verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone,
) -> Vec<String> {
    let provided = || {
        verdicts
            .clone()
            .filter(|(case, verdict)| case.loss.kind() == loss && !matches!(verdict, Verdict::NotProvided(_)))
    };
    let mut left = ids.clone();
    let mut patterns = Vec::new();
    let flags: BTreeSet<&str> = provided().flat_map(|(case, _)| &case.flags).map(String::as_str).collect();
    for flag in flags {
        let flagged = || provided().filter(|(case, _)| case.flags.iter().any(|own| own == flag));
        if flagged().all(|(case, _)| ids.contains(case.id.as_str()))
            && flagged().any(|(case, _)| left.contains(case.id.as_str()))
        {
            let flagged: BTreeSet<&str> = flagged().map(|(case, _)| case.id.as_str()).collect();
            left.retain(|id| !flagged.contains(id));
            patterns.push(format!("flag:{flag}"));
        }
    }
    let parents: BTreeSet<&str> = left.iter().filter_map(|id| Some(id.rsplit_once('/')?.0)).collect();
    for parent in parents {
        let below = |id: &str| id.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
        let children = || provided().map(|(case, _)| case.id.as_str()).filter(|id| below(id));
        if children().count() > 1 && children().all(|id| ids.contains(id)) {
            left.retain(|id| !below(id));
            patterns.push(format!("{parent}/*"));
        }
    }
    patterns.extend(left.into_iter().map(str::to_owned));
    patterns
}

#[cfg(test)]
mod tests {
    use super::are_parts_of;

    fn matches(pattern: &str, id: &str) -> bool {
        are_parts_of(id, &pattern.split('*').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_star_stands_for_any_part_of_an_id() {
        for (pattern, id) in
            [("a/b", "a/b"), ("a/*", "a/b/c"), ("*/c", "a/b/c"), ("a/*/c", "a/b/c"), ("a*b*c", "abbcc")]
        {
            assert!(matches(pattern, id), "{pattern} {id}");
        }
        // The parts follow each other, and nothing else stands for anything.
        for (pattern, id) in [("a/b", "a/b/c"), ("a/*", "b/a/"), ("ab*bc", "abc"), ("a*b*c", "acb"), ("a/?", "a/b")] {
            assert!(!matches(pattern, id), "{pattern} {id}");
        }
    }
}
