//! Bringing deviations up to date with what differs now.

use std::collections::{BTreeMap, BTreeSet};

use super::PYTORCH;
use super::matcher::patterns;
use super::policy::{Explained, Policy};
use super::record::{Borrowed, Deviation, Deviations, Entry, UNEXPLAINED};
use super::statement::{Bound, Gives, Statement, Unit};
use crate::case::Case;
use crate::judge::verdict::{Difference, DifferenceKind, Verdict};
use crate::loss::LossKind;

/// A golden, what became of it on a backend, and which deviations cover what.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The golden.
    pub case: &'a Case,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// The differences, as [`Policy::explain`] divides them.
    pub explained: &'a [Explained],
}

impl Policy {
    /// Returns what is not true (any more) of the record, given what became of all goldens of some losses.
    pub fn stale<'a>(&self, pytorch: &Deviations, judged: impl Iterator<Item = Judged<'a>> + Clone) -> Vec<String> {
        let losses: BTreeSet<LossKind> = judged.clone().map(|judged| judged.case.loss.kind()).collect();
        let mut stale = Vec::new();
        for (loss, found) in provided(judged.clone()) {
            match self.own.provided.get(&loss) {
                Some(&recorded) if recorded != found => {
                    stale.push(format!("`provided`: {recorded} cases of {loss}, found {found}"));
                }
                _ => {}
            }
        }
        for entry in self.own.entries.iter().filter(|entry| losses.contains(&entry.loss)) {
            let path = entry.deviation.path();
            let covered: Vec<_> = judged.clone().filter(|judged| entry.lists(judged.case)).collect();
            for (pattern, matcher) in entry.deviation.cases.iter().zip(&entry.matchers) {
                if !covered.iter().any(|judged| matcher.matches(judged.case)) {
                    stale.push(format!("deviation {path}: `{pattern}` names no case"));
                }
            }
            for judged in covered.iter().filter(|_| !entry.deviation.cpu_dependent && !entry.deviation.flaky) {
                let is_provided = !matches!(judged.verdict, Verdict::NotProvided(_));
                if is_provided && !judged.explained.iter().any(|explained| entry.is_of(explained)) {
                    stale.push(format!("deviation {path}: {} does not differ so", judged.case.id));
                }
            }
            // A deviation that no golden shows has a regression for its witness.
            let is_shown = !entry.deviation.cases.is_empty();
            if is_shown && !covered.iter().any(|judged| judged.case.id == entry.deviation.witness) {
                let witness = &entry.deviation.witness;
                stale.push(format!("deviation {path}: its witness `{witness}` is none of its cases"));
            }
        }
        let same_as: BTreeSet<String> = self.own.same_as().collect();
        let found = self.found_same_as(pytorch, judged);
        for Borrowed { of, entry } in self.own.borrowed.iter().filter(|borrowed| losses.contains(&borrowed.entry.loss))
        {
            let path = format!("{of}/{}", entry.deviation.path());
            // What no golden shows is for random cases to show.
            if !entry.matchers.is_empty() && !found.contains(&path) {
                stale.push(format!("`same_as`: no case differs as `{path}` says"));
            }
        }
        if !self.own.is_empty() {
            let missing = found.difference(&same_as);
            stale.extend(missing.map(|path| format!("`same_as`: expected `{path}`, as cases differ so")));
        }
        stale
    }

    /// Returns the deviations of PyTorch, and of other records that this one names, that are true of this backend, too.
    fn found_same_as<'a>(
        &self,
        pytorch: &Deviations,
        judged: impl Iterator<Item = Judged<'a>> + Clone,
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if self.name == PYTORCH {
            return found;
        }
        let of_pytorch = Policy::new(PYTORCH, self.scope, pytorch.clone());
        for Judged { case, verdict, explained } in judged {
            let common = of_pytorch.explain_all(case, verdict.in_common_with_pytorch());
            let new = explained.iter().filter(|explained| explained.known.is_none());
            let as_pytorch = new.flat_map(|new| of_pytorch.explain_all(case, std::slice::from_ref(&new.difference)));
            let all = common.into_iter().chain(as_pytorch).chain(explained.iter().cloned());
            let of_others = all.filter_map(|explained| explained.known).filter(|known| known.of != self.name);
            found.extend(of_others.map(|known| format!("{}/{}", known.of, known.deviation.path())));
        }
        found
    }

    /// Returns the record brought up to date. The cases of each deviation are those that differ in this way now, and its
    /// bounds grow to what is found. Differences that no deviation covers are added by loss, kind and first flag, for a person
    /// to explain.
    #[must_use]
    pub fn updated<'a>(&self, pytorch: &Deviations, judged: impl Iterator<Item = Judged<'a>> + Clone) -> Deviations {
        let own = &self.own;
        let of_pytorch = Policy::new(PYTORCH, self.scope, pytorch.clone());
        let is_as_pytorch = |case: &Case, difference: &Difference| {
            let explained = of_pytorch.explain_all(case, std::slice::from_ref(difference));
            self.name != PYTORCH && explained.iter().all(|explained| explained.known.is_some())
        };
        let mut groups: BTreeMap<Group, Found<'_>> = BTreeMap::new();
        for Judged { case, explained, .. } in judged.clone() {
            for Explained { difference, known } in explained {
                let kept = own.entries.iter().position(|entry| known.as_ref().is_some_and(|known| entry.is(known)));
                if known.is_some() && kept.is_none() || known.is_none() && is_as_pytorch(case, difference) {
                    continue;
                }
                let flag = case.flags.first().cloned().unwrap_or_default();
                let widened = || own.entries.iter().position(|entry| entry.lists(case) && entry.speaks_of(difference));
                // An entry made by an earlier update for the same flag takes in what has come since.
                let extended = || {
                    own.entries.iter().position(|entry| {
                        entry.loss == case.loss.kind()
                            && entry.speaks_of(difference)
                            && entry.deviation.witness_flag(judged.clone(), &flag)
                    })
                };
                let group = match kept.or_else(widened).or_else(extended) {
                    Some(position) => Group::Old(position),
                    None => Group::New(case.loss.kind(), difference.kind, flag),
                };
                let found = groups.entry(group).or_default();
                found.ids.insert(&case.id);
                found.differences.extend(known.is_none().then_some(difference));
            }
        }
        // If it depends on the processor or on chance, or was not asked, this run has no say about what is known already.
        let is_open = |deviation: &Deviation| deviation.cpu_dependent || deviation.flaky || deviation.corrupts_memory;
        for (position, entry) in own.entries.iter().enumerate().filter(|(_, entry)| is_open(&entry.deviation)) {
            for Judged { case, .. } in judged.clone().filter(|judged| entry.lists(judged.case)) {
                groups.entry(Group::Old(position)).or_default().ids.insert(&case.id);
            }
        }
        let seen: BTreeSet<LossKind> = judged.clone().map(|judged| judged.case.loss.kind()).collect();
        let is_untouched =
            |record: &&Deviation| record.cases.is_empty() || !seen.iter().any(|loss| loss.name() == record.loss);
        let untouched = own.iter().filter(is_untouched).cloned();
        let changed = groups.into_iter().map(|(group, found)| self.changed(group, found, judged.clone()));
        let mut records: Vec<Deviation> = untouched.chain(changed).collect();
        records.sort_by(|a, b| (&a.loss, &a.witness, &a.name).cmp(&(&b.loss, &b.witness, &b.name)));
        let entries = records.into_iter().map(|record| Entry::new(record).expect("what is written can be read"));
        let mut provided_now = own.provided.clone();
        provided_now.extend(provided(judged.clone()));
        let found = self.found_same_as(pytorch, judged);
        let of_others = own.borrowed.iter().filter(|borrowed| borrowed.of != PYTORCH).cloned();
        let borrowed =
            pytorch.entries.iter().filter(|entry| match seen.contains(&entry.loss) && !entry.matchers.is_empty() {
                true => found.contains(&format!("{PYTORCH}/{}", entry.deviation.path())),
                false => own
                    .borrowed
                    .iter()
                    .any(|own| own.of == PYTORCH && own.entry.deviation.path() == entry.deviation.path()),
            });
        Deviations {
            judged_by: own.judged_by,
            provided: provided_now,
            entries: entries.collect(),
            borrowed: borrowed
                .map(|entry| Borrowed { of: PYTORCH.to_owned(), entry: entry.clone() })
                .chain(of_others)
                .collect(),
        }
    }

    fn changed<'a>(
        &self,
        group: Group,
        found: Found<'_>,
        judged: impl Iterator<Item = Judged<'a>> + Clone,
    ) -> Deviation {
        let first = found.ids.first().map_or_else(String::new, |id| (*id).to_owned());
        let (loss, old, statements) = match group {
            Group::Old(position) => {
                let entry = &self.own.entries[position];
                (entry.loss, Deviation::clone(&entry.deviation), entry.statements.clone())
            }
            Group::New(loss, kind, flag) => {
                let name = if flag.is_empty() {
                    format!("{kind:?}").to_lowercase()
                } else {
                    format!("{flag}_{kind:?}").to_lowercase()
                };
                (loss, Deviation::unexplained(loss, name, first.clone()), Vec::new())
            }
        };
        let witness = if found.ids.contains(old.witness.as_str()) { old.witness.clone() } else { first };
        let cpu_dependent = old.cpu_dependent;
        let statements = found
            .differences
            .iter()
            .fold(statements, |statements, difference| widen(statements, difference, cpu_dependent));
        let gives = statements.iter().map(ToString::to_string).collect();
        let provided = judged.map(|Judged { case, verdict, .. }| (case, verdict));
        Deviation { witness, gives, cases: patterns(&found.ids, loss, provided), ..old }
    }
}

