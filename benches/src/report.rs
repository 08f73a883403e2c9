//! The report of a run of the benchmarks: a page for people, a document for programs, and plots.
//!
//! The program `bench-report` reads what `cargo bench` left in criterion's folder, and writes the [`Performance`] document, its
//! [`page`] and its [`plots`]. The page shows how the [`Goals`] stand. With `--from` it writes page and plots of a stored document again, and with `--baseline` it also
//! [`compare`]s the document with an older one.

mod args;
mod comparison;
mod data;
mod document;
mod goal_table;
mod goals;
mod json;
mod loss_table;
mod page;
mod plots;
mod summary;

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;
use losscheck::error::DataError;
use losscheck::files::write_atomically;

use crate::report::args::Args;

pub use comparison::{Comparison, compare};
pub use data::read;
pub use document::{Calibrations, Cell, FORMAT, Figure, FrameworksRun, Performance, Range, Row, RunSummary};
pub use goals::{Elements, Goal, Goals, Measure, Wanted};
pub use page::page;
pub use plots::{FOLDER as PLOTS, plots};

/// The name of the document's file.
pub const DOCUMENT: &str = "performance.json";
/// The name of the page's file.
pub const PAGE: &str = "performance.md";

/// How an error begins.
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Returns the folder of the repository that holds the reports.
pub fn reports() -> PathBuf {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    benches.parent().unwrap_or(benches).join("reports")
}

/// Runs the program `bench-report` on its command line.
pub fn main() -> ExitCode {
    let (passed, text) = match run(&Args::parse()) {
        Ok(result) => result,
        Err(error) => return fail(&error.to_string()),
    };
    match anstream::stdout().write_all(text.as_bytes()) {
        // The reader of a closed pipe has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => fail(&format!("the output cannot be written: {error}")),
        _ if passed => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

fn fail(message: &str) -> ExitCode {
    anstream::eprintln!("{ERROR}error:{ERROR:#} {message}");
    ExitCode::from(2)
}

/// Writes the report. Returns false if the reference has become slower than in the baseline, and what to print.
fn run(args: &Args) -> Result<(bool, String), DataError> {
    // Either document may be the very file that is written below.
    let baseline = args.baseline.as_deref().map(Performance::read).transpose()?;
    let performance = match &args.from {
        Some(document) => Performance::read(document)?,
        None => read(&args.criterion)?,
    };
    let goals = Goals::read(&Goals::shipped())?;

    let folder = args.out.clone().unwrap_or_else(reports);
    let plots_folder = folder.join(PLOTS);
    let unwritable = |error: std::io::Error| DataError::new(&plots_folder, format!("cannot be written: {error}"));
    fs::create_dir_all(&plots_folder).map_err(unwritable)?;
    let mut files =
        vec![(folder.join(DOCUMENT), performance.to_text()), (folder.join(PAGE), page(&performance, &goals))];
    let plots = plots(&performance).map_err(unwritable)?;
    files.extend(plots.into_iter().map(|(name, svg)| (plots_folder.join(name), svg)));
    let mut out = String::new();
    for (file, text) in &files {
        write_atomically(file, text.as_bytes())?;
        let _ = writeln!(out, "{}", file.display());
    }

    let Some(baseline) = baseline else { return Ok((true, out)) };
    let comparison = compare(&baseline, &performance);
    let _ = write!(out, "\n{comparison}");
    Ok((comparison.passed(), out))
}
