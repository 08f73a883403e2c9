//! The conformance run: all cases on all backends, and PyTorch's stored answers against exact arithmetic.

use std::collections::BTreeMap;

use super::table::{Cell, Column, Table, policies};
use crate::backend::Backend;
use crate::backend::call::evaluate;
use crate::case::Case;
use crate::case::format::{Flag, Goldens};
use crate::data::DataFolder;
use crate::deviations::{Deviations, Judged, JudgedBy, PYTORCH, Policy, Scope};
use crate::error::DataError;
use crate::judge::Judge;
use crate::judge::bounds::Bounds;
use crate::judge::verdict::Verdict;

/// A finished run.
#[derive(Debug)]
pub struct Conformance {
    /// The cases and what became of them. The first column is PyTorch's.
    pub table: Table<Case>,
    /// What the flags of the cases mean.
    pub flags: BTreeMap<String, Flag>,
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
        backends: &[&dyn Backend],
        data: &DataFolder,
        progress: impl Fn() + Sync,
    ) -> Result<Self, DataError> {
        let mut policies = policies(backends, scope, data)?;
        policies.insert(0, data.policy(PYTORCH, scope)?);
        let bounds = data.bounds()?;
        let judge = |case: Case, policies: &[Policy]| {
            let verdicts = judge_all(&case, backends, policies, &bounds).into_iter().zip(policies);
            let cells = verdicts.map(|(verdict, policy)| Cell::new(verdict, policy, &case)).collect();
            vec![(case, cells)]
        };
        Ok(Self { table: Table::new(cases, policies, judge, progress), flags })
    }

    /// Returns what is no longer true of the deviations of a column; nothing if they do not have to be true of all cases.
    pub fn stale(&self, column: &Column) -> Vec<String> {
        match column.policy.scope {
            Scope::Goldens => column.policy.stale(self.pytorch(), self.judged(column)),
            Scope::Others => Vec::new(),
        }
    }

    /// Returns whether all agree or differ in known ways only, and the deviations are true.
    pub fn passed(&self) -> bool {
        self.table.all_known() && self.table.columns.iter().all(|column| self.stale(column).is_empty())
    }

    /// Returns the record of a column, brought up to date with this run.
    pub fn updated(&self, column: &Column) -> Deviations {
        column.policy.updated(self.pytorch(), self.judged(column))
    }

    /// The deviations of PyTorch's stored answers, which are the first column.
    fn pytorch(&self) -> &Deviations {
        &self.table.columns[0].policy.own
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
    let of_backend = |(backend, policy): (&&dyn Backend, &Policy)| {
        let outcome = evaluate(*backend, case);
        match policy.own.judged_by {
            JudgedBy::OracleOrPytorch => judge.judge(&outcome),
            JudgedBy::Oracle => judge.judge_by_oracle(&outcome),
        }
    };
    let of_backends = backends.iter().zip(policies.into_iter().skip(1)).map(of_backend);
    [judge.judge_golden()].into_iter().chain(of_backends).collect()
}
