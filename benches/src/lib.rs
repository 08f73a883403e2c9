//! Benchmarks of every loss, the backends side by side.
//!
//! `cargo bench` measures the reference, candle-nn and candle, `--features tch` libtorch as well: the forward pass, and
//! forward with the gradient of the input, in three sizes (see [`workloads::Size`]). A benchmark is named
//! `LOSS/PASS/SHAPE/DTYPE/BACKEND`, `cross_entropy/forward_gradient/32x1000/f32/tch` for example; what follows `--` is a
//! regular expression over these names. At the end a [`table`] shows the backends side by side. With `-- --test`, as under
//! `cargo test --benches`, all but the large size are verified and run once.
//!
//! - **One thread** for each library; see [`threads`].
//! - **Verified, then timed**: see [`verify`]. A backend that differs is not timed, and unless the difference is on
//!   record the run fails.
//! - **What is timed** is [`Backend::workload`]: the inputs are converted beforehand, the outputs are allocated and freed
//!   each time, and with the gradient the graph is recorded anew each time.

pub mod measure;
pub mod table;
pub mod threads;
pub mod verify;
pub mod workloads;

use std::process::ExitCode;

use losscheck::backend::Backend;
use losscheck::backends::Reference;
use losscheck_candle::{Candle, CandleNn};

use crate::measure::Measurements;
use crate::workloads::Size;

/// The backends, in the order of the table; what the others are compared with comes first.
pub const BACKENDS: &[&dyn Backend] = &[
    &Reference,
    &CandleNn,
    &Candle,
    #[cfg(feature = "tch")]
    &losscheck_tch::Tch,
];

/// The program: measures, prints the table, and fails where a backend differs and that is not on record.
pub fn main() -> ExitCode {
    if let Some(done) = threads::restart_on_one() {
        return done;
    }
    let versions: Vec<_> = BACKENDS.iter().map(|backend| backend.version()).collect();
    eprintln!("{}; {}", versions.join(", "), threads::STATEMENT);
    let mut criterion = measure::criterion();
    let mut measurements = Measurements::default();
    // Tests are to be quick.
    let skip_large = measure::is_test();
    for workload in workloads::all().filter(|workload| !(skip_large && workload.size == Size::Large)) {
        measurements.measure(&mut criterion, workload, BACKENDS);
    }
    criterion.final_summary();
    measurements.report(BACKENDS)
}
