//! The command line of `bench-report`.

use std::path::PathBuf;

use clap::Parser;

/// Writes the page of performance, its document and its plots from what `cargo bench` left.
#[derive(Debug, Parser)]
#[command(name = "bench-report", version, after_help = AFTER)]
pub(crate) struct Args {
    /// Criterion's folder
    #[arg(value_name = "FOLDER", default_value = "target/criterion")]
    pub(crate) criterion: PathBuf,

    /// Write the page and the plots of this `performance.json` again instead of reading criterion's folder
    #[arg(long, value_name = "FILE", conflicts_with = "criterion")]
    pub(crate) from: Option<PathBuf>,

    /// Where to write, instead of the repository's `reports`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,

    /// An older `performance.json`: fail if the reference has become slower since
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
}

const AFTER: &str = "\
Exit code: 0, the report is written; 1, the reference has become slower than in the baseline; 2, bad usage or bad data.

Example: cargo run --release --bin bench-report -- --baseline reports/performance.json";
