//! The same number of threads for every library.

use std::process::{Command, ExitCode};

/// What rayon, candle, OpenMP and MKL take their number of threads from. OpenMP reads it when it is loaded: before
/// `main`.
const VARIABLES: [&str; 4] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"];

/// Returns how the threads are limited, for people.
pub fn statement(threads: u16) -> String {
    let count = if threads == 1 { "one thread".to_owned() } else { format!("{threads} threads") };
    format!(
        "{count} each (RAYON_NUM_THREADS, CANDLE_NUM_THREADS, OMP_NUM_THREADS, MKL_NUM_THREADS and libtorch's own \
         setting are {threads})"
    )
}

/// Runs this program again with the variables set and returns its exit code, or `None` if they are set already.
pub fn restart_with(threads: u16) -> Option<ExitCode> {
    let threads = threads.to_string();
    if VARIABLES.iter().all(|name| std::env::var_os(name).is_some_and(|value| value == *threads)) {
        return None;
    }
    let program = std::env::current_exe().and_then(|program| {
        let variables = VARIABLES.map(|name| (name, &threads));
        Command::new(program).args(std::env::args_os().skip(1)).envs(variables).status()
    });
    Some(match program {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run this program again with {threads} threads: {error}");
            ExitCode::FAILURE
        }
    })
}
