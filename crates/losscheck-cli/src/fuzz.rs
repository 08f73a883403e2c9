//! `losscheck fuzz`: random cases against the oracle.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use comfy_table::Cell;
use losscheck::fuzz::{self, Column, Plan, Report};
use losscheck::suite::{DataFolder, Tally};

use crate::args::Fuzz;
use crate::failure::Failure;
use crate::source::{quoted, reference_data, show_command};
use crate::style::{BAD, DIM, GOOD, HEADING, NOTE};
use crate::table::{cases, counted, table, tally};
use crate::{Passed, backends, progress};

/// Draws the cases, prints what came of them, and keeps what nobody has explained.
pub(crate) fn run(options: &Fuzz, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let seed = options.seed.unwrap_or_else(seed_from_clock);
    let plan = Plan { seed, cases: options.cases, losses: options.selection.losses() };
    writeln!(out, "seed {seed}; to repeat: {}\n", command(options, seed, data))?;
    out.flush()?;

    let backends = backends::select(&options.selection.backends);
    let bar = progress::bar(plan.cases, "cases");
    let report = fuzz::fuzz(&plan, &backends::borrow(&backends), data, || bar.inc(1))?;
    bar.finish_and_clear();

    let folder = options.out.clone().unwrap_or_else(|| data.0.join("regressions"));
    let files = fuzz::save(&report.witnesses, &folder)?;
    print(&plan, &report, out)?;
    let paths: Vec<PathBuf> = options.out.iter().cloned().collect();
    witnesses(&report, &files, |case| show_command(case, &paths, data), out)?;
    summary(&plan, &report, out)?;
    Ok(Passed(report.passed()))
}

/// A seed that one can type.
fn seed_from_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.as_secs() as u32 ^ since.subsec_nanos())
}

/// The command that repeats the run.
fn command(options: &Fuzz, seed: u64, data: &DataFolder) -> String {
    let mut command = format!("losscheck fuzz --cases {} --seed {seed}", options.cases);
    for backend in &options.selection.backends {
        write!(command, " --backend {backend}").expect("a string takes all");
    }
    for loss in &options.selection.losses {
        write!(command, " --loss {}", loss.name()).expect("a string takes all");
    }
    if let Some(folder) = &options.out {
        write!(command, " --out {}", quoted(&folder.to_string_lossy())).expect("a string takes all");
    }
    command + &reference_data(data)
}

fn print(plan: &Plan, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let names = report.columns.iter().map(|column| column.name);
    let mut matrix = table(["loss", "cases"].into_iter().chain(names), 1);
    for loss in &plan.losses {
        let tallies: Vec<Tally> =
            report.columns.iter().map(|column| column.tallies.get(loss).copied().unwrap_or_default()).collect();
        let drawn =
            tallies.first().map_or(0, |tally| tally.agree + tally.on_record + tally.differ + tally.not_provided);
        let cells = tallies.into_iter().map(tally);
        matrix.add_row([Cell::new(loss.name()), Cell::new(drawn)].into_iter().chain(cells));
    }
    writeln!(out, "{}", matrix.trim_fmt())?;

    if report.columns.iter().any(|column| !column.excuses.is_empty()) {
        writeln!(out, "\n{HEADING}On record{HEADING:#}")?;
    }
    for column in &report.columns {
        for fuzz::Excuse { on_record_of, record, cases: excused } in &column.excuses {
            let (backend, kind, excused) = (column.name, record.kind.describe(), cases(*excused));
            let of = if *on_record_of == backend { String::new() } else { format!(", as {on_record_of}") };
            writeln!(out, "  {NOTE}{backend} {}, {kind}{of}: {excused}{NOTE:#}", record.loss)?;
            writeln!(out, "    {}", record.reason)?;
            writeln!(out, "    {DIM}{}; losscheck show {}{DIM:#}", record.upstream, quoted(&record.witness))?;
        }
    }
    Ok(())
}

fn witnesses(report: &Report, files: &[PathBuf], show: impl Fn(&str) -> String, out: &mut dyn Write) -> io::Result<()> {
    if report.passed() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Unexplained{HEADING:#}")?;
    for Column { name, unexplained, .. } in &report.columns {
        for (&(loss, kind), &number) in unexplained {
            writeln!(out, "  {BAD}{name} {}, {}: {}{BAD:#}", loss.name(), kind.describe(), cases(number))?;
            let of_group = report.witnesses.iter().filter(|witness| {
                witness.backend == *name && witness.case.loss.kind() == loss && witness.difference.kind == kind
            });
            for witness in of_group {
                writeln!(out, "    {}", witness.difference.message)?;
                writeln!(out, "    {}", show(&witness.case.id))?;
            }
        }
    }
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    if !files.is_empty() {
        writeln!(out, "  The smallest cases are kept in {}", files.join(", "))?;
    }
    Ok(())
}

fn summary(plan: &Plan, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let runs = format!("{} on {}", cases(plan.cases), counted(report.columns.len(), "backend"));
    if report.passed() {
        return writeln!(out, "\n{runs}: {GOOD}no unexplained difference{GOOD:#}");
    }
    let differ = report.columns.iter().flat_map(|column| column.tallies.values()).map(|tally| tally.differ).sum();
    writeln!(out, "\n{runs}: {BAD}{}{BAD:#}", counted(differ, "unexplained difference"))
}
