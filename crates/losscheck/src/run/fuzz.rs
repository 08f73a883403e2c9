//! Random testing: cases from each loss's generator, every backend against the oracle, and the smallest case that shows
//! each difference.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use losscheck_backend::pytorch::PytorchVersion;
use rayon::prelude::*;

use super::older;
use super::table::{Cell, Column, Table, policies};
use crate::backend::Backend;
use crate::backend::call::evaluate;
use crate::case::format::{self, Goldens};
use crate::case::random::{Draw, RandomCases};
use crate::case::{Case, Expected};
use crate::data::DataFolder;
use crate::deviations::{Policy, Scope};
use crate::error::DataError;
use crate::judge::oracle::ExactAnswers;
use crate::judge::verdict::{Difference, DifferenceKind};
use crate::judge::{judge, oracle};
use crate::loss::LossKind;

/// How many cases to shrink for one backend, loss and kind.
pub const WITNESSES: usize = 3;

/// How many smaller cases to try for one witness.
const SHRINKS: usize = 2000;

/// What a run of [`fuzz`] found.
#[derive(Debug)]
pub struct Report {
    /// The cases and what became of them.
    pub table: Table<Draw>,
    /// The smallest cases that show what is not known, at most a few for each backend, loss and kind.
    pub witnesses: Vec<Witness>,
}

/// A case on which a backend differs, shrunk as far as possible.
#[derive(Debug)]
pub struct Witness {
    /// The name of the backend.
    pub backend: String,
    /// The case. Its id names the seed and the draw that it came from.
    pub case: Case,
    /// How the backend differs on it.
    pub difference: Difference,
    /// The newest older version of PyTorch that the backend agrees with on it.
    pub as_pytorch_up_to: Option<PytorchVersion>,
}

impl Report {
    /// Returns how many cases differ in a way that is not known, by loss and kind.
    pub fn unexplained(&self, column: &Column) -> BTreeMap<(LossKind, DifferenceKind), usize> {
        let mut counts = BTreeMap::new();
        for (draw, kind) in unexplained(&self.table, column) {
            *counts.entry((draw.loss, kind)).or_default() += 1;
        }
        counts
    }
}

/// Draws the cases and holds every backend against the oracle. `progress` is called after each case.
///
/// # Errors
///
/// Returns an error if a file of deviations cannot be read.
pub fn table(
    cases: &RandomCases,
    backends: &[&dyn Backend],
    data: &DataFolder,
    progress: impl Fn() + Sync,
) -> Result<Table<Draw>, DataError> {
    let policies = policies(backends, Scope::Others, data)?;
    let judge_all = |draw: Draw, policies: &[Policy]| {
        let case = draw.case();
        let exact = ExactAnswers::new(&case);
        let cell = |(backend, policy): (&&dyn Backend, &Policy)| {
            let exact = exact.with(backend.pytorch().slope_at_kink());
            let verdict = judge(&case, exact, &evaluate(*backend, &case));
            Cell::new(verdict.without_missing_gradients(*backend, draw.loss), policy, &case)
        };
        let cells = backends.iter().zip(policies).map(cell).collect();
        vec![(draw, cells)]
    };
    Ok(Table::new(cases.draws(), policies, judge_all, progress))
}

/// Judges random cases as [`table`] does, and shrinks those that differ in a way that is not known.
///
/// # Errors
///
/// Returns an error if a file of deviations cannot be read.
pub fn fuzz(
    cases: &RandomCases,
    backends: &[&dyn Backend],
    data: &DataFolder,
    progress: impl Fn() + Sync,
) -> Result<Report, DataError> {
    let table = table(cases, backends, data, progress)?;
    let mut found = Vec::new();
    for (column, &backend) in table.columns.iter().zip(backends) {
        let mut counts: BTreeMap<(LossKind, DifferenceKind), usize> = BTreeMap::new();
        for (draw, kind) in unexplained(&table, column) {
            let count = counts.entry((draw.loss, kind)).or_default();
            *count += 1;
            // Those beyond the first few would most likely shrink to the same.
            if *count <= WITNESSES {
                found.push(Shrinking { backend, policy: &column.policy, draw, kind });
            }
        }
    }
    let witnesses: Vec<Witness> = found.into_par_iter().filter_map(|found| found.witness()).collect();
    let witnesses = distinct(witnesses);
    Ok(Report { table, witnesses })
}

