//! The page of conformance: the matrix, then what differs of each library.

use std::cmp::Ordering;
use std::fmt::Write;

use losscheck::judge::verdict::count;
use losscheck::markdown::table;
use losscheck::run::table::Tally;

use crate::check::report::{ColumnReport, DeviationReport, Report};

/// The page in parts, for not all of them are the same on every machine.
#[derive(Debug)]
pub struct Page {
    head: String,
    /// Whether every difference is known, and the deviations are true.
    pub passed: bool,
    /// The matrix, in Markdown.
    pub matrix: String,
    /// For each column of the matrix its name and what differs.
    pub sections: Vec<(String, String)>,
}

const HEAD: &str = "\
# Conformance

What each library answers to the goldens: the value and every gradient, compared with exact arithmetic and with PyTorch's
stored answer. A case agrees if each number is within the tolerance of one of the two: 4 or 8 ULPs, at the scale of the terms
that the documented formula adds up, as `losscheck list LOSS` shows. `pytorch` holds PyTorch's own answers against exact
arithmetic. Written by `losscheck report`; nobody edits it. To see one case number by number: `losscheck show CASE`.

A cell is the number of cases that agree of those that the library provides, then of those that differ. Every difference is
listed below.
";

impl Page {
    pub(crate) fn new(report: &Report) -> Self {
        let names = report.columns.iter().map(|column| column.backend.as_str());
        let header: Vec<&str> = ["loss", "cases"].into_iter().chain(names).collect();
        let losses = report.columns.first().map_or(&[][..], |column| &column.losses);
        let rows = losses.iter().enumerate().map(|(row, of_loss)| {
            let (loss, cases) = (of_loss.loss, of_loss.tally().total());
            let cells = report.columns.iter().map(|column| cell(column.losses[row].tally()));
            [format!("`{loss}`"), cases.to_string()].into_iter().chain(cells).collect()
        });
        let all = [String::from("all"), report.cases.to_string()].into_iter();
        let all = all.chain(report.columns.iter().map(|column| cell(column.total()))).collect();
        let mut matrix = table(&header, 1, rows.chain([all]));
        for ColumnReport { backend, version, .. } in &report.columns {
            let version = version.as_deref().unwrap_or("stored answers");
            write!(matrix, "\n`{backend}`: {version}.").expect("a string takes all");
        }
        matrix.push('\n');
        let sections = report.columns.iter().map(|column| (column.backend.clone(), section(report, &column.backend)));
        Self { head: HEAD.to_owned(), passed: report.passed, matrix, sections: sections.collect() }
    }

    /// The page.
    pub fn text(&self) -> String {
        let Self { head, matrix, sections, .. } = self;
        let sections: Vec<&str> = sections.iter().map(|(_, section)| section.as_str()).collect();
        format!("{head}\n{matrix}\n{}", sections.join("\n"))
    }
}

fn cell(tally: Tally) -> String {
    let (agree, provided) = (tally.agree, tally.provided());
    match (provided, provided - agree) {
        (0, _) => "–".to_owned(),
        (_, 0) => format!("{agree}/{provided}"),
        (_, others) => format!("{agree}/{provided}, {others}"),
    }
}

/// The gravest first: those without a number, then by the size of the error.
fn by_gravity(a: &DeviationReport, b: &DeviationReport) -> Ordering {
    let error = |report: &DeviationReport| report.worst_ulps.unwrap_or(f64::INFINITY);
    error(b).total_cmp(&error(a)).then_with(|| a.witness.cmp(&b.witness))
}

fn section(report: &Report, backend: &str) -> String {
    let mut text = match backend {
        "pytorch" => "## Where PyTorch differs from exact arithmetic\n\n".to_owned(),
        _ => format!("## Where {backend} differs from both\n\n"),
    };
    let mut deviations: Vec<_> = report.known.iter().filter(|report| report.backend == backend).collect();
    deviations.sort_by(|a, b| by_gravity(a, b));
    for DeviationReport { known_of, loss, gives, cases, reason, upstream, worst_ulps, witness, .. } in deviations {
        let of = if known_of == backend { String::new() } else { format!(", as {known_of}") };
        let error = worst_ulps.map_or_else(String::new, |ulps| format!(", up to {} ULPs", count(ulps)));
        let cases = crate::table::cases(*cases);
        writeln!(text, "- **`{loss}`, {}{of}**, {cases}{error}. {reason}", gives.join("; "))
            .expect("a string takes all");
        writeln!(text, "  Upstream: {upstream}. `losscheck show {witness}`").expect("a string takes all");
    }
    let differences: Vec<_> = report.differences.iter().filter(|report| report.backend == backend).collect();
    for difference in &differences {
        let (loss, message, command) = (difference.loss, &difference.message, &difference.command);
        writeln!(text, "- **`{loss}`, not explained**: {message}. `{command}`").expect("a string takes all");
    }
    if text.ends_with("\n\n") {
        text.push_str("Nowhere.\n");
    }
    text
}