/// Differences that belong to one deviation.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// The deviation at this place in the record.
    Old(usize),
    /// A new one.
    New(LossKind, DifferenceKind, String),
}

#[derive(Default)]
struct Found<'a> {
    /// The goldens that differ.
    ids: BTreeSet<&'a str>,
    /// What the deviation does not cover so far.
    differences: Vec<&'a Difference>,
}

/// Returns the statements, widened so that they are true of one more difference.
fn widen(mut statements: Vec<Statement>, difference: &Difference, cpu_dependent: bool) -> Vec<Statement> {
    let Some(wrong) = &difference.numbers else {
        let outcome = Statement::Outcome(difference.kind);
        if !statements.contains(&outcome) {
            statements.push(outcome);
        }
        return statements;
    };
    let is_of_output =
        |statement: &Statement| matches!(statement, Statement::Numbers { output, .. } if *output == wrong.output);
    let at = statements.iter().position(is_of_output).unwrap_or_else(|| {
        statements.push(Statement::Numbers { output: wrong.output, gives: Vec::new() });
        statements.len() - 1
    });
    let Statement::Numbers { gives, .. } = &mut statements[at] else { return statements };
    if difference.kind != DifferenceKind::Off {
        let special = Gives::Special(difference.kind);
        if !gives.contains(&special) {
            gives.push(special);
        }
        return statements;
    }
    // Where the processor decides, another one may be off by more.
    let found = difference.ulps * if cpu_dependent { 2.0 } else { 1.0 };
    let old = gives.iter_mut().find_map(|gives| match gives {
        Gives::Off { by, dtype } if dtype.is_none_or(|dtype| dtype == wrong.dtype) => Some(by),
        Gives::Off { .. } | Gives::Special(_) => None,
    });
    match old {
        // What grows with a measure or is relative is for a person to widen.
        Some(bound) if bound.per.is_none() && bound.unit == Unit::Ulps => {
            bound.amount = bound.amount.max(rounded_up(found))
        }
        Some(_) => {}
        None => {
            let by = Bound { amount: rounded_up(found), unit: Unit::Ulps, per: None };
            gives.push(Gives::Off { by, dtype: Some(wrong.dtype) });
        }
    }
    statements
}

