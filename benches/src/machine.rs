//! The machine: what it is, and how fast at the moment.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::copy;
use crate::record::Calibration;
use crate::size::Size;

/// The elements of the copies, with their targets as much data as value and gradient of a loss of two tensors.
const COPIES: [(Size, usize); 3] = [(Size::L2, 1 << 14), (Size::L3, 1 << 18), (Size::Memory, 1 << 23)];
/// How often the shortest copy is repeated, and the longer ones for as many elements.
const REPETITIONS: usize = 400;
/// For how long to try; the best is what the machine can do. The first dozen copies of memory are up to ten times as slow as
/// the best, for the pages are new and a large cache keeps only what comes again.
const TRY_FOR: Duration = Duration::from_millis(120);
/// By how much a calibration may differ from the others.
const DRIFT: f64 = 0.1;
/// The share of the processors' time that is too much for others to take.
const BUSY: f64 = 0.05;

/// Returns the processor and its caches, for people.
pub fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let name = field("model name").unwrap_or_else(|| format!("unknown {} processor", std::env::consts::ARCH));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let caches: Vec<String> = (0..8).filter_map(cache).collect();
    format!(
        "{name}, {cores} cores; caches {}",
        if caches.is_empty() { "unknown".to_owned() } else { caches.join(", ") }
    )
}

fn cache(index: usize) -> Option<String> {
    let read = |field: &str| {
        let file = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{field}");
        Some(fs::read_to_string(file).ok()?.trim().to_owned())
    };
    let (level, kind, size) = (read("level")?, read("type")?, read("size")?);
    (kind != "Instruction").then(|| format!("L{level} {size}"))
}

/// Watches how fast the machine is.
#[derive(Debug)]
pub struct Watch {
    ticks: Option<Ticks>,
    /// From the first on.
    pub calibrations: Vec<Calibration>,
}

/// The time that the processors have worked, and what this process had of it.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    all: u64,
    busy: u64,
    own: u64,
}

impl Ticks {
    fn now() -> Option<Self> {
        let numbers = |text: &str| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u64>>();
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let times = numbers(stat.lines().next()?);
        // user nice system idle iowait irq softirq steal; what follows is counted in user and nice already.
        let all = times.iter().take(8).sum();
        let idle: u64 = times.iter().skip(3).take(2).sum();
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // The name may hold spaces; utime and stime are the 12th and 13th after it.
        let own: u64 = numbers_after_name(&own)?.iter().skip(11).take(2).sum();
        Some(Self { all, busy: all - idle, own })
    }
}

fn numbers_after_name(stat: &str) -> Option<Vec<u64>> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(|word| word.parse().unwrap_or_default()).collect())
}

impl Watch {
    /// Begins to watch.
    pub fn new() -> Self {
        Self { ticks: Ticks::now(), calibrations: Vec::new() }
    }

    /// Measures how fast the machine is, after that workload or at the start.
    pub fn calibrate(&mut self, after: Option<String>) {
        let now = Ticks::now();
        let busy = match (self.ticks, now) {
            (Some(then), Some(now)) if now.all > then.all => {
                // Saturating, because the kernel does not promise that its counters never decrease.
                let own = now.own.saturating_sub(then.own);
                let others = now.busy.saturating_sub(then.busy).saturating_sub(own);
                others as f64 / (now.all - then.all) as f64
            }
            _ => 0.0,
        };
        let copy = COPIES.map(|(size, elements)| (size, bandwidth(elements)));
        self.calibrations.push(Calibration { after, copy: copy.into(), arithmetic: arithmetic(), busy });
        self.ticks = Ticks::now();
    }

    /// Returns why the times of a workload of that size, measured between the last two calibrations, are noisy; `None` if they are
    /// not.
    pub fn noise(&self, size: Size) -> Option<String> {
        let [.., before, after] = self.calibrations.as_slice() else { return None };
        if after.busy > BUSY {
            return Some(format!("other processes took {:.0} % of the processors' time", 100.0 * after.busy));
        }
        let drift = |name: &str, before: f64, after: f64| {
            let change = after / before - 1.0;
            (change.abs() > DRIFT).then(|| format!("{name} changed by {:+.0} % meanwhile", 100.0 * change))
        };
        // How fast memory is says nothing of what stays in a cache.
        let copy = || drift(&format!("the {size} copy's speed"), *before.copy.get(&size)?, *after.copy.get(&size)?);
        drift("the time of fixed arithmetic", before.arithmetic, after.arithmetic).or_else(copy)
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

fn best(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let start = Instant::now();
    (0..).take_while(|&tries| tries == 0 || start.elapsed() < TRY_FOR).map(time).fold(f64::INFINITY, f64::min)
}

/// Returns the gigabytes a second that a copy reads and writes, in buffers of 3/2 as many elements as this.
fn bandwidth(elements: usize) -> f64 {
    let elements = elements * 3 / 2;
    let bytes = 2 * size_of::<f32>() * elements;
    let repetitions = (REPETITIONS * COPIES[0].1 / elements).max(1);
    let mut copy = copy::workload(bytes as u64);
    let seconds = best(|| (0..repetitions).for_each(|_| copy()));
    (bytes * repetitions) as f64 / seconds / 1e9
}

/// Returns the nanoseconds of a million multiplications and additions, each of which waits for the one before.
fn arithmetic() -> f64 {
    let seconds = best(|| {
        let x = (0..1_000_000).fold(black_box(1.0_f64), |x, _| x * 0.999_999 + 1e-6);
        black_box(x);
    });
    seconds * 1e9
}

/// Returns the versions of what is measured, by name.
pub fn versions(backends: &[&dyn losscheck::backend::Backend]) -> BTreeMap<String, String> {
    backends.iter().map(|backend| (backend.name().to_owned(), backend.version())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(arithmetic: f64, busy: f64) -> Calibration {
        Calibration { after: None, copy: BTreeMap::from([(Size::L2, 50.0)]), arithmetic, busy }
    }

    #[test]
    fn noise_is_noticed() {
        let is_noisy = |after: Calibration, size| {
            let calibrations = vec![calibration(1.0, 0.0), after];
            Watch { ticks: None, calibrations }.noise(size).is_some()
        };
        assert!(!is_noisy(calibration(1.05, 0.01), Size::L2));
        assert!(is_noisy(calibration(1.2, 0.0), Size::L2) && is_noisy(calibration(1.2, 0.0), Size::Small));
        assert!(is_noisy(calibration(1.0, 0.5), Size::L2));
        let slower = Calibration { copy: BTreeMap::from([(Size::L2, 40.0)]), ..calibration(1.0, 0.0) };
        assert!(is_noisy(slower.clone(), Size::L2) && !is_noisy(slower, Size::L3));
    }

    #[test]
    fn a_name_with_spaces_is_skipped() {
        assert_eq!(numbers_after_name("7 (a (b) c) S 1 2"), Some(vec![0, 1, 2]));
    }
}
