//! `losscheck metamorphic`: relations between the answers to two cases, from random cases on.

use std::io::{self, Write};
use std::path::PathBuf;

use comfy_table::Cell;
use losscheck::excuses::Excuse;
use losscheck::fuzz::save;
use losscheck::loss::LossKind;
use losscheck::metamorphic::{self, Broken, Column, RELATIONS, Report};
use losscheck::suite::{DataFolder, Tally};
use losscheck::verdict::{Kind, count};
use serde::Serialize;

use crate::args::{Format, Metamorphic};
use crate::check::json;
use crate::draws::{listed, on_record};
use crate::failure::Failure;
use crate::style::{BAD, GOOD, HEADING};
use crate::table::{cases, counted, table, tally};
use crate::{Passed, backends, progress};

/// The document of `--format json`.
#[derive(Debug, Serialize)]
struct Document {
    /// The version of the program.
    losscheck: &'static str,
    /// What the random cases came from.
    seed: u64,
    /// How many there were.
    cases: usize,
    /// The command that repeats the run.
    command: String,
    /// Whether every relation holds or what breaks it is on record.
    passed: bool,
    /// The columns of the matrix.
    columns: Vec<ColumnEntry>,
    /// What is broken and not on record, by backend, relation and loss.
    broken: Vec<BrokenEntry>,
    /// The deviations that break relations.
    on_record: Vec<ExcuseEntry>,
}

/// A column of the matrix.
#[derive(Debug, Serialize)]
struct ColumnEntry {
    backend: &'static str,
    /// A cell for each relation.
    relations: Vec<CellEntry>,
}

/// A cell of the matrix: of the cases that the relation says something about.
#[derive(Debug, Serialize)]
struct CellEntry {
    relation: &'static str,
    /// On how many it holds.
    held: usize,
    /// On how many it does not, which is on record.
    on_record: usize,
    /// On how many it does not otherwise.
    broken: usize,
    /// How many the backend has no answer to.
    not_provided: usize,
}

/// A relation that a loss breaks.
#[derive(Debug, Serialize)]
struct BrokenEntry {
    backend: &'static str,
    relation: &'static str,
    loss: &'static str,
    /// How the answers differ where the error is worst.
    kind: Kind,
    /// On how many cases.
    cases: usize,
    /// The worst error in ULPs at scale; null where there is no number for it.
    worst_ulps: Option<f64>,
    /// What came there, and what follows from the other answer.
    message: String,
    /// The commands that show the two cases there.
    commands: [String; 2],
}

/// A deviation, with what it excuses in this run.
#[derive(Debug, Serialize)]
struct ExcuseEntry {
    backend: &'static str,
    /// Whose record it is on: the backend's or PyTorch's.
    on_record_of: &'static str,
    loss: String,
    kind: Kind,
    /// How many.
    differences: usize,
    /// Why it is so.
    reason: String,
    /// Where it is reported upstream, `wontfix` where that has been refused, or `unreported`.
    upstream: String,
    /// A case that shows it.
    witness: String,
}

/// Draws the cases, prints which relations hold, and keeps the cases that break one.
pub(crate) fn run(options: &Metamorphic, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let draws = &options.draws;
    let plan = draws.plan();
    let backends = backends::select(&draws.selection.backends);
    let bar = progress::bar(plan.cases, "cases");
    let report = metamorphic::run(&plan, &backends::borrow(&backends), data, || bar.inc(1))?;
    bar.finish_and_clear();

    let broken = report.columns.iter().flat_map(|column| column.broken.values());
    let files = save(broken.flat_map(|broken| &broken.pair), &draws.folder(data))?;
    let show = |case: &str| draws.show_command(case, data);
    let document = Document {
        losscheck: env!("CARGO_PKG_VERSION"),
        seed: plan.seed,
        cases: plan.cases,
        command: draws.command("metamorphic", plan.seed, data),
        passed: report.passed(),
        columns: report.columns.iter().map(ColumnEntry::new).collect(),
        broken: report.columns.iter().flat_map(|column| broken_by(column, show)).collect(),
        on_record: report.columns.iter().flat_map(excuses_of).collect(),
    };
    match options.format {
        Format::Json => json(out, &document)?,
        Format::Table => print(&document, &report, &files, out)?,
    }
    Ok(Passed(document.passed))
}

