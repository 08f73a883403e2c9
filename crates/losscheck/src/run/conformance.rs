//! The conformance run: all cases on all backends, and what the cases expect against exact arithmetic.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use losscheck_reference::Error;

use super::table::{Cell, Column, Table, policies};
use crate::backend::Backend;
use crate::backend::call::evaluate;
use crate::case::format::{Flag, Goldens};
use crate::case::{Case, ExpectedBy};
use crate::data::DataFolder;
use crate::deviations::{Deviations, Judged, JudgedBy, PYTORCH, Policy, Scope};
use crate::error::DataError;
use crate::judge::bounds::Bounds;
use crate::judge::verdict::Verdict;
use crate::judge::{Judge, MeasuredAt};

/// Name of the column of what the authors of cases expect.
pub const EXPECTED: &str = "expected";

/// A finished run.
#[derive(Debug)]
pub struct Conformance {
    /// The cases and what became of them. The first columns are those of expectations: PyTorch's stored answers, always if the
    /// cases are the goldens, and what the authors of other cases expect.
    pub table: Table<Case>,
    /// What the flags of the cases mean.
    pub flags: BTreeMap<String, Flag>,
    /// The cases that ask for what the loss refuses, without expecting that. They are not in the table.
    pub bad: Vec<BadCase>,
    /// Where the errors that decide were measured.
    pub measured_at: MeasuredAt,
    pytorch: Deviations,
}

/// A case that the loss refuses, without an expectation that it does.
#[derive(Clone, Debug)]
pub struct BadCase {
    /// The case.
    pub case: Case,
    /// What the loss refuses, and why.
    pub reason: Error,
}

impl BadCase {
    /// Returns the path of the field that the loss refuses, such as `inputs.target`.
    pub fn field(&self) -> String {
        let name = match &self.reason {
            Error::Shape { name, .. }
            | Error::Integer { name, .. }
            | Error::Domain { name, .. }
            | Error::Option { name, .. }
            | Error::Combination { name, .. } => name,
            Error::Index { .. } => "target",
            Error::Cutoffs { .. } => "cutoffs",
            _ => return String::new(),
        };
        match name {
            "cotangent" => name.to_owned(),
            _ if self.case.inputs.contains_key(name) => format!("inputs.{name}"),
            _ => format!("options.{name}"),
        }
    }
}

/// Columns of what cases expect.
#[derive(Clone, Copy, Debug)]
struct Expectations {
    /// Whether there is a column of PyTorch's stored answers.
    of_pytorch: bool,
    /// Whether there is a column of what the authors of the cases expect.
    of_authors: bool,
}

impl Expectations {
    fn new(cases: &[Case], scope: Scope) -> Self {
        let has = |is_of: fn(&ExpectedBy) -> bool| {
            cases.iter().any(|case| case.expected.is_some() && is_of(&case.expected_by))
        };
        let is_of_pytorch = |by: &ExpectedBy| matches!(by, ExpectedBy::Pytorch(_));
        Self {
            of_pytorch: scope == Scope::Goldens || has(is_of_pytorch),
            of_authors: has(|by| *by == ExpectedBy::Author),
        }
    }

    /// Returns the deviations of each column. What an author expects has none.
    fn policies(self, pytorch: &Deviations, scope: Scope) -> Vec<Policy> {
        let of_pytorch = self.of_pytorch.then(|| Policy::new(PYTORCH, scope, pytorch.clone()));
        let of_authors = self.of_authors.then(|| Policy::new(EXPECTED, scope, Deviations::default()));
        of_pytorch.into_iter().chain(of_authors).collect()
    }

    /// Judges what a case expects, for each column.
    fn judge(self, judge: &Judge<&Case>) -> impl Iterator<Item = Verdict> {
        let of_pytorch = self.of_pytorch.then(|| judge_stored(judge));
        let of_authors = self.of_authors.then(|| match judge.case().expected_by {
            ExpectedBy::Author => judge.judge_expected(),
            ExpectedBy::Pytorch(_) => Verdict::NotProvided("PyTorch expects it".to_owned()),
        });
        of_pytorch.into_iter().chain(of_authors)
    }
}

/// Judges PyTorch's stored answer.
fn judge_stored(judge: &Judge<&Case>) -> Verdict {
    match judge.case().expected_by {
        ExpectedBy::Pytorch(_) => judge.judge_expected(),
        ExpectedBy::Author => Verdict::NotProvided("the case has no answer of PyTorch's".to_owned()),
    }
}

