//! The report as tables.

use std::io::{self, Write};

use comfy_table::Cell;
use losscheck::judge::verdict::count;

use super::report::{CellReport, ColumnReport, Report};
use crate::style::{BAD, DIM, GOOD, HEADING, NOTE};
use crate::table::{cases, counted, table, tally};

/// Prints the whole report.
pub(crate) fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    matrix(report, out)?;
    tutorial(report, out)?;
    known(report, out)?;
    stale(report, out)?;
    differences(report, out)?;
    summary(report, out)
}

fn matrix(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let names = report.columns.iter().map(|column| column.backend.as_str());
    let mut matrix = table(["loss", "cases"].into_iter().chain(names), 1);
    let losses = report.columns.first().map_or(&[][..], |column| &column.losses);
    for (row, cell) in losses.iter().enumerate() {
        let cells = report.columns.iter().map(|column| tally(column.losses[row].tally()));
        matrix.add_row([Cell::new(cell.loss), Cell::new(cell.tally().total())].into_iter().chain(cells));
    }
    let totals = report.columns.iter().map(|column| tally(column.total()));
    matrix.add_row([Cell::new("all"), Cell::new(report.cases)].into_iter().chain(totals));
    writeln!(out, "{}\n", matrix.trim_fmt())?;

    for ColumnReport { backend, version, .. } in &report.columns {
        let version = version.as_deref().unwrap_or("stored answers against exact arithmetic");
        writeln!(out, "{DIM}{backend}: {version}{DIM:#}")?;
    }
    Ok(())
}

fn tutorial(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let wrong: Vec<_> = report.tutorial.iter().filter(|example| !example.right).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Wrong results in the tutorial{HEADING:#}")?;
    for example in wrong {
        let (loss, case) = (example.loss, &example.case);
        write!(out, "  {loss}: the tutorial prints {:.4}, PyTorch gives {:.4}", example.printed, example.pytorch)?;
        writeln!(out, " {DIM}({case}){DIM:#}")?;
    }
    Ok(())
}

fn known(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.known.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Known deviations{HEADING:#}")?;
    for deviation in &report.known {
        let gives = deviation.gives.join("; ");
        let cases = cases(deviation.cases);
        writeln!(out, "  {NOTE}{} {}, {gives}: {cases}{NOTE:#}", deviation.backend, deviation.loss)?;
        writeln!(out, "    {}", deviation.reason)?;
        writeln!(out, "    {DIM}{}; losscheck show {}{DIM:#}", deviation.upstream, deviation.witness)?;
    }
    Ok(())
}

fn stale(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.stale.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Deviations that are not true{HEADING:#}")?;
    for stale in &report.stale {
        writeln!(out, "  {BAD}{}{BAD:#} {}", stale.backend, stale.message)?;
    }
    let mut files: Vec<_> = report.stale.iter().map(|stale| stale.file.display().to_string()).collect();
    files.dedup();
    writeln!(out, "  Correct {}, or run", files.join(", "))?;
    writeln!(out, "    losscheck check --update-deviations")?;
    writeln!(out, "  and review what it changes.")
}

fn differences(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.differences.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Differences{HEADING:#}")?;
    for difference in &report.differences {
        let (backend, loss, kind) = (&difference.backend, difference.loss, difference.kind.describe());
        let worst = difference.worst_ulps.map_or_else(String::new, |ulps| format!(", worst {} ULPs", count(ulps)));
        writeln!(out, "  {BAD}{backend} {loss}, {kind}: {}{worst}{BAD:#}", cases(difference.cases))?;
        writeln!(out, "    {}", difference.message)?;
        writeln!(out, "    {}", difference.command)?;
    }
    Ok(())
}

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let sum = |part: fn(&CellReport) -> usize| -> usize {
        report.columns.iter().flat_map(|column| &column.losses).map(part).sum()
    };
    let (known, differ) = (sum(|cell| cell.known), sum(|cell| cell.differ));
    let runs = format!("{} in {}", cases(report.cases), counted(report.columns.len(), "column"));
    match (report.passed, known) {
        (true, 0) => return writeln!(out, "\n{runs}: {GOOD}all agree{GOOD:#}"),
        (true, _) => return writeln!(out, "\n{runs}: {GOOD}no unexplained difference{GOOD:#} ({known} known)"),
        (false, _) => {}
    }
    let stale = match report.stale.len() {
        0 => String::new(),
        stale => format!(", {stale} deviations not true"),
    };
    writeln!(out, "\n{runs}: {BAD}{differ} differ{stale}{BAD:#} ({known} known)")
}
