//! The conformance run: all cases on all backends, and PyTorch's stored answers against exact arithmetic.

use std::collections::BTreeMap;

use super::table::{Column, Table, policies};
use crate::backend::Backend;
use crate::backend::call::evaluate;
use crate::case::Case;
use crate::case::format::{Flag, Goldens};
use crate::data::DataFolder;
use crate::deviations::{PYTORCH, Scope};
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
        let judge = |case: Case| {
            let verdicts = judge_all(&case, backends, &bounds);
            vec![(case, verdicts)]
        };
        Ok(Self { table: Table::new(cases, policies, judge, progress), flags })
    }

    /// Returns what is no longer true of the deviations of a column; nothing if they do not have to be true of all cases.
    pub fn stale(&self, column: &Column) -> Vec<String> {
        match column.policy.scope {
            Scope::Goldens => column.policy.own.stale(self.verdicts(column)),
            Scope::Others => Vec::new(),
        }
    }

    /// Returns whether all agree or differ in known ways only, and the deviations are true.
    pub fn passed(&self) -> bool {
        self.table.all_known() && self.table.columns.iter().all(|column| self.stale(column).is_empty())
    }

    /// Returns the cases with the verdicts on them in a column.
    pub fn verdicts<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone {
        self.table.rows.iter().zip(&column.cells).map(|(case, cell)| (case, &cell.verdict))
    }
}

/// Judges one case everywhere: PyTorch's stored answer, then the answer of each backend.
pub fn judge_all(case: &Case, backends: &[&dyn Backend], bounds: &Bounds) -> Vec<Verdict> {
    let judge = Judge::new(case, bounds);
    let verdicts = backends.iter().map(|backend| judge.judge(&evaluate(*backend, case)));
    [judge.judge_golden()].into_iter().chain(verdicts).collect()
}
