//! The program `losscheck`.

use std::process::ExitCode;

fn main() -> ExitCode {
    losscheck_cli::run()
}
