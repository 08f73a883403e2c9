//! What a run says: the document of `--format json`, which the tables are printed from, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use losscheck::backend::call::evaluate;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::versions::Answers;
use losscheck::case::{Case, Expected};
use losscheck::data::DataFolder;
use losscheck::deviations::Known;
use losscheck::judge::MeasuredAt;
use losscheck::judge::verdict::DifferenceKind;
use losscheck::loss::LossKind;
use losscheck::run::conformance::{BadCase, Conformance};
use losscheck::run::older;
use losscheck::run::table::{Column, Finding, Tally};
use serde::Serialize;

use crate::args::Check;
use crate::source::{self, quoted, reference_data, show_command};

/// A finished run, summed up.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The version of the program.
    pub(crate) losscheck: &'static str,
    /// Whether every difference is known, and the deviations are true.
    pub(crate) passed: bool,
    /// Which errors decide: `ulps at scale`, or `plain ulps` with `--strict`.
    pub(crate) decides: &'static str,
    /// How many cases were judged.
    pub(crate) cases: usize,
    /// The cases that the loss refuses without an expectation that it does. They were not judged.
    pub(crate) bad: Vec<BadReport>,
    /// The columns of the matrix. The first are `pytorch`, for PyTorch's stored answers, and `expected`, for what the authors
    /// of the cases expect, both against exact arithmetic and as far as cases have them.
    pub(crate) columns: Vec<ColumnReport>,
    /// What differs and is not known, by backend and loss.
    pub(crate) differences: Vec<DifferenceReport>,
    /// The known deviations that cover something.
    pub(crate) known: Vec<DeviationReport>,
    /// The command that prints the known deviations in full.
    pub(crate) known_command: String,
    /// Whether the cases are the user's own, each of which the table names.
    #[serde(skip)]
    pub(crate) names_cases: bool,
    /// What the deviations say that is not true (any more).
    pub(crate) stale: Vec<StaleReport>,
    /// The examples of the tutorial.
    pub(crate) tutorial: Vec<TutorialReport>,
}

/// A case that the loss refuses without an expectation that it does.
#[derive(Debug, Serialize)]
pub(crate) struct BadReport {
    /// The case.
    pub(crate) case: String,
    /// The file, the line and the column of the field; `None` for a shipped case.
    pub(crate) place: Option<String>,
    /// The loss.
    pub(crate) loss: &'static str,
    /// The field that the loss refuses.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl BadReport {
    fn new(bad: &BadCase, paths: &[PathBuf]) -> Self {
        let BadCase { case, reason } = bad;
        let (id, field) = (case.id.clone(), bad.field());
        let place = source::place(paths, &id, &field);
        Self { case: id, place, loss: case.loss.kind().name(), field, reason: reason.to_string() }
    }
}

