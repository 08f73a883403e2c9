//! `losscheck bench-report`: what criterion measured, as a page for people, a document for programs, and plots.

mod baseline;
mod data;
mod loss_table;
mod numbers;
mod page;
mod performance;
mod plots;
mod statistics;
mod summary;
mod targets;

use std::io::Write;

use losscheck::files::write_atomically;

use crate::failure::Failure;
use crate::report::reports;
use crate::{Passed, args};

pub use baseline::{Comparison, compare};
pub use data::read;
pub use page::page;
pub use performance::{Calibrations, Cell, FORMAT, Figure, Pass, PeerRun, Performance, Range, Row, Run, Size};
pub use plots::{FOLDER as PLOTS, plots};

/// The document that the page is written from.
pub const PERFORMANCE: &str = "performance.json";
/// The page.
pub const PAGE: &str = "performance.md";

/// Writes the document, its page and its plots; with a baseline, fails where the reference has become slower.
pub(crate) fn run(options: &args::BenchReport, out: &mut dyn Write) -> Result<Passed, Failure> {
    // The baseline may be the very file that is written below.
    let baseline = options.baseline.as_deref().map(Performance::read).transpose()?;
    let performance = read(&options.criterion)?;

    let folder = options.out.clone().unwrap_or_else(reports);
    std::fs::create_dir_all(folder.join(PLOTS))?;
    let mut write = |name: &str, text: &str| -> Result<(), Failure> {
        let file = folder.join(name);
        write_atomically(&file, text.as_bytes())?;
        Ok(writeln!(out, "{}", file.display())?)
    };
    write(PERFORMANCE, &performance.to_text())?;
    write(PAGE, &page(&performance))?;
    for (name, svg) in plots(&performance)? {
        write(&format!("{PLOTS}/{name}"), &svg)?;
    }

    let Some(baseline) = baseline else { return Ok(Passed(true)) };
    let comparison = compare(&baseline, &performance);
    write!(out, "\n{comparison}")?;
    Ok(Passed(comparison.passed()))
}
