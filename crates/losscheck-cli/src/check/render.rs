//! The report as tables.

use std::io::{self, Write};

use comfy_table::Cell;
use losscheck::deviations::PYTORCH;
use losscheck::judge::verdict::both;

use super::report::{
    BadReport, CellReport, ColumnReport, DeviationReport, DifferenceReport, FailingReport, Report, TutorialReport,
};
use crate::draws;
use crate::style::{BAD, DIM, GOOD, HEADING, NOTE};
use crate::table::{cases, counted, matrix, table};

/// How many cases of the user's are named in one list.
const NAMED: usize = 20;

/// Prints the report; the known deviations in full if `lists_known`.
pub(crate) fn print(report: &Report, lists_known: bool, out: &mut dyn Write) -> io::Result<()> {
    losses(report, out)?;
    differences(report, out)?;
    bad(report, out)?;
    backends(report, out)?;
    known(report, lists_known, out)?;
    tutorial(report, out)?;
    stale(report, out)?;
    summary(report, out)
}

fn losses(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<_> = report.columns.iter().map(|column| column.backend.as_str()).collect();
    let losses = report.columns.first().map_or(&[][..], |column| &column.losses);
    let row = |(row, cell): (usize, &CellReport)| {
        let tallies = report.columns.iter().map(|column| column.losses[row].tally());
        (vec![cell.loss.to_owned(), cell.tally().total().to_string()], tallies.collect())
    };
    let rows: Vec<_> = losses.iter().enumerate().map(row).collect();
    writeln!(out, "{}", matrix(&["loss", "cases"], &names, &rows))
}

fn differences(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.differences.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}New differences{HEADING:#}")?;
    for difference in &report.differences {
        let DifferenceReport { backend, loss, kind, worst_ulps, worst_plain_ulps, message, command, .. } = difference;
        let [ulps, plain] = [worst_ulps, worst_plain_ulps].map(|ulps| ulps.unwrap_or(f64::INFINITY));
        let worst = both(ulps, plain).unwrap_or_else(|| kind.describe().to_owned());
        writeln!(out, "  {BAD}{backend} {loss}: {}, worst: {worst}{BAD:#}", cases(difference.cases))?;
        writeln!(out, "    {message}")?;
        for (version, count) in &difference.as_pytorch_up_to {
            let all = if *count == difference.cases { "as".to_owned() } else { format!("{}: as", cases(*count)) };
            writeln!(out, "    {NOTE}{all} PyTorch up to {version}{NOTE:#}")?;
        }
        writeln!(out, "    {command}")?;
        // A single one is shown already.
        if report.names_cases && difference.failing.len() > 1 {
            let line = |failing: &FailingReport| format!("{}: {}", failing.case, failing.message);
            some(difference.failing.iter().map(line), out)?;
        }
    }
    Ok(())
}

fn bad(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.bad.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Bad data{HEADING:#}")?;
    for BadReport { case, place, field, reason, .. } in &report.bad {
        let place = place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        writeln!(out, "  {place}{BAD}{case}: `{field}`{BAD:#}: {reason}")?;
    }
    writeln!(out, "  The loss refuses these cases. If it should, write \"expected\": {{\"rejected\": true}}.")
}

/// Prints the first lines of a list, and how many more there are.
fn some(lines: impl ExactSizeIterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    let more = lines.len().saturating_sub(NAMED);
    for line in lines.take(NAMED) {
        writeln!(out, "      {line}")?;
    }
    match more {
        0 => Ok(()),
        _ => writeln!(out, "      {DIM}and {more} more (--format json lists all){DIM:#}"),
    }
}

/// Prints a line for each column: its cases, its known deviations and its version.
fn backends(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut backends = table(["backend", "agree", "known", "new", "deviations", "version"], 1);
    if let Some(version) = backends.column_mut(5) {
        version.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    for column in &report.columns {
        let ColumnReport { backend, version, .. } = column;
        let total = column.total();
        let deviations = report.known.iter().filter(|known| known.backend == *backend).count();
        let version = version.as_deref().unwrap_or(match backend.as_str() {
            PYTORCH => "stored answers against exact arithmetic",
            _ => "what the cases expect, against exact arithmetic",
        });
        let numbers = [total.known, total.differ, deviations].map(Cell::new);
        let agree = Cell::new(format!("{}/{}", total.agree, total.provided()));
        backends.add_row([Cell::new(backend), agree].into_iter().chain(numbers).chain([Cell::new(version)]));
    }
    writeln!(out, "\n{}", backends.trim_fmt())
}

fn known(report: &Report, in_full: bool, out: &mut dyn Write) -> io::Result<()> {
    if report.known.is_empty() {
        return Ok(());
    }
    if !in_full {
        writeln!(out, "To list the known deviations: {}", report.known_command)?;
    } else {
        writeln!(out, "\n{HEADING}Known deviations{HEADING:#}")?;
    }
    for deviation in report.known.iter().filter(|_| in_full || report.names_cases) {
        let DeviationReport { backend, known_of, loss, name, gives, reason, upstream, witness, covered, .. } =
            deviation;
        let of = if known_of == backend { String::new() } else { format!(", as {known_of}") };
        if in_full {
            let (gives, covers) = (gives.join("; "), cases(deviation.cases));
            writeln!(out, "  {NOTE}{backend} {loss}, {gives}{of}: {covers}{NOTE:#}")?;
            writeln!(out, "    {reason}")?;
            writeln!(out, "    {DIM}{upstream}; {}{DIM:#}", draws::show_witness(witness))?;
        } else {
            writeln!(out, "  {NOTE}{backend}, known as {known_of}/{loss}/{name}: {}{NOTE:#}", cases(deviation.cases))?;
        }
        if report.names_cases {
            some(covered.iter().cloned(), out)?;
        }
    }
    Ok(())
}

fn tutorial(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let wrong: Vec<_> = report.tutorial.iter().filter(|example| !example.right).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Wrong results in the tutorial{HEADING:#}")?;
    for TutorialReport { case, printed, pytorch, .. } in wrong {
        writeln!(out, "  {case}: the tutorial prints {printed:.4}, PyTorch gives {pytorch:.4}")?;
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

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let sum = |part: fn(&CellReport) -> usize| -> usize {
        report.columns.iter().flat_map(|column| &column.losses).map(part).sum()
    };
    let (known, differ) = (sum(|cell| cell.known), sum(|cell| cell.differ));
    let bad = match report.bad.len() {
        0 => String::new(),
        bad => format!("{BAD}{} of bad data{BAD:#}, ", cases(bad)),
    };
    let by = if report.decides == "plain ulps" { ", judged by plain ULPs" } else { "" };
    let runs = format!("{bad}{} in {}{by}", cases(report.cases), counted(report.columns.len(), "column"));
    match (differ == 0 && report.stale.is_empty(), known) {
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