/// A column of the matrix.
#[derive(Debug, Serialize)]
pub(crate) struct ColumnReport {
    /// The backend.
    pub(crate) backend: String,
    /// The library behind it; null for what the cases expect.
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

/// Cases of one loss on which a backend differs.
#[derive(Debug, Serialize)]
pub(crate) struct DifferenceReport {
    /// The backend.
    pub(crate) backend: String,
    /// The loss.
    pub(crate) loss: &'static str,
    /// How the case with the worst error differs.
    pub(crate) kind: DifferenceKind,
    /// The number of cases.
    pub(crate) cases: usize,
    /// The worst error in ULPs at the error scale; null if there is no number for it.
    pub(crate) worst_ulps: Option<f64>,
    /// The error of the same case in plain ULPs; null if there is no number for it.
    pub(crate) worst_plain_ulps: Option<f64>,
    /// The case with the worst error.
    pub(crate) witness: String,
    /// What was expected there and what came.
    pub(crate) message: String,
    /// The command that shows it.
    pub(crate) command: String,
    /// How many of the cases have an answer that agrees with an older version of PyTorch, by the newest such version.
    pub(crate) as_pytorch_up_to: BTreeMap<String, usize>,
    /// Every difference of every one of the cases.
    pub(crate) failing: Vec<FailingReport>,
}

/// A difference that is not known.
#[derive(Debug, Serialize)]
pub(crate) struct FailingReport {
    /// The case.
    pub(crate) case: String,
    /// How the backend differs on it.
    pub(crate) kind: DifferenceKind,
    /// The error in ULPs at the error scale; null if there is no number for it.
    pub(crate) ulps: Option<f64>,
    /// The error in plain ULPs, at the magnitude of the exact number; null if there is no number for it.
    pub(crate) plain_ulps: Option<f64>,
    /// What was expected and what came.
    pub(crate) message: String,
    /// The newest older version of PyTorch that the answer to the case agrees with; null if there is none.
    pub(crate) as_pytorch_up_to: Option<String>,
}

/// A known deviation, with the cases that it covers in this run.
#[derive(Debug, Serialize)]
pub(crate) struct DeviationReport {
    /// The backend.
    pub(crate) backend: String,
    /// Whose deviation it is: the backend's, or that of another backend which this one is wrong as.
    pub(crate) known_of: String,
    /// The loss.
    pub(crate) loss: String,
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
    /// The cases of this run that it covers.
    pub(crate) covered: Vec<String>,
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
    /// Sums up a run of some backends, which was made with these options.
    pub(crate) fn new(run: &Conformance, backends: &[&dyn Backend], options: &Check, data: &DataFolder) -> Self {
        let paths = &options.data;
        let older = Older::new(run, backends, options, data);
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
            let (backend, file) = (column.name().to_owned(), deviations_file(column.name(), backends, data));
            run.stale(column).into_iter().map(move |message| StaleReport {
                backend: backend.clone(),
                message,
                file: file.clone(),
            })
        };
        Self {
            losscheck: env!("CARGO_PKG_VERSION"),
            passed: run.passed(),
            decides: match run.measured_at {
                MeasuredAt::ErrorScale => "ulps at scale",
                MeasuredAt::ExactNumber => "plain ulps",
            },
            cases: run.table.rows.len(),
            bad: run.bad.iter().map(|bad| BadReport::new(bad, &options.data)).collect(),
            columns: run.table.columns.iter().map(column).collect(),
            differences: run
                .table
                .columns
                .iter()
                .flat_map(|column| differences(run, column, &older, options, data))
                .collect(),
            known: run.table.columns.iter().flat_map(|column| known(run, column)).collect(),
            known_command: known_command(options, data),
            names_cases: !paths.is_empty(),
            stale: run.table.columns.iter().flat_map(stale).collect(),
            tutorial: run.table.rows.iter().filter_map(TutorialReport::new).collect(),
        }
    }
}

