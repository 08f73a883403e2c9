//! What a run says: the document of `--format json`, which the tables are printed from, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use losscheck::backend::Backend;
use losscheck::case::{Case, Expected};
use losscheck::deviations::Record;
use losscheck::loss::LossKind;
use losscheck::suite::{Column, DataFolder, Finding, Run, Tally};
use losscheck::verdict::Kind;
use serde::Serialize;

use crate::source::show_command;

/// A finished run, summed up.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The version of the program.
    pub(crate) losscheck: &'static str,
    /// Whether all agree or are on record, and the record is true.
    pub(crate) passed: bool,
    /// How many cases there are.
    pub(crate) cases: usize,
    /// The columns of the matrix; the first is PyTorch's stored answers against exact arithmetic.
    pub(crate) columns: Vec<ColumnReport>,
    /// What differs and is not on record, by backend, loss and kind.
    pub(crate) differences: Vec<DifferenceReport>,
    /// What differs and is on record.
    pub(crate) on_record: Vec<DeviationReport>,
    /// What the record says that is no longer true.
    pub(crate) stale: Vec<StaleReport>,
    /// The examples of the tutorial.
    pub(crate) tutorial: Vec<TutorialReport>,
}

/// A column of the matrix.
#[derive(Debug, Serialize)]
pub(crate) struct ColumnReport {
    /// The backend.
    pub(crate) backend: &'static str,
    /// The library behind it.
    pub(crate) version: String,
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
    /// How many differ, but are on record.
    pub(crate) on_record: usize,
    /// How many differ otherwise.
    pub(crate) differ: usize,
    /// How many the backend has nothing for.
    pub(crate) not_provided: usize,
}

/// Cases that differ in the same way.
#[derive(Debug, Serialize)]
pub(crate) struct DifferenceReport {
    /// The backend.
    pub(crate) backend: &'static str,
    /// The loss.
    pub(crate) loss: &'static str,
    /// How they differ.
    pub(crate) kind: Kind,
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

/// A deviation on record, with the cases that it excuses in this run.
#[derive(Debug, Serialize)]
pub(crate) struct DeviationReport {
    /// The backend.
    pub(crate) backend: &'static str,
    /// The loss.
    pub(crate) loss: &'static str,
    /// How they differ.
    pub(crate) kind: Kind,
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

/// Something on record that is not so.
#[derive(Debug, Serialize)]
pub(crate) struct StaleReport {
    /// The backend.
    pub(crate) backend: &'static str,
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
    pub(crate) fn new(run: &Run, backends: &[Box<dyn Backend>], paths: &[PathBuf], data: &DataFolder) -> Self {
        let version = |name| {
            let backend = backends.iter().find(|backend| backend.name() == name);
            backend.map_or_else(|| "stored answers".to_owned(), |backend| backend.version())
        };
        let losses: BTreeSet<LossKind> = run.cases.iter().map(|case| case.loss.kind()).collect();
        let column = |column: &Column| ColumnReport {
            backend: column.name,
            version: version(column.name),
            losses: losses.iter().map(|&loss| CellReport::new(loss, run.tally(column, loss))).collect(),
        };
        let stale = |column: &Column| {
            let (backend, file) = (column.name, data.deviations_file(column.name));
            run.stale(column).into_iter().map(move |message| StaleReport { backend, message, file: file.clone() })
        };
        Self {
            losscheck: env!("CARGO_PKG_VERSION"),
            passed: run.passed(),
            cases: run.cases.len(),
            columns: run.columns.iter().map(column).collect(),
            differences: run.columns.iter().flat_map(|column| differences(run, column, paths, data)).collect(),
            on_record: run.columns.iter().flat_map(|column| on_record(run, column)).collect(),
            stale: run.columns.iter().flat_map(stale).collect(),
            tutorial: run.cases.iter().filter_map(TutorialReport::new).collect(),
        }
    }
}

impl ColumnReport {
    /// The counts over all losses.
    pub(crate) fn total(&self) -> Tally {
        self.losses.iter().fold(Tally::default(), |sum, cell| Tally {
            agree: sum.agree + cell.agree,
            on_record: sum.on_record + cell.on_record,
            differ: sum.differ + cell.differ,
            not_provided: sum.not_provided + cell.not_provided,
        })
    }
}

impl CellReport {
    fn new(loss: LossKind, Tally { agree, on_record, differ, not_provided }: Tally) -> Self {
        Self { loss: loss.name(), agree, on_record, differ, not_provided }
    }

    /// The counts alone.
    pub(crate) fn tally(&self) -> Tally {
        let &Self { agree, on_record, differ, not_provided, .. } = self;
        Tally { agree, on_record, differ, not_provided }
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

fn differences(run: &Run, column: &Column, paths: &[PathBuf], data: &DataFolder) -> Vec<DifferenceReport> {
    let mut groups: BTreeMap<(LossKind, Kind), Vec<Finding<'_>>> = BTreeMap::new();
    for finding in run.findings(column).filter(|finding| finding.excuse.is_none()) {
        groups.entry((finding.case.loss.kind(), finding.difference.kind)).or_default().push(finding);
    }
    let report =
        |((loss, kind), findings): (_, Vec<Finding<'_>>)| {
            let first = findings.first()?;
            // The first of those that are equally bad.
            let worst = findings.iter().fold(first, |worst, finding| {
                if finding.difference.ulps > worst.difference.ulps { finding } else { worst }
            });
            Some(DifferenceReport {
                backend: column.name,
                loss: LossKind::name(loss),
                kind,
                cases: count(findings.iter()),
                worst_ulps: Some(worst.difference.ulps).filter(|ulps| ulps.is_finite()),
                witness: worst.case.id.clone(),
                message: worst.difference.message.clone(),
                command: show_command(&worst.case.id, paths, data),
            })
        };
    groups.into_iter().filter_map(report).collect()
}

fn on_record(run: &Run, column: &Column) -> Vec<DeviationReport> {
    let findings: Vec<_> = run.findings(column).collect();
    let report = |record: &Record| {
        let excused: Vec<_> = findings
            .iter()
            .filter(|finding| finding.excuse.is_some_and(|excuse| std::ptr::eq(excuse, record)))
            .collect();
        let first = excused.first()?;
        Some(DeviationReport {
            backend: column.name,
            loss: first.case.loss.kind().name(),
            kind: record.kind,
            cases: count(excused.iter().copied()),
            reason: record.reason.clone(),
            upstream: record.upstream.clone(),
            worst_ulps: Some(excused.iter().map(|finding| finding.difference.ulps).fold(0.0, f64::max))
                .filter(|ulps| ulps.is_finite()),
            witness: record.witness.clone(),
        })
    };
    column.deviations.records().filter_map(report).collect()
}

/// The number of cases: one may differ in two outputs.
fn count<'a>(findings: impl Iterator<Item = &'a Finding<'a>>) -> usize {
    findings.map(|finding| finding.case.id.as_str()).collect::<BTreeSet<_>>().len()
}
