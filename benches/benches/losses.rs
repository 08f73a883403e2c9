//! `cargo bench [--features tch] [-- FILTER]`: see the crate's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    losscheck_benches::main()
}