/// Returns the file of the known deviations of a column.
pub(super) fn deviations_file(column: &str, backends: &[&dyn Backend], data: &DataFolder) -> PathBuf {
    match backends.iter().find(|backend| backend.name() == column) {
        Some(backend) => data.deviations_file_of(*backend),
        None => data.deviations_file(column),
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

/// Returns the command that prints the known deviations of a run in full.
fn known_command(Check { selection, data: paths, strict, answers, .. }: &Check, data: &DataFolder) -> String {
    let strict = if *strict { " --strict" } else { "" };
    let losses = selection.losses.iter().map(|loss| format!(" --loss {}", loss.name()));
    let paths = paths.iter().map(|path| format!(" --data {}", quoted(&path.to_string_lossy())));
    let chosen: String = std::iter::once(selection.columns.arguments()).chain(losses).chain(paths).collect();
    let files: Vec<_> = answers.iter().map(|file| quoted(&file.to_string_lossy())).collect();
    let verb = if files.is_empty() { "check".to_owned() } else { format!("judge {}", files.join(" ")) };
    format!("losscheck {verb} --known{strict}{chosen}{}", reference_data(data))
}

fn differences(
    run: &Conformance,
    column: &Column,
    older: &Older<'_>,
    options: &Check,
    data: &DataFolder,
) -> Vec<DifferenceReport> {
    let strict = if options.strict { " --strict" } else { "" };
    let mut groups: BTreeMap<LossKind, Vec<Finding<'_, Case>>> = BTreeMap::new();
    for finding in run.table.findings(column).filter(|finding| finding.known.is_none()) {
        groups.entry(finding.row.loss.kind()).or_default().push(finding);
    }
    let report = |(loss, findings): (LossKind, Vec<Finding<'_, Case>>)| {
        let first = findings.first()?;
        // The first of those that are equally bad.
        let worst = findings.iter().fold(first, |worst, finding| {
            if finding.difference.deciding_ulps() > worst.difference.deciding_ulps() { finding } else { worst }
        });
        let failing = older.failing(column.name(), &findings);
        let mut as_pytorch_up_to: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for failing in &failing {
            if let Some(version) = &failing.as_pytorch_up_to {
                as_pytorch_up_to.entry(version.clone()).or_default().insert(&failing.case);
            }
        }
        Some(DifferenceReport {
            as_pytorch_up_to: as_pytorch_up_to.into_iter().map(|(version, cases)| (version, cases.len())).collect(),
            backend: column.name().to_owned(),
            loss: loss.name(),
            kind: worst.difference.kind,
            cases: ids(&findings).len(),
            worst_ulps: measured(worst.difference.ulps),
            worst_plain_ulps: measured(worst.difference.plain_ulps),
            witness: worst.row.id.clone(),
            message: worst.difference.message.clone(),
            command: show_command(&worst.row.id, &options.data, data) + strict + &options.selection.columns.adapters(),
            failing,
        })
    };
    groups.into_iter().filter_map(report).collect()
}

fn known(run: &Conformance, column: &Column) -> Vec<DeviationReport> {
    let mut groups: Vec<(&Known, Vec<Finding<'_, Case>>)> = Vec::new();
    for finding in run.table.findings(column) {
        let Some(known) = finding.known else { continue };
        match groups.iter_mut().find(|(other, _)| other.is_same_as(known)) {
            Some((_, findings)) => findings.push(finding),
            None => groups.push((known, vec![finding])),
        }
    }
    let report = |(known, findings): (&Known, Vec<Finding<'_, Case>>)| {
        let Known { of, deviation } = known;
        let covered = ids(&findings);
        DeviationReport {
            backend: column.name().to_owned(),
            known_of: of.clone(),
            loss: deviation.loss.clone(),
            name: deviation.name.clone(),
            gives: deviation.gives.clone(),
            cases: covered.len(),
            reason: deviation.reason.clone(),
            upstream: deviation.upstream.clone(),
            worst_ulps: measured(findings.iter().map(|finding| finding.difference.ulps).fold(0.0, f64::max)),
            witness: deviation.witness.clone(),
            covered,
        }
    };
    groups.into_iter().map(report).collect()
}

/// The answers of older versions of PyTorch, to which those that differ are compared.
struct Older<'a> {
    backends: &'a [&'a dyn Backend],
    /// Without the current version; the newest first.
    versions: Vec<Answers>,
}

impl<'a> Older<'a> {
    /// Reads the answers if a backend differs in a new way.
    fn new(run: &Conformance, backends: &'a [&'a dyn Backend], options: &Check, data: &DataFolder) -> Self {
        let is_needed = options.pytorch.is_none() && !run.table.all_known();
        let versions = if !is_needed {
            Vec::new()
        } else if options.data.is_empty() {
            // They explain, and decide nothing: without them there is one explanation less.
            let oldest = data.versions().ok().and_then(|versions| versions.last().copied());
            let all = oldest.and_then(|oldest| data.answers_down_to(oldest, &run.table.rows).ok());
            all.unwrap_or_default().into_iter().skip(1).collect()
        } else {
            older::of_slope()
        };
        Self { backends, versions }
    }

    /// Returns a report of each of the findings in a column.
    fn failing(&self, column: &str, findings: &[Finding<'_, Case>]) -> Vec<FailingReport> {
        let backend = self.backends.iter().find(|backend| backend.name() == column);
        let mut of_case: BTreeMap<&str, Option<String>> = BTreeMap::new();
        let mut reports = Vec::new();
        for finding in findings {
            let case = finding.row;
            let version = of_case.entry(&case.id).or_insert_with(|| {
                let (case, outcome) = match (backend, &case.expected) {
                    (Some(backend), _) => (case.clone(), evaluate(*backend, case)),
                    (None, Some(Expected::Answer(answer))) => {
                        // Of what is not expected nothing is known.
                        let given: Vec<&str> = answer.gradients.keys().map(String::as_str).collect();
                        (case.wanting(&given), Outcome::Answer(answer.clone()))
                    }
                    (None, Some(Expected::Rejection { message, .. })) => {
                        (case.clone(), Outcome::Rejection(message.clone()))
                    }
                    (None, None) => return None,
                };
                older::agrees_with(&case, &outcome, &self.versions).map(|version| version.to_string())
            });
            reports.push(FailingReport { as_pytorch_up_to: version.clone(), ..FailingReport::new(finding) });
        }
        reports
    }
}

impl FailingReport {
    fn new(finding: &Finding<'_, Case>) -> Self {
        let Finding { row, difference, .. } = finding;
        Self {
            case: row.id.clone(),
            kind: difference.kind,
            ulps: measured(difference.ulps),
            plain_ulps: measured(difference.plain_ulps),
            message: difference.message.clone(),
            as_pytorch_up_to: None,
        }
    }
}

/// Returns a number of ULPs, or `None` if there is no number for the error.
fn measured(ulps: f64) -> Option<f64> {
    Some(ulps).filter(|ulps| ulps.is_finite())
}

/// Returns the ids of the cases, each once: a case may differ in two outputs.
fn ids(findings: &[Finding<'_, Case>]) -> Vec<String> {
    let mut ids: Vec<String> = findings.iter().map(|finding| finding.row.id.clone()).collect();
    ids.dedup();
    ids
}
