//! The one table of a run: rows of cases, columns of backends, and what became of each row in each column.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::backend::Backend;
use crate::case::Case;
use crate::data::DataFolder;
use crate::deviations::{Explained, Known, Policy, Scope};
use crate::error::DataError;
use crate::judge::verdict::{Difference, Verdict};

/// A finished run.
#[derive(Debug)]
pub struct Table<R> {
    /// The rows.
    pub rows: Vec<R>,
    /// The columns.
    pub columns: Vec<Column>,
}

/// What became of all rows on one backend, or of PyTorch's stored answers.
#[derive(Debug)]
pub struct Column {
    /// The deviations that apply to the column, and its name.
    pub policy: Policy,
    /// A cell for each row.
    pub cells: Vec<Cell>,
}

/// What became of one row in one column.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The verdict.
    pub verdict: Verdict,
    /// The differences of the verdict, with the deviations that cover them.
    pub explained: Vec<Explained>,
}

/// A difference, with the row in which it was found and the deviation that covers it.
#[derive(Debug)]
pub struct Finding<'a, R> {
    /// The row.
    pub row: &'a R,
    /// The difference.
    pub difference: &'a Difference,
    /// The deviation that covers it.
    pub known: Option<&'a Known>,
}

/// How many rows went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The backend agrees.
    pub agree: usize,
    /// The backend differs, and every difference is known.
    pub known: usize,
    /// The backend differs.
    pub differ: usize,
    /// The backend does not provide the loss or an option of it.
    pub not_provided: usize,
}

impl Tally {
    /// Returns the number of all rows.
    pub fn total(self) -> usize {
        self.agree + self.known + self.differ + self.not_provided
    }

    /// Returns the number of rows that the backend provides.
    pub fn provided(self) -> usize {
        self.total() - self.not_provided
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.agree += other.agree;
        self.known += other.known;
        self.differ += other.differ;
        self.not_provided += other.not_provided;
    }
}

impl Cell {
    /// Returns the cell of a verdict on one case.
    pub fn new(verdict: Verdict, policy: &Policy, case: &Case) -> Self {
        Self { explained: policy.explain(case, &verdict), verdict }
    }

    /// Returns whether the backend differs in a way that is not known.
    pub fn differs(&self) -> bool {
        self.explained.iter().any(|explained| explained.known.is_none())
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let count = match self.verdict {
            Verdict::Agrees | Verdict::LikePyTorch(_) => &mut tally.agree,
            Verdict::NotProvided(_) => &mut tally.not_provided,
            Verdict::Differs { .. } if self.differs() => &mut tally.differ,
            Verdict::Differs { .. } => &mut tally.known,
        };
        *count = 1;
        tally
    }
}

impl Column {
    /// Returns the name of the backend.
    pub fn name(&self) -> &str {
        &self.policy.name
    }
}

impl<R: Send> Table<R> {
    /// Judges everything on all processors. Of each source `judge` makes rows, with a cell for each of the columns, whose
    /// names and deviations are `policies`. `progress` is called after each source.
    pub fn new<S: Send>(
        sources: Vec<S>,
        policies: Vec<Policy>,
        judge: impl Fn(S, &[Policy]) -> Vec<(R, Vec<Cell>)> + Sync,
        progress: impl Fn() + Sync,
    ) -> Self {
        let judged = |source: S| {
            let rows = judge(source, &policies);
            progress();
            rows
        };
        let judged: Vec<Vec<(R, Vec<Cell>)>> = sources.into_par_iter().map(judged).collect();
        let mut rows = Vec::new();
        let mut columns: Vec<Column> =
            policies.into_iter().map(|policy| Column { policy, cells: Vec::new() }).collect();
        for (row, cells) in judged.into_iter().flatten() {
            rows.push(row);
            for (column, cell) in columns.iter_mut().zip(cells) {
                column.cells.push(cell);
            }
        }
        Self { rows, columns }
    }

    /// Returns every difference of a column.
    pub fn findings<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = Finding<'a, R>> {
        self.rows.iter().zip(&column.cells).flat_map(|(row, cell)| {
            let finding = move |Explained { difference, known }: &'a Explained| Finding {
                row,
                difference,
                known: known.as_ref(),
            };
            cell.explained.iter().map(finding)
        })
    }

    /// Counts the rows of each group that went which way in a column.
    pub fn tallies<G: Ord>(&self, column: &Column, group: impl Fn(&R) -> G) -> BTreeMap<G, Tally> {
        let mut tallies: BTreeMap<G, Tally> = BTreeMap::new();
        for (row, cell) in self.rows.iter().zip(&column.cells) {
            *tallies.entry(group(row)).or_default() += cell.tally();
        }
        tallies
    }

    /// Returns the deviations that cover differences of a column, with the number of rows of each, in the order in which they
    /// were first met.
    pub fn known<'a>(&self, column: &'a Column) -> Vec<(&'a Known, usize)> {
        let mut counts: Vec<(&Known, BTreeSet<usize>)> = Vec::new();
        for (row, cell) in column.cells.iter().enumerate() {
            for known in cell.explained.iter().filter_map(|explained| explained.known.as_ref()) {
                match counts.iter_mut().find(|(other, _)| other.is_same_as(known)) {
                    Some((_, rows)) => drop(rows.insert(row)),
                    None => counts.push((known, [row].into())),
                }
            }
        }
        counts.into_iter().map(|(known, rows)| (known, rows.len())).collect()
    }

    /// Returns whether every difference is known.
    pub fn all_known(&self) -> bool {
        self.columns.iter().flat_map(|column| &column.cells).all(|cell| !cell.differs())
    }
}

/// Returns the deviations that apply to each backend.
///
/// # Errors
///
/// Returns an error if a file of deviations cannot be read.
pub fn policies(backends: &[&dyn Backend], scope: Scope, data: &DataFolder) -> Result<Vec<Policy>, DataError> {
    backends.iter().map(|backend| data.policy_of(*backend, scope)).collect()
}
