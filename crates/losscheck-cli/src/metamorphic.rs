//! `losscheck metamorphic`: relations between the answers to two cases, starting from random cases.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use losscheck::data::DataFolder;
use losscheck::deviations::Scope;
use losscheck::judge::verdict::{DifferenceKind, count};
use losscheck::loss::LossKind;
use losscheck::run::fuzz::save;
use losscheck::run::metamorphic::{self, Broken, RELATIONS, Related};
use losscheck::run::table::{Column, Table, Tally};
use serde::Serialize;

use crate::adapters::Running;
use crate::args::{Format, Metamorphic};
use crate::check::json;
use crate::draws::{known, listed};
use crate::failure::Failure;
use crate::style::{BAD, GOOD, HEADING};
use crate::table::{cases, counted, matrix};
use crate::{Passed, progress};

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
    /// Whether every relation holds or what breaks it is known.
    passed: bool,
    /// The columns of the matrix.
    columns: Vec<ColumnEntry>,
    /// What is broken and not known, by backend, relation and loss.
    broken: Vec<BrokenEntry>,
    /// The known deviations that break relations.
    known: Vec<KnownEntry>,
}

/// A column of the matrix.
#[derive(Debug, Serialize)]
struct ColumnEntry {
    backend: String,
    /// A cell for each relation.
    relations: Vec<CellEntry>,
}

/// A cell of the matrix: of the cases that the relation says something about.
#[derive(Debug, Serialize)]
struct CellEntry {
    relation: &'static str,
    /// On how many it holds.
    held: usize,
    /// On how many it does not, in a known way.
    known: usize,
    /// On how many it does not otherwise.
    broken: usize,
    /// How many the backend has no answer to.
    not_provided: usize,
}

/// A relation that a loss breaks.
#[derive(Debug, Serialize)]
struct BrokenEntry {
    backend: String,
    relation: &'static str,
    loss: &'static str,
    /// How the answers differ where the error is worst.
    kind: DifferenceKind,
    /// On how many cases.
    cases: usize,
    /// The worst error in ULPs at scale; null where there is no number for it.
    worst_ulps: Option<f64>,
    /// What came there, and what follows from the other answer.
    message: String,
    /// The commands that show the two cases there.
    commands: [String; 2],
}

/// A known deviation that breaks relations.
#[derive(Debug, Serialize)]
struct KnownEntry {
    backend: String,
    /// Whose deviation it is: the backend's or PyTorch's.
    known_of: String,
    loss: String,
    name: String,
    /// What the backend gives.
    gives: Vec<String>,
    /// How many pairs of cases it covers.
    pairs: usize,
    /// Why the backend differs.
    reason: String,
    /// Where it is reported upstream, `wontfix` if that has been refused, or `unreported`.
    upstream: String,
    /// A case that shows it.
    witness: String,
}

/// Draws the cases, prints which relations hold, and keeps the cases that break one.
pub(crate) fn run(options: &Metamorphic, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let running = Running::start(&options.draws.selection.columns, Scope::Others, data)?;
    running.takes_any_case()?;
    let draws = &options.draws.keeping_apart(&running);
    let random = draws.random_cases();
    let bar = progress::bar(random.count, "cases");
    let found = metamorphic::run(&random, &running.backends(), data, || bar.inc(1))?;
    bar.finish_and_clear();

    let broken: Vec<_> =
        found.columns.iter().map(|column| (column.name(), metamorphic::broken(&found, column))).collect();
    let pairs = broken.iter().flat_map(|(_, broken)| broken.values()).flat_map(|broken| &broken.worst_pair);
    let files = if running.is_stopped() { Vec::new() } else { save(pairs, &draws.folder(data))? };
    let show = |case: &str| draws.show_command(case, data);
    let document = Document {
        losscheck: env!("CARGO_PKG_VERSION"),
        seed: random.seed,
        cases: random.count,
        command: draws.command("metamorphic", random.seed, data),
        passed: found.all_known(),
        columns: found.columns.iter().map(|column| ColumnEntry::new(&found, column)).collect(),
        broken: broken.iter().flat_map(|(backend, broken)| broken_by(backend, broken, show)).collect(),
        known: found.columns.iter().flat_map(|column| known_by(&found, column)).collect(),
    };
    match options.format {
        Format::Json => json(out, &document)?,
        Format::Table => print(&document, &found, &files, draws.known, out)?,
    }
    out.flush()?;
    running.finish()?;
    Ok(Passed(document.passed))
}

impl ColumnEntry {
    fn new(found: &Table<Related>, column: &Column) -> Self {
        let tallies = found.tallies(column, |row| row.relation.name);
        let cell = |relation: &metamorphic::Relation| {
            let Tally { agree, known, differ, not_provided } = tallies.get(relation.name).copied().unwrap_or_default();
            CellEntry { relation: relation.name, held: agree, known, broken: differ, not_provided }
        };
        Self { backend: column.name().to_owned(), relations: RELATIONS.iter().map(cell).collect() }
    }
}

impl CellEntry {
    fn tally(&self) -> Tally {
        let &Self { held, known, broken, not_provided, .. } = self;
        Tally { agree: held, known, differ: broken, not_provided }
    }
}

fn broken_by(
    backend: &str,
    broken: &BTreeMap<(&'static str, LossKind), Broken>,
    show: impl Fn(&str) -> String,
) -> impl Iterator<Item = BrokenEntry> {
    broken.iter().map(move |(&(relation, loss), Broken { pairs, worst_pair, worst })| BrokenEntry {
        backend: backend.to_owned(),
        relation,
        loss: loss.name(),
        kind: worst.kind,
        cases: *pairs,
        worst_ulps: Some(worst.ulps).filter(|ulps| ulps.is_finite()),
        message: worst.message.clone(),
        commands: worst_pair.each_ref().map(|case| show(&case.id)),
    })
}

fn known_by(found: &Table<Related>, column: &Column) -> impl Iterator<Item = KnownEntry> {
    found.known(column).into_iter().map(|(known, pairs)| KnownEntry {
        backend: column.name().to_owned(),
        known_of: known.of.clone(),
        loss: known.deviation.loss.clone(),
        name: known.deviation.name.clone(),
        gives: known.deviation.gives.clone(),
        pairs,
        reason: known.deviation.reason.clone(),
        upstream: known.deviation.upstream.clone(),
        witness: known.deviation.witness.clone(),
    })
}

fn print(
    document: &Document,
    found: &Table<Related>,
    files: &[PathBuf],
    lists_known: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "seed {}; to repeat: {}\n", document.seed, document.command)?;
    let names: Vec<&str> = document.columns.iter().map(|column| column.backend.as_str()).collect();
    let row = |(row, relation): (usize, &metamorphic::Relation)| {
        let tallies = document.columns.iter().map(|column| column.relations[row].tally());
        (vec![relation.name.to_owned()], tallies.collect())
    };
    let rows: Vec<_> = RELATIONS.iter().enumerate().map(row).collect();
    writeln!(out, "{}", matrix(&["relation"], &names, &rows))?;

    known(found, "pair", (lists_known, &document.command), out)?;
    broken(document, files, out)?;

    let runs = format!("{} on {}", cases(document.cases), counted(document.columns.len(), "backend"));
    if document.passed {
        writeln!(out, "\n{runs}: {GOOD}no unexplained difference{GOOD:#}")
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
