//! Benchmarks of every loss, the backends side by side, and the report of what they measure.
//!
//! `cargo bench` measures the reference, candle-nn and candle, and with `--features tch` libtorch as well: the forward pass, and
//! forward with the gradient of the input, in several sizes (see [`workloads::Shapes`]), in f32 and f64. At the end a [`table`]
//! shows the backends side by side. A benchmark is named `LOSS/PASS/SHAPE/DTYPE/BACKEND`, for example
//! `cross_entropy/forward_gradient/256x1000/f32/tch`. What follows `--` is a regular expression that selects benchmarks by these
//! names, and [options](args::Args).
//!
//! `cargo bench -- --quick` takes a few seconds: it makes the table from one short sample of the small inputs and keeps nothing.
//!
//! A run leaves criterion's data and a [`record`]. The program `bench-report` makes the [`report`] of them.
//!
//! The document `docs/methodology.md` of the repository says how the times are taken. Here is who does it:
//!
//! - [`threads`] gives each library the same number of threads.
//! - [`verify`] compares a backend with the oracle before it is timed.
//! - [`mod@alternate`] takes samples of the backends in turn, and [`machine`] watches how fast the machine is meanwhile.
//! - [`Backend::workload`] is what is timed. [`ReferenceInto`] writes into the same buffers in each call.
//! - [`mod@copy`] and [`elementary`] are timed beside the backends, and [`workspace`] measures what memory the reference holds.

pub mod alternate;
pub mod args;
pub mod copy;
pub mod elementary;
pub mod machine;
pub mod measure;
pub mod memory;
mod numbers;
pub mod record;
pub mod reference_into;
pub mod report;
pub mod size;
mod statistics;
pub mod table;
pub mod threads;
pub mod verify;
pub mod workloads;
pub mod workspace;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use losscheck::backend::Backend;
use losscheck::backend::reference::Reference;
use losscheck::files::write_atomically;
use losscheck_candle::{Candle, CandleNn};
use time::OffsetDateTime;

use crate::args::{Args, Mode};
use crate::machine::Watch;
use crate::measure::Measurements;
use crate::record::{RUN_FORMAT, RunRecord, run_file};
use crate::reference_into::ReferenceInto;
use crate::size::Size;
use crate::workloads::Workload;

/// The backends, in the order of the table; what the others are compared with comes first.
pub const BACKENDS: &[&dyn Backend] = &[
    &Reference,
    &ReferenceInto,
    &CandleNn,
    &Candle,
    #[cfg(feature = "tch")]
    &losscheck_tch::Tch,
];

/// How often a workload is measured at most, until its times are not noisy.
const ATTEMPTS: usize = 3;

/// Runs the program `cargo bench`: measures, prints the table, and fails if a backend differs in a way that is not known.
pub fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(done) = threads::restart_with(args.threads) {
        return done;
    }
    #[cfg(feature = "tch")]
    losscheck_tch::use_threads(args.threads);
    let mut measurements = Measurements::new(&args, BACKENDS);
    let mode = args.mode();
    let is_wanted = |workload: &Workload| mode == Mode::Full || matches!(workload.size(), Size::Small | Size::L2);
    let workloads = workloads::all().filter(is_wanted);
    let workloads: Vec<_> = workloads.filter(|&workload| !measurements.selected(workload).is_empty()).collect();
    if args.list {
        let names = workloads.iter().flat_map(|&workload| measurements.selected(workload));
        let text: String = names.map(|name| format!("{name}: benchmark\n")).collect();
        // A closed pipe is no failure.
        let _ = std::io::stdout().write_all(text.as_bytes());
        return ExitCode::SUCCESS;
    }
    let versions = machine::versions(BACKENDS);
    eprintln!("{}; {}", versions.values().cloned().collect::<Vec<_>>().join(", "), threads::statement(args.threads));
    if mode != Mode::Full {
        for &workload in &workloads {
            let timed = measurements.measure(workload);
            measurements.keep(timed);
        }
        return measurements.report();
    }
    let watch = run(&mut measurements, &workloads);
    let run = RunRecord {
        format: RUN_FORMAT.to_owned(),
        date: OffsetDateTime::now_utc().date().to_string(),
        processor: machine::processor(),
        threads: args.threads.into(),
        versions,
        calibrations: watch.calibrations,
        workloads: measurements.workloads(),
    };
    match save(&run) {
        Ok(()) => measurements.report(),
        Err(error) => {
            eprintln!("{error}");
            measurements.report();
            ExitCode::FAILURE
        }
    }
}

/// Measures everything, with a look at the machine after each workload.
fn run(measurements: &mut Measurements<'_>, workloads: &[Workload]) -> Watch {
    let mut criterion = measure::criterion();
    let mut watch = Watch::new();
    watch.calibrate(None);
    for (done, &workload) in workloads.iter().enumerate() {
        eprintln!("workload {} of {}: {workload}", done + 1, workloads.len());
        for attempt in 1..=ATTEMPTS {
            let timed = measurements.measure(workload);
            watch.calibrate(Some(workload.to_string()));
            let noise = watch.noise(workload.size());
            match &noise {
                Some(noise) if attempt < ATTEMPTS => eprintln!("again, for {noise}"),
                _ => {
                    measurements.keep_in(&mut criterion, timed, noise.as_deref());
                    break;
                }
            }
        }
    }
    criterion.final_summary();
    watch
}

/// Writes the record of a run beside criterion's own data.
fn save(run: &RunRecord) -> Result<(), String> {
    let folder = std::env::var_os("CRITERION_HOME").map_or_else(criterion_folder, PathBuf::from);
    let file = folder.join(run_file(run.threads));
    let text = serde_json::to_string_pretty(run).map_err(|error| format!("{}: {error}", file.display()))?;
    write_atomically(&file, text.as_bytes()).map_err(|error| error.to_string())
}

/// Returns the folder `criterion` in the one where cargo built this program.
fn criterion_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.or_else(|| program.ancestors().find(|folder| folder.ends_with("target")).map(PathBuf::from));
    target.unwrap_or_else(|| PathBuf::from("target")).join("criterion")
}