impl ColumnEntry {
    fn new(column: &Column) -> Self {
        let cell = |relation: &metamorphic::Relation| {
            let Tally { agree, on_record, differ, not_provided } =
                column.tallies.get(relation.name).copied().unwrap_or_default();
            CellEntry { relation: relation.name, held: agree, on_record, broken: differ, not_provided }
        };
        Self { backend: column.name, relations: RELATIONS.iter().map(cell).collect() }
    }
}

impl CellEntry {
    fn tally(&self) -> Tally {
        let &Self { held, on_record, broken, not_provided, .. } = self;
        Tally { agree: held, on_record, differ: broken, not_provided }
    }
}

fn broken_by(column: &Column, show: impl Fn(&str) -> String) -> impl Iterator<Item = BrokenEntry> {
    column.broken.iter().map(move |(&(relation, loss), Broken { cases, pair, worst })| BrokenEntry {
        backend: column.name,
        relation,
        loss: LossKind::name(loss),
        kind: worst.kind,
        cases: *cases,
        worst_ulps: Some(worst.ulps).filter(|ulps| ulps.is_finite()),
        message: worst.message.clone(),
        commands: pair.each_ref().map(|case| show(&case.id)),
    })
}

fn excuses_of(column: &Column) -> impl Iterator<Item = ExcuseEntry> {
    column.excuses.iter().map(|Excuse { on_record_of, record, count }| ExcuseEntry {
        backend: column.name,
        on_record_of,
        loss: record.loss.clone(),
        kind: record.kind,
        differences: *count,
        reason: record.reason.clone(),
        upstream: record.upstream.clone(),
        witness: record.witness.clone(),
    })
}

fn print(document: &Document, report: &Report, files: &[PathBuf], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "seed {}; to repeat: {}\n", document.seed, document.command)?;
    let names = document.columns.iter().map(|column| column.backend);
    let mut matrix = table(["relation"].into_iter().chain(names), 1);
    for (row, relation) in RELATIONS.iter().enumerate() {
        let cells = document.columns.iter().map(|column| tally(column.relations[row].tally()));
        matrix.add_row([Cell::new(relation.name)].into_iter().chain(cells));
    }
    writeln!(out, "{}", matrix.trim_fmt())?;

    on_record(report.columns.iter().map(|column| (column.name, &*column.excuses)), "difference", out)?;
    broken(document, files, out)?;

    let runs = format!("{} on {}", cases(document.cases), counted(document.columns.len(), "backend"));
    if document.passed {
        writeln!(out, "\n{runs}: {GOOD}every relation holds or is on record{GOOD:#}")
    } else {
        writeln!(out, "\n{runs}: {BAD}{} broken{BAD:#}", counted(document.broken.len(), "relation"))
    }
}

fn broken(document: &Document, files: &[PathBuf], out: &mut dyn Write) -> io::Result<()> {
    if document.broken.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Broken{HEADING:#}")?;
    for BrokenEntry { backend, relation, loss, kind, cases: number, worst_ulps, message, commands } in &document.broken
    {
        let worst = worst_ulps.map_or_else(String::new, |ulps| format!(", worst {} ULPs", count(ulps)));
        writeln!(out, "  {BAD}{backend} {loss}, {relation}: {}, {}{worst}{BAD:#}", kind.describe(), cases(*number))?;
        for line in [message].into_iter().chain(commands) {
            writeln!(out, "    {line}")?;
        }
    }
    writeln!(out, "  The cases are kept in {}", listed(files))
}