/// Returns the kinds of difference that are not known, each once for a case.
fn unexplained<'a>(
    table: &'a Table<Draw>,
    column: &'a Column,
) -> impl Iterator<Item = (&'a Draw, DifferenceKind)> + 'a {
    table.rows.iter().zip(&column.cells).flat_map(|(draw, cell)| {
        let new = cell.explained.iter().filter(|explained| explained.known.is_none());
        let mut kinds: Vec<DifferenceKind> = new.map(|explained| explained.difference.kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds.into_iter().map(move |kind| (draw, kind))
    })
}

/// Adds cases to the regressions in `folder`, a file per loss, and returns the files.
///
/// # Errors
///
/// Returns an error if a file that is there already cannot be read or explains flags, which regressions do not have, or if
/// one cannot be written.
pub fn save<'a>(cases: impl IntoIterator<Item = &'a Case>, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut losses: BTreeMap<LossKind, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        losses.entry(case.loss.kind()).or_default().push(case);
    }
    if !losses.is_empty() {
        let failed = |error| DataError::new(folder, format!("cannot be created: {error}"));
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut files = Vec::new();
    for (loss, new) in losses {
        let file = folder.join(format!("{}.json", loss.name()));
        let old = if file.exists() { format::read(&file)? } else { Goldens::default() };
        if !old.flags.is_empty() {
            return Err(DataError::new(&file, "`flags`: expected none in a file of regressions"));
        }
        let mut cases = old.cases;
        let mut ids: HashSet<String> = cases.iter().map(|case| case.id.clone()).collect();
        cases.extend(new.into_iter().filter(|case| ids.insert(case.id.clone())).cloned());
        format::write(&file, &cases)?;
        files.push(file);
    }
    Ok(files)
}

/// A difference whose case is to be made smaller.
struct Shrinking<'a> {
    backend: &'a dyn Backend,
    policy: &'a Policy,
    draw: &'a Draw,
    kind: DifferenceKind,
}

impl Shrinking<'_> {
    /// Returns the worst difference of the kind on a case, if it is not known.
    fn unexplained(&self, case: &Case) -> Option<Difference> {
        let exact = oracle::evaluate_with(case, self.backend.pytorch().slope_at_kink());
        let verdict = judge(case, &exact, &evaluate(self.backend, case));
        let verdict = verdict.without_missing_gradients(self.backend, case.loss.kind());
        let explained = self.policy.explain(case, &verdict).into_iter();
        let new = explained.filter(|explained| explained.known.is_none()).map(|explained| explained.difference);
        new.filter(|new| new.kind == self.kind).max_by(|a, b| a.ulps.total_cmp(&b.ulps))
    }

    /// Returns the smallest case that still differs in this way; `None` if the backend answers otherwise when it is asked again.
    fn witness(&self) -> Option<Witness> {
        let mut tree = self.draw.tree();
        let witness = |case: Case| {
            let difference = self.unexplained(&case)?;
            // The loss refuses the case, which would be bad data if nobody expected that.
            let is_refused = difference.kind == DifferenceKind::WronglyAccepted;
            let expected = is_refused.then(Expected::any_rejection);
            let as_pytorch_up_to = older::agrees_with(&case, &evaluate(self.backend, &case), &older::of_slope());
            let case = Case { expected, ..case };
            Some(Witness { backend: self.backend.name().to_owned(), case, difference, as_pytorch_up_to })
        };
        let mut smallest = witness(tree.current())?;
        let mut smaller = tree.simplify();
        for _ in 0..SHRINKS {
            if !smaller {
                break;
            }
            smaller = match witness(tree.current()) {
                Some(found) => {
                    smallest = found;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        Some(smallest)
    }
}

/// Drops witnesses that have shrunk to the same case for the same backend and kind, and gives each of a kind its own id.
fn distinct(mut witnesses: Vec<Witness>) -> Vec<Witness> {
    let mut seen = HashSet::new();
    witnesses.retain(|Witness { backend, case, difference, .. }| {
        let nameless = Case { id: String::new(), ..case.clone() };
        seen.insert((backend.clone(), difference.kind, format::write_case(&nameless).to_string()))
    });
    let mut contents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Witness { case, .. } in &mut witnesses {
        // One draw may shrink to different cases for different backends or kinds.
        let content = format::write_case(case).to_string();
        let variants = contents.entry(case.id.clone()).or_default();
        let variant = variants.iter().position(|known| *known == content).unwrap_or_else(|| {
            variants.push(content);
            variants.len() - 1
        });
        if variant > 0 {
            case.id = format!("{}-{}", case.id, variant + 1);
        }
    }
    witnesses
}
