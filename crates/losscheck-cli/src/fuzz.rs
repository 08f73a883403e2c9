//! `losscheck fuzz`: random cases against the oracle.

use std::io::{self, Write};
use std::path::PathBuf;

use comfy_table::Cell;
use losscheck::fuzz::{self, Column, Plan, Report};
use losscheck::suite::{DataFolder, Tally};

use crate::args::Draws;
use crate::draws::{listed, on_record};
use crate::failure::Failure;
use crate::style::{BAD, GOOD, HEADING};
use crate::table::{cases, counted, table, tally};
use crate::{Passed, backends, progress};

/// Draws the cases, prints what came of them, and keeps what nobody has explained.
pub(crate) fn run(options: &Draws, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let plan = options.plan();
    writeln!(out, "seed {}; to repeat: {}\n", plan.seed, options.command("fuzz", plan.seed, data))?;
    out.flush()?;

    let backends = backends::select(&options.selection.backends);
    let bar = progress::bar(plan.cases, "cases");
    let report = fuzz::fuzz(&plan, &backends::borrow(&backends), data, || bar.inc(1))?;
    bar.finish_and_clear();

    let files = fuzz::save(report.witnesses.iter().map(|witness| &witness.case), &options.folder(data))?;
    print(&plan, &report, out)?;
    witnesses(&report, &files, |case| options.show_command(case, data), out)?;
    summary(&plan, &report, out)?;
    Ok(Passed(report.passed()))
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

    on_record(report.columns.iter().map(|column| (column.name, &*column.excuses)), "case", out)
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
    if !files.is_empty() {
        writeln!(out, "  The smallest cases are kept in {}", listed(files))?;
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
