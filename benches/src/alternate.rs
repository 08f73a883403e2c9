//! Samples of several pieces of work, taken in turn, so that whatever slows the machine down slows all of them.

use std::time::{Duration, Instant};

/// How long a sample takes at least.
const SAMPLE: Duration = Duration::from_millis(20);

/// Something to time.
pub type Work<'a> = Box<dyn FnMut() + 'a>;

/// For each piece of work the seconds of a call, in so many samples.
pub fn alternate(works: &mut [Work<'_>], samples: usize) -> Vec<Vec<f64>> {
    let calls: Vec<u32> = works.iter_mut().map(warm_up).collect();
    let mut seconds = vec![Vec::with_capacity(samples); works.len()];
    for round in 0..samples {
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

/// Runs the work for as long as a sample, and gives the number of calls that fill one.
fn warm_up(work: &mut Work<'_>) -> u32 {
    let (start, mut calls) = (Instant::now(), 0_u32);
    while start.elapsed() < SAMPLE {
        work();
        calls += 1;
    }
    let call = start.elapsed().as_secs_f64() / f64::from(calls);
    (SAMPLE.as_secs_f64() / call).ceil().max(1.0) as u32
}

/// The middle number, or the mean of the middle two.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, middle) if n % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_is_sampled_as_often() {
        let mut works: Vec<Work<'_>> = vec![Box::new(|| ()), Box::new(|| std::thread::sleep(SAMPLE))];
        let seconds = alternate(&mut works, 3);
        assert!(seconds.iter().all(|samples| samples.len() == 3));
        assert!(seconds[1].iter().all(|&slow| slow >= SAMPLE.as_secs_f64() && slow > 100.0 * seconds[0][0]));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
