//! The program `losscheck`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Small cases allocate more than they compute, and large ones would give their memory back to the system each time: with this
/// allocator `check` takes a tenth less time than with glibc's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The processors that candle has threads for.
const CANDLE_PROCESSORS: &str = "CANDLE_CPU_MASK";
/// What else says how many threads it has.
const CANDLE_THREADS: [&str; 2] = ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"];

fn main() -> ExitCode {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    // The cases are shared among threads already. Candle's own would take the processors from them, also while they wait for
    // work, which they do in a loop. With one processor it has none, and does not ask the system for the number of cores for
    // each product of matrices.
    if !is_set(CANDLE_PROCESSORS) && !CANDLE_THREADS.into_iter().any(is_set) {
        // SAFETY: no other thread runs yet that could read the environment.
        #[expect(unsafe_code)]
        unsafe {
            std::env::set_var(CANDLE_PROCESSORS, "0");
        }
    }
    losscheck_cli::run()
}
