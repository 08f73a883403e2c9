//! Measures workloads and hands the samples to criterion, keeping what the report needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Pass};

use crate::alternate::{Sampling, Work, alternate};
use crate::args::{Args, Mode};
use crate::record::{COPY, ELEMENTARY, WorkloadRecord, Workspace};
use crate::statistics::median;
use crate::verify::{Finding, Flaw, Verifier};
use crate::workloads::Workload;
use crate::{copy, elementary, table, workspace};

/// Sampling of [`Mode::Full`]: criterion accepts no fewer samples.
const FULL: Sampling = Sampling { samples: 10, duration: Duration::from_millis(20) };
/// Sampling of [`Mode::Quick`]: enough for a table.
const QUICK: Sampling = Sampling { samples: 1, duration: Duration::from_millis(2) };

/// A workload and pass that was measured: a row of the table.
#[derive(Debug)]
pub struct Measured {
    /// The workload.
    pub workload: Workload,
    /// What is timed.
    pub pass: Pass,
    /// What became of each backend.
    pub timings: Vec<Timing>,
    /// What a call of the reference holds in memory beside its inputs and results.
    pub workspace: Option<Workspace>,
    /// Why the times are noisy, if they are.
    pub noisy: Option<String>,
}

/// What was measured and its samples, which criterion has not been handed yet.
#[derive(Debug)]
pub struct Sampled {
    measured: Measured,
    /// The seconds of calls, by the name of what was called.
    samples: Vec<(&'static str, Vec<f64>)>,
}

/// What became of a backend on a workload and pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Timing {
    /// The median of the samples, in seconds for a call.
    Timed(f64),
    /// It ran, but no samples were taken.
    Ran,
    /// The command line does not select it.
    Unselected,
    /// There is nothing to time, and why.
    Absent(String),
}

/// Everything measured so far.
pub struct Measurements<'a> {
    args: &'a Args,
    backends: &'a [&'static dyn Backend],
    /// What was measured, in order.
    pub measured: Vec<Measured>,
    flaws: BTreeSet<(&'static str, Flaw)>,
}

