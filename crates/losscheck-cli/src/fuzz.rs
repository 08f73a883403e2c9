//! `losscheck fuzz`: random cases against the oracle.

use std::io::{self, Write};
use std::path::PathBuf;

use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::deviations::Scope;
use losscheck::loss::LossKind;
use losscheck::run::fuzz::{self, Report};
use losscheck::run::table::Tally;

use crate::adapters::Running;
use crate::args::Draws;
use crate::draws::{known, listed};
use crate::failure::Failure;
use crate::style::{BAD, GOOD, HEADING, NOTE};
use crate::table::{cases, counted, matrix};
use crate::{Passed, progress};

/// Draws the cases, prints what became of them, and keeps those whose differences are not known.
pub(crate) fn run(options: &Draws, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let running = Running::start(&options.selection.columns, Scope::Others, data)?;
    running.takes_any_case()?;
    let options = &options.keeping_apart(&running);
    let random = options.random_cases();
    let command = options.command("fuzz", random.seed, data);
    writeln!(out, "seed {}; to repeat: {command}\n", random.seed)?;
    out.flush()?;

    let bar = progress::bar(random.count, "cases");
    let report = fuzz::fuzz(&random, &running.backends(), data, || bar.inc(1))?;
    bar.finish_and_clear();

    let files = match running.is_stopped() {
        true => Vec::new(),
        false => fuzz::save(report.witnesses.iter().map(|witness| &witness.case), &options.folder(data))?,
    };
    print(&random, &report, out)?;
    known(&report.table, "case", (options.known, &command), out)?;
    witnesses(&report, &files, |case| options.show_command(case, data), out)?;
    summary(&random, &report, out)?;
    out.flush()?;
    running.finish()?;
    Ok(Passed(report.table.all_known()))
}

fn print(random: &RandomCases, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let columns = &report.table.columns;
    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
    let tallies: Vec<_> = columns.iter().map(|column| report.table.tallies(column, |draw| draw.loss)).collect();
    let row = |loss: &LossKind| {
        let of_loss: Vec<Tally> = tallies.iter().map(|column| column.get(loss).copied().unwrap_or_default()).collect();
        let drawn = of_loss.first().map_or(0, |tally| tally.total());
        (vec![loss.name().to_owned(), drawn.to_string()], of_loss)
    };
    let rows: Vec<_> = random.losses.iter().map(row).collect();
    writeln!(out, "{}", matrix(&["loss", "cases"], &names, &rows))
}

fn witnesses(report: &Report, files: &[PathBuf], show: impl Fn(&str) -> String, out: &mut dyn Write) -> io::Result<()> {
    if report.table.all_known() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Unexplained{HEADING:#}")?;
    for column in &report.table.columns {
        let name = column.name();
        for ((loss, kind), number) in report.unexplained(column) {
            writeln!(out, "  {BAD}{name} {}, {}: {}{BAD:#}", loss.name(), kind.describe(), cases(number))?;
            let of_group = report.witnesses.iter().filter(|witness| {
                witness.backend == name && witness.case.loss.kind() == loss && witness.difference.kind == kind
            });
            for witness in of_group {
                writeln!(out, "    {}", witness.difference.message)?;
                if let Some(version) = witness.as_pytorch_up_to {
                    writeln!(out, "    {NOTE}as PyTorch up to {version}{NOTE:#}")?;
                }
                writeln!(out, "    {}", show(&witness.case.id))?;
            }
        }
    }
    if !files.is_empty() {
        writeln!(out, "  The smallest cases are kept in {}", listed(files))?;
    }
    Ok(())
}

fn summary(random: &RandomCases, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let columns = &report.table.columns;
    let runs = format!("{} on {}", cases(random.count), counted(columns.len(), "backend"));
    let differ = columns.iter().flat_map(|column| &column.cells).filter(|cell| cell.differs()).count();
    match differ {
        0 => writeln!(out, "\n{runs}: {GOOD}no unexplained difference{GOOD:#}"),
        _ => writeln!(out, "\n{runs}: {BAD}{}{BAD:#}", counted(differ, "unexplained difference")),
    }
}
