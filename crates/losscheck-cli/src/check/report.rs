//! What a run says: the document of `--format json`, which the tables are printed from, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use losscheck::backend::Backend;
use losscheck::case::{Case, Expected};
use losscheck::data::DataFolder;
use losscheck::deviations::Deviation;
use losscheck::judge::verdict::DifferenceKind;
use losscheck::loss::LossKind;
use losscheck::run::conformance::Conformance;
use losscheck::run::table::{Column, Finding, Tally};
use serde::Serialize;

use crate::source::show_command;

/// A finished run, summed up.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The version of the program.
    pub(crate) losscheck: &'static str,
    /// Whether every difference is known, and the deviations are true.
    pub(crate) passed: bool,
    /// How many cases there are.
    pub(crate) cases: usize,
    /// The columns of the matrix; the first is PyTorch's stored answers against exact arithmetic.
    pub(crate) columns: Vec<ColumnReport>,
    /// What differs and is not known, by backend, loss and kind.
    pub(crate) differences: Vec<DifferenceReport>,
    /// The known deviations that cover something.
    pub(crate) known: Vec<DeviationReport>,
    /// What the deviations say that is not true (any more).
    pub(crate) stale: Vec<StaleReport>,
    /// The examples of the tutorial.
    pub(crate) tutorial: Vec<TutorialReport>,
}

/// A column of the matrix.
#[derive(Debug, Serialize)]
pub(crate) struct ColumnReport {
    /// The backend.
    pub(crate) backend: String,
    /// The library behind it; none for PyTorch's stored answers.
    pub(crate) version: Option<String>,
    /// A cell for each loss that has cases.
    pub(crate) losses: Vec<CellReport>,
}

/// A cell of the matrix.
#[derive(Debug, Serialize)]
pub(crate) struct CellReport {
    /// The loss.
    pub(crate) loss: &'static str,
    /// How many cases agree.
    pub(crate) agree: usize,
    /// How many differ in a known way.
    pub(crate) known: usize,
    /// How many differ otherwise.
    pub(crate) differ: usize,
    /// How many the backend has nothing for.
    pub(crate) not_provided: usize,
}

/// Cases that differ in the same way.
#[derive(Debug, Serialize)]
pub(crate) struct DifferenceReport {
    /// The backend.
    pub(crate) backend: String,
    /// The loss.
    pub(crate) loss: &'static str,
    /// How they differ.
    pub(crate) kind: DifferenceKind,
    /// How many.
    pub(crate) cases: usize,
    /// The worst error in ULPs at scale; null where there is no number for it.
    pub(crate) worst_ulps: Option<f64>,
    /// The case with the worst error.
    pub(crate) witness: String,
    /// What was expected there and what came.
    pub(crate) message: String,
    /// The command that shows it.
    pub(crate) command: String,
}

/// A known deviation, with the cases that it covers in this run.
#[derive(Debug, Serialize)]
pub(crate) struct DeviationReport {
    /// The backend.
    pub(crate) backend: String,
    /// The loss.
    pub(crate) loss: &'static str,
    /// The name of the deviation.
    pub(crate) name: String,
    /// What the backend gives.
    pub(crate) gives: Vec<String>,
    /// How many cases.
    pub(crate) cases: usize,
    /// Why it is so.
    pub(crate) reason: String,
    /// Where it is reported upstream, `wontfix` where that has been refused, or `unreported`.
    pub(crate) upstream: String,
    /// The worst error in ULPs at scale; null where there is no number for it.
    pub(crate) worst_ulps: Option<f64>,
    /// A case that shows it.
    pub(crate) witness: String,
}

/// Something that a deviation says and that is not so.
#[derive(Debug, Serialize)]
pub(crate) struct StaleReport {
    /// The backend.
    pub(crate) backend: String,
    /// What.
    pub(crate) message: String,
    /// The file to correct.
    pub(crate) file: PathBuf,
}

/// An example of the tutorial.
#[derive(Debug, Serialize)]
pub(crate) struct TutorialReport {
    /// The case.
    pub(crate) case: String,
    /// The loss.
    pub(crate) loss: &'static str,
    /// The result that the tutorial prints.
    pub(crate) printed: f64,
    /// What PyTorch gives, to as many decimals.
    pub(crate) pytorch: f64,
    /// Whether that is the same.
    pub(crate) right: bool,
}

