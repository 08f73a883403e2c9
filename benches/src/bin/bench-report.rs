//! `cargo run --release --bin bench-report`: see [`losscheck_benches::report`].

use std::process::ExitCode;

fn main() -> ExitCode {
    losscheck_benches::report::main()
}
