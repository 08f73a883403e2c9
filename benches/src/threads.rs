//! One thread for every library.

use std::process::{Command, ExitCode};

/// What rayon, candle, OpenMP and MKL take their number of threads from. OpenMP reads it when it is loaded: before
/// `main`.
const VARIABLES: [&str; 4] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"];

/// How the threads were limited, for people.
pub const STATEMENT: &str = "one thread each (RAYON_NUM_THREADS, CANDLE_NUM_THREADS, OMP_NUM_THREADS and \
    MKL_NUM_THREADS are 1; libtorch is set to 1; the reference has no threads)";

/// Runs this program anew with the variables set to 1, and gives how that ended; `None` where they are.
pub fn restart_on_one() -> Option<ExitCode> {
    if VARIABLES.iter().all(|name| std::env::var_os(name).is_some_and(|value| value == "1")) {
        return None;
    }
    let program = std::env::current_exe().and_then(|program| {
        Command::new(program).args(std::env::args_os().skip(1)).envs(VARIABLES.map(|name| (name, "1"))).status()
    });
    Some(match program {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run this program anew on one thread: {error}");
            ExitCode::FAILURE
        }
    })
}
