//! Runs workloads under criterion, keeping what the table needs.

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use losscheck::backend::{Backend, Coverage, Pass};

use crate::table;
use crate::verify::{Finding, Flaw, Verifier};
use crate::workloads::Workload;

/// The passes, with the names that identify benchmarks.
pub const PASSES: [(Pass, &str); 2] = [(Pass::Forward, "forward"), (Pass::ForwardAndGradient, "forward_gradient")];

/// How many samples criterion takes of each benchmark, unless the command line says otherwise.
const SAMPLES: usize = 10;

/// Criterion, set to be done with everything in minutes; the command line has the last word.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .nresamples(1000)
        .without_plots()
        .configure_from_args()
}

/// Whether criterion will run each benchmark once and measure nothing: with `--test`, and under `cargo test`.
pub fn is_test() -> bool {
    let given = |name: &str| std::env::args().any(|argument| argument == name);
    !given("--list") && (given("--test") || !given("--bench"))
}

/// A row of the table: a workload and pass, with a cell for each backend.
#[derive(Debug)]
pub struct Row {
    /// The workload.
    pub workload: Workload,
    /// The name of the pass.
    pub pass: &'static str,
    /// What became of each backend.
    pub cells: Vec<Cell>,
}

/// What became of a backend on a workload and pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// The median of the samples, in seconds for a call.
    Timed(f64),
    /// It ran, but no samples were taken: criterion's test mode.
    Ran,
    /// The command line does not select it.
    Unselected,
    /// The backend has nothing for the case.
    Missing,
    /// The backend differs.
    Differs,
}

/// Everything measured so far.
#[derive(Debug, Default)]
pub struct Measurements {
    rows: Vec<Row>,
    flaws: BTreeSet<(&'static str, Flaw)>,
}

impl Measurements {
    /// Measures the backends on a workload, in those benchmarks that the command line selects.
    pub fn measure(&mut self, criterion: &mut Criterion, workload: Workload, backends: &[&dyn Backend]) {
        let verifier = Verifier::new(workload);
        for (pass, name) in PASSES {
            let (loss, dtype) = (workload.loss.name(), workload.dtype.name());
            let mut group = criterion.benchmark_group(format!("{loss}/{name}/{}/{dtype}", workload.shape_name()));
            group.throughput(Throughput::Elements(workload.elements() as u64));
            let cells = backends.iter().map(|backend| self.time(&mut group, &verifier, *backend, pass)).collect();
            group.finish();
            self.rows.push(Row { workload, pass: name, cells });
        }
    }

    /// Verifies and times one benchmark. Which ones are selected is for criterion to say, by calling the closure; one
    /// that cannot be timed leaves criterion by unwinding.
    fn time(
        &mut self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        verifier: &Verifier,
        backend: &dyn Backend,
        pass: Pass,
    ) -> Cell {
        if backend.coverage(verifier.workload().loss) == Coverage::Missing {
            return Cell::Missing;
        }
        let (mut work, mut samples) = (None, Vec::new());
        let bench = || {
            group.bench_function(backend.name(), |bencher| {
                let work = work.get_or_insert_with(|| self.prepare(verifier, backend, pass).unwrap_or_else(leave));
                bencher.iter_custom(|iterations| {
                    let start = Instant::now();
                    (0..iterations).for_each(|_| work());
                    let elapsed = start.elapsed();
                    samples.push(elapsed.as_secs_f64() / iterations as f64);
                    elapsed
                });
            });
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(bench)) {
            return *payload.downcast::<Cell>().unwrap_or_else(|payload| resume_unwind(payload));
        }
        match samples.len() {
            0 => Cell::Unselected,
            1 => Cell::Ran,
            // The samples come after the warm-up.
            all => Cell::Timed(median(&mut samples[all.saturating_sub(SAMPLES)..])),
        }
    }

    /// What to time, once it is verified.
    fn prepare<'a>(
        &mut self,
        verifier: &'a Verifier,
        backend: &'a dyn Backend,
        pass: Pass,
    ) -> Result<Box<dyn FnMut() + 'a>, Cell> {
        match verifier.verify(backend, pass) {
            Finding::Agrees => backend.workload(verifier.case(), pass).ok_or(Cell::Missing),
            Finding::Missing => Err(Cell::Missing),
            Finding::Differs(flaws) => {
                eprintln!("\n{} differs and is not timed", backend.name());
                self.flaws.extend(flaws.into_iter().map(|flaw| (backend.name(), flaw)));
                Err(Cell::Differs)
            }
        }
    }

    /// Prints the table, if anything was timed, and who differs; that fails the run unless it is on record.
    pub fn report(&self, backends: &[&dyn Backend]) -> ExitCode {
        let names: Vec<_> = backends.iter().map(|backend| backend.name()).collect();
        let mut text = table::render(&names, &self.rows).unwrap_or_default();
        for (backend, Flaw { message, on_record, .. }) in &self.flaws {
            let status = on_record.as_ref().map_or("DIFFERS".to_owned(), |reason| format!("on record ({reason})"));
            text += &format!("not timed: {backend}, {status}: {message}\n");
        }
        // A closed pipe is no failure of the run.
        let _ = std::io::stdout().write_all(text.as_bytes());
        let clean = self.flaws.iter().all(|(_, flaw)| flaw.on_record.is_some());
        if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn leave<T>(cell: Cell) -> T {
    resume_unwind(Box::new(cell))
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len() % 2 == 1 { samples[middle] } else { (samples[middle - 1] + samples[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