impl<'a> Measurements<'a> {
    /// Returns measurements of these backends, which have not begun.
    pub fn new(args: &'a Args, backends: &'a [&'static dyn Backend]) -> Self {
        Self { args, backends, measured: Vec::new(), flaws: BTreeSet::new() }
    }

    /// Returns which benchmarks of a workload the command line asks for, by pass and backend.
    pub fn selected(&self, workload: Workload) -> Vec<String> {
        let names = self.backends.iter().map(|backend| backend.name());
        let names: Vec<&str> = names.chain(baselines(workload)).collect();
        let of_pass = |pass| names.iter().map(move |name| format!("{}/{name}", id(workload, pass)));
        Pass::ALL.into_iter().flat_map(of_pass).filter(|benchmark| self.args.selects(benchmark)).collect()
    }

    /// Measures the backends on a workload, in those benchmarks that the command line selects.
    pub fn measure(&mut self, workload: Workload) -> Vec<Sampled> {
        let mut sampled = Vec::new();
        let verifier = Verifier::new(workload);
        for pass in Pass::ALL {
            let id = id(workload, pass);
            let selects = |name: &str| self.args.selects(&format!("{id}/{name}"));
            let (mut timings, mut works) = (Vec::new(), Vec::new());
            for (at, backend) in self.backends.iter().enumerate() {
                let prepared =
                    if selects(backend.name()) { prepare(&verifier, *backend, pass) } else { Err(Timing::Unselected) };
                match prepared {
                    Ok(Prepared::Works(work)) => works.push((at, work)),
                    Ok(Prepared::Differs(flaws)) => {
                        timings.push((at, Timing::Absent("differs".to_owned())));
                        self.flaws.extend(flaws.into_iter().map(|flaw| (backend.name(), flaw)));
                    }
                    Err(timing) => timings.push((at, timing)),
                }
            }
            let (places, mut works): (Vec<usize>, Vec<Work<'_>>) = works.into_iter().unzip();
            let mut names: Vec<&'static str> = places.iter().map(|&at| self.backends[at].name()).collect();
            let of_reference = names.iter().position(|&name| name == Reference.name());
            for name in baselines(workload).filter(|name| selects(name)) {
                if let Some(work) = baseline(name, &verifier, pass) {
                    names.push(name);
                    works.push(work);
                }
            }
            if names.is_empty() && timings.iter().all(|(_, timing)| *timing == Timing::Unselected) {
                continue;
            }
            let (mut samples, mut workspace) = (Vec::new(), None);
            let sampling = match self.args.mode() {
                Mode::Test => None,
                Mode::Quick => Some(QUICK),
                Mode::Full => Some(FULL),
            };
            if let Some(sampling) = sampling {
                let taken = alternate(&mut works, sampling);
                workspace =
                    of_reference.map(|at| workspace::measure(workload, pass, self.args.threads.into(), &mut works[at]));
                timings.extend(places.into_iter().zip(&taken).map(|(at, taken)| (at, Timing::Timed(typical(taken)))));
                samples.extend(names.into_iter().zip(taken));
            } else {
                eprintln!("{id}");
                works.iter_mut().for_each(|work| work());
                timings.extend(places.into_iter().map(|at| (at, Timing::Ran)));
            }
            timings.sort_by_key(|(at, _)| *at);
            let timings = timings.into_iter().map(|(_, timing)| timing).collect();
            let measured = Measured { workload, pass, timings, workspace, noisy: None };
            sampled.push(Sampled { measured, samples });
        }
        sampled
    }

    /// Keeps what was measured for the table.
    pub fn keep(&mut self, sampled: Vec<Sampled>) {
        self.measured.extend(sampled.into_iter().map(|sampled| sampled.measured));
    }

    /// Keeps what was measured for the table, with the reason why it is noisy, and hands the samples to criterion.
    pub fn keep_in(&mut self, criterion: &mut Criterion, mut sampled: Vec<Sampled>, noisy: Option<&str>) {
        for Sampled { measured, samples } in &mut sampled {
            if !samples.is_empty() {
                let group = self.group(&id(measured.workload, measured.pass));
                hand_over(criterion, &group, measured.workload.elements(), samples);
            }
            measured.noisy = noisy.map(str::to_owned);
        }
        self.keep(sampled);
    }

    /// Returns criterion's name for the benchmarks of a row.
    fn group(&self, id: &str) -> String {
        match self.args.threads {
            1 => id.to_owned(),
            // In front, for criterion cuts long names off.
            threads => format!("threads-{threads}/{id}"),
        }
    }

    /// Returns what was measured, for the report.
    pub fn workloads(&self) -> Vec<WorkloadRecord> {
        let described = |Measured { workload, pass, timings, workspace, noisy }: &Measured| WorkloadRecord {
            id: id(*workload, *pass),
            loss: workload.loss.name().to_owned(),
            pass: *pass,
            shape: workload.shape_name(),
            dtype: workload.dtype.name().to_owned(),
            size: workload.size(),
            tensors: workload.tensors(),
            elements: workload.elements() as u64,
            bytes: workload.bytes(*pass),
            absent: absent(self.backends, timings),
            workspace: *workspace,
            noisy: noisy.clone(),
        };
        self.measured.iter().map(described).collect()
    }

    /// Prints the table, if anything was timed, and which backends differ. A difference that is not known fails the run.
    pub fn report(&self) -> ExitCode {
        let names: Vec<_> = self.backends.iter().map(|backend| backend.name()).collect();
        let mut text = table::render(&names, &self.measured).unwrap_or_default();
        for (backend, Flaw { message, known, .. }) in &self.flaws {
            let status = known.as_ref().map_or("DIFFERS".to_owned(), |reason| format!("known ({reason})"));
            text += &format!("not timed: {backend}, {status}: {message}\n");
        }
        // A closed pipe is no failure of the run.
        let _ = std::io::stdout().write_all(text.as_bytes());
        let clean = self.flaws.iter().all(|(_, flaw)| flaw.known.is_some());
        if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Returns the name of a row.
pub fn id(workload: Workload, pass: Pass) -> String {
    format!("{}/{pass}/{}/{}", workload.loss.name(), workload.shape_name(), workload.dtype.name())
}

fn absent(backends: &[&dyn Backend], timings: &[Timing]) -> BTreeMap<String, String> {
    let reasons = backends.iter().zip(timings).filter_map(|(backend, timing)| match timing {
        Timing::Absent(reason) => Some((backend.name().to_owned(), reason.clone())),
        Timing::Timed(_) | Timing::Ran | Timing::Unselected => None,
    });
    reasons.collect()
}

enum Prepared<'a> {
    Works(Work<'a>),
    Differs(Vec<Flaw>),
}

/// Verifies a backend, and returns what to time.
fn prepare<'a>(verifier: &'a Verifier, backend: &'a dyn Backend, pass: Pass) -> Result<Prepared<'a>, Timing> {
    let missing = || Timing::Absent("no such loss".to_owned());
    if backend.coverage(verifier.workload().loss) == Coverage::Missing {
        return Err(missing());
    }
    match verifier.verify(backend, pass) {
        Finding::Agrees => backend.workload(verifier.case(), pass).map(Prepared::Works).ok_or_else(missing),
        Finding::Missing => Err(missing()),
        Finding::Differs(flaws) => Ok(Prepared::Differs(flaws)),
    }
}

/// Returns the names of the baselines: what is timed beside the backends.
fn baselines(workload: Workload) -> impl Iterator<Item = &'static str> {
    [COPY].into_iter().chain(elementary::is_for(workload.loss).then_some(ELEMENTARY))
}

/// Returns a baseline to time.
fn baseline<'a>(name: &str, verifier: &Verifier, pass: Pass) -> Option<Work<'a>> {
    match name {
        COPY => Some(copy::workload(verifier.workload().bytes(pass))),
        ELEMENTARY => elementary::workload(verifier.case(), pass),
        _ => None,
    }
}

/// Returns criterion, set to ask for as many samples as have been taken.
pub fn criterion() -> Criterion {
    let instant = Duration::from_nanos(1);
    Criterion::default()
        .sample_size(FULL.samples)
        .warm_up_time(instant)
        .measurement_time(instant)
        .nresamples(1000)
        .without_plots()
}

/// Returns the median of the samples, of which there is at least one.
fn typical(samples: &[f64]) -> f64 {
    median(samples).unwrap_or(f64::NAN)
}

/// Has criterion keep the samples of a row.
fn hand_over(criterion: &mut Criterion, group: &str, elements: usize, samples: &[(&str, Vec<f64>)]) {
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(criterion::SamplingMode::Flat).throughput(Throughput::Elements(elements as u64));
    for (backend, samples) in samples {
        let typical = typical(samples);
        // One call to warm up, then one for each sample.
        let mut taken = std::iter::once(&typical).chain(samples);
        group.bench_function(*backend, |bencher| {
            let seconds = *taken.next().unwrap_or(&typical);
            bencher.iter_custom(|calls| Duration::from_secs_f64(seconds * calls as f64));
        });
    }
    group.finish();
}