impl Report {
    pub(crate) fn new(run: &Conformance, backends: &[Box<dyn Backend>], paths: &[PathBuf], data: &DataFolder) -> Self {
        let version = |name: &str| {
            let backend = backends.iter().find(|backend| backend.name() == name);
            backend.map(|backend| backend.version())
        };
        let column = |column: &Column| ColumnReport {
            backend: column.name().to_owned(),
            version: version(column.name()),
            losses: run.table.tallies(column, |case| case.loss.kind()).into_iter().map(CellReport::new).collect(),
        };
        let stale = |column: &Column| {
            let (backend, file) = (column.name().to_owned(), data.deviations_file(column.name()));
            run.stale(column).into_iter().map(move |message| StaleReport {
                backend: backend.clone(),
                message,
                file: file.clone(),
            })
        };
        Self {
            losscheck: env!("CARGO_PKG_VERSION"),
            passed: run.passed(),
            cases: run.table.rows.len(),
            columns: run.table.columns.iter().map(column).collect(),
            differences: run.table.columns.iter().flat_map(|column| differences(run, column, paths, data)).collect(),
            known: run.table.columns.iter().flat_map(|column| known(run, column)).collect(),
            stale: run.table.columns.iter().flat_map(stale).collect(),
            tutorial: run.table.rows.iter().filter_map(TutorialReport::new).collect(),
        }
    }
}

impl ColumnReport {
    /// The counts over all losses.
    pub(crate) fn total(&self) -> Tally {
        self.losses.iter().fold(Tally::default(), |mut sum, cell| {
            sum += cell.tally();
            sum
        })
    }
}

impl CellReport {
    fn new((loss, Tally { agree, known, differ, not_provided }): (LossKind, Tally)) -> Self {
        Self { loss: loss.name(), agree, known, differ, not_provided }
    }

    /// The counts alone.
    pub(crate) fn tally(&self) -> Tally {
        let &Self { agree, known, differ, not_provided, .. } = self;
        Tally { agree, known, differ, not_provided }
    }
}

impl TutorialReport {
    fn new(case: &Case) -> Option<Self> {
        let (Some(printed), Some(Expected::Answer(answer))) = (case.printed, &case.expected) else { return None };
        let pytorch = (answer.value.to_f64().first()? * 1e4).round() / 1e4;
        let right = pytorch == printed;
        Some(Self { case: case.id.clone(), loss: case.loss.kind().name(), printed, pytorch, right })
    }
}

fn differences(run: &Conformance, column: &Column, paths: &[PathBuf], data: &DataFolder) -> Vec<DifferenceReport> {
    let mut groups: BTreeMap<(LossKind, DifferenceKind), Vec<Finding<'_, Case>>> = BTreeMap::new();
    for finding in run.table.findings(column).filter(|finding| finding.known.is_none()) {
        groups.entry((finding.row.loss.kind(), finding.difference.kind)).or_default().push(finding);
    }
    let report =
        |((loss, kind), findings): (_, Vec<Finding<'_, Case>>)| {
            let first = findings.first()?;
            // The first of those that are equally bad.
            let worst = findings.iter().fold(first, |worst, finding| {
                if finding.difference.ulps > worst.difference.ulps { finding } else { worst }
            });
            Some(DifferenceReport {
                backend: column.name().to_owned(),
                loss: LossKind::name(loss),
                kind,
                cases: count(findings.iter()),
                worst_ulps: Some(worst.difference.ulps).filter(|ulps| ulps.is_finite()),
                witness: worst.row.id.clone(),
                message: worst.difference.message.clone(),
                command: show_command(&worst.row.id, paths, data),
            })
        };
    groups.into_iter().filter_map(report).collect()
}

fn known(run: &Conformance, column: &Column) -> Vec<DeviationReport> {
    let findings: Vec<_> = run.table.findings(column).collect();
    let report = |deviation: &Deviation| {
        let is_covered = |finding: &&Finding<'_, Case>| {
            finding.known.is_some_and(|known| std::ptr::eq(&raw const *known.deviation, deviation))
        };
        let covered: Vec<_> = findings.iter().filter(is_covered).collect();
        let first = covered.first()?;
        Some(DeviationReport {
            backend: column.name().to_owned(),
            loss: first.row.loss.kind().name(),
            name: deviation.name.clone(),
            gives: deviation.gives.clone(),
            cases: count(covered.iter().copied()),
            reason: deviation.reason.clone(),
            upstream: deviation.upstream.clone(),
            worst_ulps: Some(covered.iter().map(|finding| finding.difference.ulps).fold(0.0, f64::max))
                .filter(|ulps| ulps.is_finite()),
            witness: deviation.witness.clone(),
        })
    };
    column.policy.own.iter().filter_map(report).collect()
}

/// The number of cases: one may differ in two outputs.
fn count<'a>(findings: impl Iterator<Item = &'a Finding<'a, Case>>) -> usize {
    findings.map(|finding| finding.row.id.as_str()).collect::<BTreeSet<_>>().len()
}
