//! The one place that decides whether a difference is known.

use std::sync::Arc;

use super::coverage::Divided;
use super::record::{Deviation, Deviations, Entry};
use crate::case::Case;
use crate::judge::verdict::{Difference, Verdict, WrongNumber, WrongNumbers};

/// The cases to which deviations are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The shipped goldens. A deviation covers the cases that it lists, and has to be true of all of them.
    Goldens,
    /// Any other cases. A deviation covers the cases that meet its condition.
    Others,
}

/// The deviations of a backend, or of PyTorch's stored answers, as they apply to some cases.
#[derive(Debug)]
pub struct Policy {
    /// The name of the backend.
    pub name: String,
    /// The cases to which the deviations are applied.
    pub scope: Scope,
    /// The deviations.
    pub own: Deviations,
}

/// A deviation that covers a difference.
#[derive(Clone, Debug)]
pub struct Known {
    /// Whose deviation it is: the name of the backend, or of the backend that it is wrong as.
    pub of: String,
    /// The deviation.
    pub deviation: Arc<Deviation>,
}

/// A difference, with the deviation that covers it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The difference.
    pub difference: Difference,
    /// The deviation that covers it, or `None` if it is new.
    pub known: Option<Known>,
}

impl Known {
    /// Returns whether this and another deviation of the same policy are one.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.deviation, &other.deviation)
    }
}

impl Policy {
    /// Returns the policy of a backend.
    pub fn new(name: impl Into<String>, scope: Scope, own: Deviations) -> Self {
        Self { name: name.into(), scope, own }
    }

    /// Divides the differences of a verdict on a case into those that each deviation covers and those that none does.
    pub fn explain(&self, case: &Case, verdict: &Verdict) -> Vec<Explained> {
        self.explain_all(case, verdict.differences())
    }

    /// Divides some differences as [`Policy::explain`] does.
    pub(super) fn explain_all(&self, case: &Case, differences: &[Difference]) -> Vec<Explained> {
        if differences.is_empty() {
            return Vec::new();
        }
        let divided = Divided::new(case);
        let entries: Vec<(&str, &Entry)> = self.entries().filter(|(_, entry)| self.applies(entry, &divided)).collect();
        differences.iter().flat_map(|difference| explain(difference, &entries, &divided)).collect()
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let own = self.own.entries.iter().map(|entry| (self.name.as_str(), entry));
        own.chain(self.own.borrowed.iter().map(|borrowed| (borrowed.of.as_str(), &borrowed.entry)))
    }

    fn applies(&self, entry: &Entry, divided: &Divided<'_>) -> bool {
        match self.scope {
            Scope::Goldens => entry.lists(divided.case),
            Scope::Others => entry.loss == divided.case.loss.kind() && entry.condition.is_some(),
        }
    }
}

fn explain(difference: &Difference, entries: &[(&str, &Entry)], divided: &Divided<'_>) -> Vec<Explained> {
    let known = |(of, entry): &(&str, &Entry)| Known { of: (*of).to_owned(), deviation: Arc::clone(&entry.deviation) };
    let Some(wrong) = &difference.numbers else {
        let covers = |(_, entry): &&(&str, &Entry)| entry.covers_outcome(difference.kind, divided);
        return vec![Explained { difference: difference.clone(), known: entries.iter().find(covers).map(known) }];
    };
    // The parts of a sum may be off for different reasons. The one that allows most stands for all.
    let together = |kind, wrong: &WrongNumbers, number: &WrongNumber| {
        let allowances = entries.iter().map(|(_, entry)| entry.allowance(kind, wrong, number, divided));
        let allowances: Vec<f64> = allowances.collect();
        let largest = allowances.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        divided.is_within(wrong, number, allowances.iter().sum()).then_some(largest.0)
    };
    let mut groups: Vec<Vec<WrongNumber>> = vec![Vec::new(); entries.len() + 1];
    for number in &wrong.numbers {
        let covers = |(_, entry): &(&str, &Entry)| entry.covers(difference.kind, wrong, number, divided);
        let owner = entries.iter().position(covers).or_else(|| together(difference.kind, wrong, number));
        groups[owner.unwrap_or(entries.len())].push(*number);
    }
    let owners = entries.iter().map(|entry| Some(known(entry))).chain([None]);
    let explained = owners.zip(groups).filter_map(|(known, numbers)| {
        let difference = Difference::of_numbers(difference.kind, WrongNumbers { numbers, ..wrong.clone() })?;
        Some(Explained { difference, known })
    });
    explained.collect()
}
