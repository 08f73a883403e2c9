//! The program `losscheck`.

use std::process::ExitCode;

/// How many threads candle works on each case with.
const CANDLE_THREADS: &str = "CANDLE_NUM_THREADS";

fn main() -> ExitCode {
    // The cases are shared among threads already. Candle's own would take the processors from them, also while they wait for
    // work, which they do in a loop.
    if std::env::var_os(CANDLE_THREADS).is_none() {
        // SAFETY: no other thread runs yet that could read the environment.
        #[expect(unsafe_code)]
        unsafe {
            std::env::set_var(CANDLE_THREADS, "1");
        }
    }
    losscheck_cli::run()
}
