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

    /// Take one short sample of small inputs only, for rough times within seconds; `bench-report` does not see them
    #[arg(long, conflicts_with = "test")]
    quick: bool,

    /// Verify and run small inputs once, and measure nothing
    #[arg(long)]
    test: bool,

    /// What `cargo bench` passes on; without it this is a test
    #[arg(long, hide = true)]
    bench: bool,

    // What `cargo test --benches` may pass on.
    #[arg(long, hide = true)]
    nocapture: bool,
}

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything runs once and nothing is timed.
    Test,
    /// A single short sample of each benchmark.
    Quick,
    /// As many samples as criterion asks for, repeated if they are noisy.
    Full,
}

impl Args {
    /// Returns how much the command line asks to measure.
    pub fn mode(&self) -> Mode {
        match (self.test || !self.bench, self.quick) {
            (true, _) => Mode::Test,
            (false, true) => Mode::Quick,
            (false, false) => Mode::Full,
        }
    }

    /// Returns true if a benchmark is asked for.
    pub fn selects(&self, benchmark: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_match(benchmark))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, Mode};

    #[test]
    fn nothing_is_measured_unless_cargo_bench_asks_for_it() {
        let mode = |arguments: &[&str]| {
            let command_line = ["losses"].iter().chain(arguments);
            Args::try_parse_from(command_line).map(|args| args.mode()).map_err(|error| error.kind())
        };
        assert_eq!(mode(&["--bench"]), Ok(Mode::Full));
        assert_eq!(mode(&["--bench", "--quick", "mse_loss"]), Ok(Mode::Quick));
        assert_eq!(mode(&["--bench", "--test"]), Ok(Mode::Test));
        assert_eq!([mode(&[]), mode(&["--quick"])], [Ok(Mode::Test); 2]);
        assert_eq!(mode(&["--test", "--quick"]), Err(clap::error::ErrorKind::ArgumentConflict));
    }
}