impl Conformance {
    /// Evaluates the cases on all processors. `progress` is called after each case.
    ///
    /// # Errors
    ///
    /// Returns an error if a file of deviations, or the file of the bounds, cannot be read.
    pub fn run(
        Goldens { cases, flags, .. }: Goldens,
        scope: Scope,
        measured_at: MeasuredAt,
        backends: &[&dyn Backend],
        data: &DataFolder,
        progress: impl Fn() + Sync,
    ) -> Result<Self, DataError> {
        let pytorch = data.policy(PYTORCH, scope)?.own;
        let expectations = Expectations::new(&cases, scope);
        let mut all = expectations.policies(&pytorch, scope);
        let expected = all.len();
        all.extend(policies(backends, scope, data)?);
        let bounds = data.bounds()?;
        let bad = Mutex::new(Vec::new());
        let judge = |(position, case): (usize, Case), policies: &[Policy]| {
            let judge = Judge::new(&case, &bounds).measuring_at(measured_at);
            if scope == Scope::Others
                && case.expected.is_none()
                && let Some(reason) = judge.refusal().cloned()
            {
                bad.lock().unwrap_or_else(PoisonError::into_inner).push((position, BadCase { case, reason }));
                return Vec::new();
            }
            let of_backends = judge_backends(&judge, backends, &policies[expected..]);
            let verdicts = expectations.judge(&judge).chain(of_backends).zip(policies);
            let cells = verdicts.map(|(verdict, policy)| Cell::new(verdict, policy, &case)).collect();
            vec![(case, cells)]
        };
        let table = Table::new(cases.into_iter().enumerate().collect(), all, judge, progress);
        let mut bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
        bad.sort_by_key(|(position, _)| *position);
        let bad = bad.into_iter().map(|(_, bad)| bad).collect();
        Ok(Self { table, flags, bad, measured_at, pytorch })
    }

    /// Returns what is no longer true of the deviations of a column; nothing if they do not have to be true of all cases, or
    /// speak of other errors than those that decide.
    pub fn stale(&self, column: &Column) -> Vec<String> {
        match (column.policy.scope, self.measured_at) {
            (Scope::Goldens, MeasuredAt::ErrorScale) => column.policy.stale(&self.pytorch, self.judged(column)),
            (Scope::Others, _) | (_, MeasuredAt::ExactNumber) => Vec::new(),
        }
    }

    /// Returns whether all agree or differ in known ways only, the deviations are true, and no case is bad.
    pub fn passed(&self) -> bool {
        self.bad.is_empty()
            && self.table.all_known()
            && self.table.columns.iter().all(|column| self.stale(column).is_empty())
    }

    /// Returns the record of a column, brought up to date with this run.
    pub fn updated(&self, column: &Column) -> Deviations {
        column.policy.updated(&self.pytorch, self.judged(column))
    }

    /// Returns the cases with what became of them in a column.
    fn judged<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = Judged<'a>> + Clone {
        let cells = self.table.rows.iter().zip(&column.cells);
        cells.map(|(case, Cell { verdict, explained })| Judged { case, verdict, explained })
    }
}

/// Judges one case everywhere: PyTorch's stored answer, whose policy comes first, then the answer of each backend.
pub fn judge_all<'a>(
    case: &Case,
    backends: &[&dyn Backend],
    policies: impl IntoIterator<Item = &'a Policy>,
    bounds: &Bounds,
) -> Vec<Verdict> {
    let judge = Judge::new(case, bounds);
    let of_backends = judge_backends(&judge, backends, policies.into_iter().skip(1));
    [judge_stored(&judge)].into_iter().chain(of_backends).collect()
}

/// Judges the answer of each backend.
fn judge_backends<'a>(
    judge: &Judge<&Case>,
    backends: &[&dyn Backend],
    policies: impl IntoIterator<Item = &'a Policy>,
) -> impl Iterator<Item = Verdict> {
    backends.iter().zip(policies).map(|(backend, policy)| {
        let outcome = evaluate(*backend, judge.case());
        match policy.own.judged_by {
            JudgedBy::OracleOrPytorch => judge.judge(&outcome),
            JudgedBy::Oracle => judge.judge_by_oracle(&outcome),
        }
    })
}