/// Rounds a bound up to two digits.
fn rounded_up(ulps: f64) -> f64 {
    let digit = 10f64.powf(ulps.log10().floor() - 1.0);
    let rounded = (ulps / digit).ceil() * digit;
    format!("{rounded:.1e}").parse().unwrap_or(rounded)
}

impl Entry {
    /// Returns whether a known deviation is this one.
    fn is(&self, known: &super::Known) -> bool {
        std::sync::Arc::ptr_eq(&self.deviation, &known.deviation)
    }

    fn is_of(&self, explained: &Explained) -> bool {
        explained.known.as_ref().is_some_and(|known| self.is(known))
    }

    /// Returns whether a statement is about the output of a difference, or about its outcome.
    fn speaks_of(&self, difference: &Difference) -> bool {
        self.statements.iter().any(|statement| match statement {
            Statement::Outcome(kind) => *kind == difference.kind,
            Statement::Numbers { output, .. } => {
                Some(*output) == difference.output && statement.kinds().any(|kind| kind == difference.kind)
            }
        })
    }
}

impl Deviation {
    /// Returns a deviation for a person to explain.
    fn unexplained(loss: LossKind, name: String, witness: String) -> Self {
        Self {
            loss: loss.name().to_owned(),
            name,
            gives: Vec::new(),
            reason: UNEXPLAINED.to_owned(),
            upstream: "unreported".to_owned(),
            witness,
            cpu_dependent: false,
            flaky: false,
            corrupts_memory: false,
            when: None,
            cases: Vec::new(),
        }
    }

    fn witness_flag<'a>(&self, mut judged: impl Iterator<Item = Judged<'a>>, flag: &str) -> bool {
        let witness = judged.find(|judged| judged.case.id == self.witness);
        self.reason == UNEXPLAINED
            && witness.is_some_and(|judged| judged.case.flags.first().is_some_and(|own| own == flag))
    }
}

/// Counts the cases of each loss that a backend provides.
fn provided<'a>(judged: impl Iterator<Item = Judged<'a>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for Judged { case, verdict, .. } in judged {
        let count: &mut usize = counts.entry(case.loss.kind().name().to_owned()).or_default();
        *count += usize::from(!matches!(verdict, Verdict::NotProvided(_)));
    }
    counts
}
