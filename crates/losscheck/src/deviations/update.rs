//! Bringing deviations up to date with what differs now.

use std::collections::{BTreeMap, BTreeSet};

use super::matcher::patterns;
use super::record::{Deviation, Deviations, Entry, UNEXPLAINED};
use crate::case::Case;
use crate::judge::verdict::{DifferenceKind, Verdict};
use crate::loss::LossKind;

impl Deviations {
    /// Returns what is not true (any more) of the record, given the verdicts on all goldens of some losses.
    pub fn stale<'a>(&self, verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone) -> Vec<String> {
        let losses: BTreeSet<LossKind> = verdicts.clone().map(|(case, _)| case.loss.kind()).collect();
        let mut stale = Vec::new();
        for (loss, found) in provided(verdicts.clone()) {
            match self.provided.get(&loss) {
                Some(&recorded) if recorded != found => {
                    stale.push(format!("`provided`: {recorded} cases of {loss}, found {found}"));
                }
                _ => {}
            }
        }
        for entry in self.entries.iter().filter(|entry| losses.contains(&entry.loss)) {
            let Deviation { loss, kind, witness, .. } = &*entry.deviation;
            let covered: Vec<_> = verdicts.clone().filter(|(case, _)| entry.lists(case)).collect();
            for (pattern, matcher) in entry.deviation.cases.iter().zip(&entry.matchers) {
                if !covered.iter().any(|(case, _)| matcher.matches(case)) {
                    stale.push(format!("deviation of {loss} ({kind:?}): `{pattern}` names no case"));
                }
            }
            for (case, verdict) in covered.iter().filter(|_| !entry.deviation.cpu_dependent) {
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

    /// Returns the record brought up to date. The cases of each deviation are those that differ in this way now; differences
    /// that no deviation covers are added by loss, kind and first flag, for a person to explain.
    #[must_use]
    pub fn updated<'a>(&self, verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone) -> Self {
        let mut groups: BTreeMap<(LossKind, DifferenceKind, usize, String), BTreeSet<&str>> = BTreeMap::new();
        for (case, verdict) in verdicts.clone() {
            let Verdict::Differs(differences) = verdict else { continue };
            for kind in differences.iter().map(|difference| difference.kind).collect::<BTreeSet<_>>() {
                let loss = case.loss.kind();
                let entry = self.entries.iter().position(|entry| entry.deviation.kind == kind && entry.lists(case));
                let flag = case.flags.first().cloned().unwrap_or_default();
                // An entry made by an earlier update for the same flag takes in what has come since.
                let entry = entry.or_else(|| {
                    self.entries.iter().position(|entry| {
                        entry.deviation.kind == kind
                            && entry.loss == loss
                            && entry.deviation.witness_flag(&verdicts, &flag)
                    })
                });
                let key = match entry {
                    Some(position) => (loss, kind, position, String::new()),
                    None => (loss, kind, usize::MAX, flag),
                };
                groups.entry(key).or_default().insert(&case.id);
            }
        }
        // If it depends on the processor, this run has no say about what is known already.
        for (position, entry) in self.entries.iter().enumerate().filter(|(_, entry)| entry.deviation.cpu_dependent) {
            for (case, _) in verdicts.clone().filter(|(case, _)| entry.lists(case)) {
                let key = (entry.loss, entry.deviation.kind, position, String::new());
                groups.entry(key).or_default().insert(&case.id);
            }
        }
        let seen: BTreeSet<LossKind> = verdicts.clone().map(|(case, _)| case.loss.kind()).collect();
        let untouched = self.iter().filter(|record| !seen.iter().any(|loss| loss.name() == record.loss)).cloned();
        let changed = groups.into_iter().map(|((loss, kind, position, _), ids)| {
            let old = self.entries.get(position).map(|entry| Deviation::clone(&entry.deviation));
            let first = ids.first().map_or_else(String::new, |id| (*id).to_owned());
            let old = old.unwrap_or_else(|| Deviation {
                loss: loss.name().to_owned(),
                kind,
                reason: UNEXPLAINED.to_owned(),
                upstream: "unreported".to_owned(),
                witness: first.clone(),
                cpu_dependent: false,
                when: None,
                cases: Vec::new(),
            });
            let witness = if ids.contains(old.witness.as_str()) { old.witness.clone() } else { first };
            Deviation { witness, cases: patterns(&ids, loss, verdicts.clone()), ..old }
        });
        let mut records: Vec<Deviation> = Vec::new();
        for record in untouched.chain(changed) {
            match records.iter_mut().find(|known| known.explains_as(&record)) {
                Some(known) => known.cases.extend(record.cases),
                None => records.push(record),
            }
        }
        records.sort_by(|a, b| (&a.loss, a.kind, &a.witness).cmp(&(&b.loss, b.kind, &b.witness)));
        let entries = records.into_iter().map(|record| Entry::new(record).expect("the patterns are well-formed"));
        let mut provided_now = self.provided.clone();
        provided_now.extend(provided(verdicts));
        Self { provided: provided_now, entries: entries.collect() }
    }
}

impl Deviation {
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

/// Counts the cases of each loss that a backend provides.
fn provided<'a>(verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (case, verdict) in verdicts {
        let count: &mut usize = counts.entry(case.loss.kind().name().to_owned()).or_default();
        *count += usize::from(!matches!(verdict, Verdict::NotProvided(_)));
    }
    counts
}
