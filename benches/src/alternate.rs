//! Samples of several pieces of work, taken in turn, so that whatever slows the machine down slows all of them.

use std::time::{Duration, Instant};

/// Something to time.
pub type Work<'a> = Box<dyn FnMut() + 'a>;

/// How many samples to take, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// How many samples to take of each piece of work.
    pub samples: usize,
    /// How long a sample takes at least.
    pub duration: Duration,
}

/// Returns the seconds that a call takes, for each piece of work and each of its samples.
pub fn alternate(works: &mut [Work<'_>], sampling: Sampling) -> Vec<Vec<f64>> {
    let calls: Vec<u32> = works.iter_mut().map(|work| warm_up(work, sampling.duration)).collect();
    let mut seconds = vec![Vec::with_capacity(sampling.samples); works.len()];
    for round in 0..sampling.samples {
        for turn in 0..works.len() {
            // No one always comes after the same other.
            let at = (turn + round) % works.len();
            let start = Instant::now();
            (0..calls[at]).for_each(|_| works[at]());
            seconds[at].push(start.elapsed().as_secs_f64() / f64::from(calls[at]));
        }
    }
    seconds
}

/// Runs the work for as long as a sample, and returns the number of calls that fill one.
fn warm_up(work: &mut Work<'_>, sample: Duration) -> u32 {
    let (start, mut calls) = (Instant::now(), 0_u32);
    while start.elapsed() < sample {
        work();
        calls += 1;
    }
    let call = start.elapsed().as_secs_f64() / f64::from(calls);
    (sample.as_secs_f64() / call).ceil().max(1.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_is_sampled_as_often() {
        let duration = Duration::from_millis(20);
        let mut works: Vec<Work<'_>> = vec![Box::new(|| ()), Box::new(|| std::thread::sleep(duration))];
        let seconds = alternate(&mut works, Sampling { samples: 3, duration });
        assert!(seconds.iter().all(|samples| samples.len() == 3));
        assert!(seconds[1].iter().all(|&slow| slow >= duration.as_secs_f64() && slow > 100.0 * seconds[0][0]));
    }
}
