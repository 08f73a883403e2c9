//! The command line.

use clap::Parser;
use regex::Regex;

/// Measures PyTorch's losses, the backends side by side.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --")]
pub struct Args {
    /// Only benchmarks `LOSS/PASS/SHAPE/DTYPE/BACKEND` that this regular expression is found in
    #[arg(value_name = "REGEX")]
    pub filter: Option<Regex>,

    /// The threads that each library has
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,

    /// Only name the benchmarks
    #[arg(long)]
    pub list: bool,

    /// Verify and run everything that is quick once, and measure nothing
    #[arg(long)]
    pub test: bool,

    /// What `cargo bench` passes on; without it this is a test
    #[arg(long, hide = true)]
    pub bench: bool,

    // What `cargo test --benches` may pass on.
    #[arg(long, hide = true)]
    nocapture: bool,
}

impl Args {
    /// Whether to measure nothing.
    pub fn is_test(&self) -> bool {
        self.test || !self.bench
    }

    /// Whether a benchmark is asked for.
    pub fn selects(&self, benchmark: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_match(benchmark))
    }
}
