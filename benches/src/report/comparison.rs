//! A document held against an older one: has the reference become slower?

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::Cell;
use losscheck::backend::Pass;

use crate::numbers::{counted, digits, percent, times};
use crate::report::document::{Figure, NOISE, Performance, REFERENCE, REFERENCE_INTO, Row, RunSummary};
use crate::report::summary::dtypes;
use crate::size::Size;
use crate::statistics::geometric_mean;
use crate::table;

/// A change that is none, however small the spreads are.
const LEAST: f64 = 0.10;

/// The reference's cells in two documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What there is to say before the figures.
    remarks: Vec<String>,
    /// The cells that both have.
    cells: Vec<Change>,
    /// The rows of a table of means: pass, dtype, threads, backend.
    means: Vec<Mean>,
    /// How many cells only the older document has.
    lost: usize,
}

/// One cell in both documents.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    name: String,
    backend: &'static str,
    /// The nanoseconds of a call.
    times: (f64, f64),
    /// How many times as long the newer takes, on a machine that would be as fast as before.
    ratio: f64,
    /// By what share times differ by chance.
    noise: f64,
    /// Whether the reference's other time for the same workload, where there is one, is longer beyond the noise, too. Both run
    /// the same formula, seconds apart: what befell one alone was a burst, or the allocation of results, which only one does.
    is_confirmed: bool,
}

/// A geometric mean over cells that both documents have.
#[derive(Clone, Debug, PartialEq)]
struct Mean {
    what: [String; 4],
    cells: usize,
    /// Nanoseconds of an element.
    times: (f64, f64),
    ratio: f64,
}

impl Change {
    fn is_longer(&self) -> bool {
        self.ratio > 1.0 + self.noise
    }

    fn is_slower(&self) -> bool {
        self.is_longer() && self.is_confirmed
    }

    fn is_faster(&self) -> bool {
        1.0 / self.ratio > 1.0 + self.noise
    }
}

impl Comparison {
    /// Returns true if nothing is slower than before, beyond the noise.
    pub fn passed(&self) -> bool {
        !self.cells.iter().any(Change::is_slower)
    }
}

/// Compares the reference's times with those of an older document, the machines' speeds taken out.
pub fn compare(old: &Performance, new: &Performance) -> Comparison {
    let (mut remarks, mut cells, mut means, mut lost) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for run in &new.runs {
        let threads = run.threads;
        let words = counted(threads, "thread");
        let Some(before) = old.run(threads) else {
            remarks.push(format!("{words}: the baseline has none, nothing to compare with"));
            continue;
        };
        // How many times as long the same arithmetic takes now.
        let slowness = run.calibrations.arithmetic.median / before.calibrations.arithmetic.median;
        if run.processor != before.processor {
            let (old, new) = (&before.processor, &run.processor);
            remarks
                .push(format!("{words}: ACROSS MACHINES, {old} then and {new} now; times are normalised all the same"));
        }
        remarks
            .push(format!("{words}: the fixed arithmetic takes {} what it took, which is taken out", times(slowness)));
        let by_chance: BTreeMap<Size, f64> = Size::ALL
            .into_iter()
            .filter_map(|size| Some((size, chance(old, new, before, run, slowness, size)?)))
            .collect();
        if !by_chance.is_empty() {
            let shares: Vec<String> =
                by_chance.iter().map(|(size, &share)| format!("{size} {}", percent(share))).collect();
            let most = shares.join(", ");
            remarks.push(format!("{words}: of the other libraries' times 99 in 100 changed by at most: {most}"));
        }

        for backend in [REFERENCE, REFERENCE_INTO] {
            let (pairs, missing) = pairs(old, new, threads, backend);
            lost += missing;
            for pass in Pass::ALL {
                for dtype in dtypes(new) {
                    let meant: Vec<&Pair<'_>> =
                        pairs.iter().filter(|pair| (pair.row.pass, pair.row.dtype.as_str()) == (pass, dtype)).collect();
                    let mean = |time: fn(&Pair<'_>) -> f64| geometric_mean(meant.iter().map(|pair| time(pair)));
                    let before = mean(|pair| pair.old.nanoseconds / pair.row.elements as f64);
                    let after = mean(|pair| pair.new.nanoseconds / pair.row.elements as f64);
                    let Some((before, after)) = before.zip(after) else { continue };
                    means.push(Mean {
                        what: [pass.to_string(), dtype.to_owned(), threads.to_string(), backend.to_owned()],
                        cells: meant.len(),
                        times: (before, after),
                        ratio: after / before / slowness,
                    });
                }
            }
            cells.extend(pairs.into_iter().map(|Pair { before, row, old, new }| Change {
                name: format!("{}{}", row.name(), row.noise_mark()),
                backend,
                times: (old.nanoseconds, new.nanoseconds),
                ratio: new.nanoseconds / old.nanoseconds / slowness / lost_by_all_others(run, before, row, slowness),
                noise:
                    by_chance.get(&row.size).copied().unwrap_or(0.0).max(LEAST).max(NOISE * (old.spread + new.spread)),
                is_confirmed: true,
            }));
        }
    }
    for run in old.runs.iter().filter(|run| new.run(run.threads).is_none()) {
        remarks.push(format!("{}: the baseline alone has them", counted(run.threads, "thread")));
    }
    confirm(&mut cells);
    cells.sort_by(|one, other| other.ratio.total_cmp(&one.ratio));
    Comparison { remarks, cells, means, lost }
}

/// Sets [`Change::is_confirmed`] of each cell.
fn confirm(cells: &mut [Change]) {
    let mut all_are_longer = BTreeMap::new();
    for cell in &*cells {
        *all_are_longer.entry(cell.name.clone()).or_insert(true) &= cell.is_longer();
    }
    for cell in cells {
        cell.is_confirmed = all_are_longer.get(&cell.name).copied().unwrap_or(true);
    }
}

/// From so many times on there is one in a hundred to leave out.
const MANY: usize = 100;

/// Returns the share by which times of one size differ by chance: the largest change of the libraries that are the same, except
/// for one in a hundred. Chance does more to memory, which all users of a machine share, than to caches. Returns `None` if
/// there are few times.
fn chance(
    old: &Performance,
    new: &Performance,
    before: &RunSummary,
    run: &RunSummary,
    slowness: f64,
    size: Size,
) -> Option<f64> {
    let is_same = |name: &&String| before.versions.get(*name) == run.versions.get(*name);
    let mut changes: Vec<f64> = others(run)
        .filter(is_same)
        .flat_map(|name| pairs(old, new, run.threads, name).0)
        .filter(|pair| pair.row.size == size)
        .map(|pair| (pair.new.nanoseconds / pair.old.nanoseconds / slowness).ln().abs())
        .collect();
    changes.sort_by(f64::total_cmp);
    (changes.len() >= MANY).then(|| changes[changes.len() - 1 - changes.len() / MANY].exp_m1())
}

/// Returns the libraries that the reference is compared with.
fn others(run: &RunSummary) -> impl Iterator<Item = &String> {
    run.versions.keys().filter(|name| ![REFERENCE, REFERENCE_INTO].contains(&name.as_str()))
}

/// Returns the least of how many times as long as before the other libraries take. They are sampled in turn with the reference,
/// so that the machine lost what all of them lost. What they gain proves nothing.
fn lost_by_all_others(run: &RunSummary, before: &Row, after: &Row, slowness: f64) -> f64 {
    let ratio = |name: &String| Some(after.figure(name)?.nanoseconds / before.figure(name)?.nanoseconds / slowness);
    others(run).filter_map(ratio).reduce(f64::min).map_or(1.0, |ratio| ratio.max(1.0))
}

struct Pair<'a> {
    before: &'a Row,
    row: &'a Row,
    old: Figure,
    new: Figure,
}

/// Returns the cells of a backend that both documents have, and how many only the older one has.
fn pairs<'a>(old: &'a Performance, new: &'a Performance, threads: usize, backend: &str) -> (Vec<Pair<'a>>, usize) {
    let mut pairs = Vec::new();
    let mut lost = 0;
    for before in old.rows.iter().filter(|row| row.threads == threads) {
        let Some(old) = before.figure(backend) else { continue };
        let row = new.with_threads(before, threads);
        match row.and_then(|row| Some((row, row.figure(backend)?))) {
            Some((row, new)) => pairs.push(Pair { before, row, old, new }),
            None => lost += 1,
        }
    }
    (pairs, lost)
}

/// Returns a change of a time, in percent.
fn change(ratio: f64) -> String {
    // Without the sign of a zero.
    format!("{:+.1} %", (1000.0 * (ratio - 1.0)).round() / 10.0 + 0.0)
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Against the baseline")?;
        for remark in &self.remarks {
            writeln!(f, "- {remark}")?;
        }
        if self.lost > 0 {
            writeln!(f, "- {} of the baseline measured no more", counted(self.lost, "cell"))?;
        }
        let mut means =
            table::with_header(["pass", "dtype", "threads", "backend", "cells", "ns/element then", "now", "change"], 4);
        for Mean { what, cells, times: (old, new), ratio } in &self.means {
            let numbers = [cells.to_string(), digits(*old), digits(*new), change(*ratio)];
            means.add_row(what.iter().cloned().chain(numbers));
        }
        if !self.means.is_empty() {
            writeln!(f, "\nGeometric means; the change is what is left once the machines' speeds are taken out\n")?;
            writeln!(f, "{means}")?;
        }

        let mut changes = table::with_header(["cell", "backend", "verdict", "ns then", "now", "change", "noise"], 3);
        let (mut slower, mut unconfirmed, mut faster) = (0, 0, 0);
        for cell in &self.cells {
            let verdict = if cell.is_slower() {
                slower += 1;
                "SLOWER"
            } else if cell.is_longer() {
                unconfirmed += 1;
                "longer"
            } else if cell.is_faster() {
                faster += 1;
                "faster"
            } else {
                continue;
            };
            let numbers =
                [digits(cell.times.0), digits(cell.times.1), change(cell.ratio), format!("±{}", percent(cell.noise))];
            let names = [cell.name.as_str(), cell.backend, verdict].map(str::to_owned);
            changes.add_row(names.into_iter().chain(numbers).map(Cell::new));
        }
        if slower + unconfirmed + faster > 0 {
            let noise =
                format!("at least {}, {NOISE} times the two spreads, or what libraries changed by", percent(LEAST));
            writeln!(f, "\nBeyond the noise ({noise}), once what all other libraries lost is taken out, too\n")?;
            writeln!(f, "{changes}")?;
        }
        if unconfirmed > 0 {
            let longer = counted(unconfirmed, "cell");
            writeln!(
                f,
                "\n{longer} longer in one of the reference's two times alone, which is a burst or its allocation"
            )?;
        }
        writeln!(f, "\n{} compared: {slower} slower, {faster} faster", counted(self.cells.len(), "cell"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::tests::{performance, row, with_spread};

    fn document(times: &[(&str, f64)], spread: f64) -> Performance {
        let rows = times.iter().map(|&(loss, time)| with_spread(row(loss, 128, &[("reference", time)]), spread));
        performance(rows.collect())
    }

    #[test]
    fn a_slowdown_is_found_and_noise_is_not() {
        let old = document(&[("l1_loss", 100.0), ("mse_loss", 100.0)], 0.01);
        let noisy = document(&[("l1_loss", 109.0), ("mse_loss", 91.5)], 0.01);
        let comparison = compare(&old, &noisy);
        assert!(comparison.passed(), "{comparison}");
        assert!(comparison.to_string().ends_with("2 cells compared: 0 slower, 0 faster\n"), "{comparison}");

        let slow = document(&[("l1_loss", 115.0), ("mse_loss", 80.0)], 0.01);
        let comparison = compare(&old, &slow);
        assert!(!comparison.passed());
        let text = comparison.to_string();
        let line = |loss: &str| {
            let line = text.lines().find(|line| line.contains(loss)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("l1_loss"), "l1_loss/forward/128/f32 reference SLOWER 100 115 +15.0 % ±10 %");
        assert_eq!(line("mse_loss"), "mse_loss/forward/128/f32 reference faster 100 80.0 -20.0 % ±10 %");

        // The same slowdown among times that are spread as far.
        let old = document(&[("l1_loss", 100.0)], 0.03);
        assert!(compare(&old, &document(&[("l1_loss", 115.0)], 0.03)).passed());
    }

    #[test]
    fn a_slower_machine_is_no_slower_reference() {
        let old = document(&[("l1_loss", 100.0)], 0.01);
        let mut new = document(&[("l1_loss", 150.0)], 0.01);
        new.runs[0].calibrations.arithmetic.median = 1500.0;
        new.runs[0].processor = "Another".to_owned();
        let comparison = compare(&old, &new);
        assert!(comparison.passed());
        assert!(comparison.to_string().contains("ACROSS MACHINES, A Processor, 1 MiB L2 then and Another now"));
        // And a faster one hides no slower reference.
        new = document(&[("l1_loss", 100.0)], 0.01);
        new.runs[0].calibrations.arithmetic.median = 800.0;
        assert!(!compare(&old, &new).passed());
    }

    #[test]
    fn what_all_others_lose_the_machine_lost() {
        let document = |reference, candle, tch| {
            let times = [("reference", reference), ("candle", candle), ("tch", tch)];
            let mut document = performance(vec![row("l1_loss", 128, &times)]);
            for name in ["candle", "tch"] {
                document.runs[0].versions.insert(name.to_owned(), String::new());
            }
            document
        };
        let old = document(100.0, 1000.0, 200.0);
        assert!(compare(&old, &document(120.0, 1200.0, 240.0)).passed());
        // One of them may have become slower by itself.
        assert!(!compare(&old, &document(120.0, 1010.0, 300.0)).passed());
        // A faster library makes no slower reference, and hides none.
        assert!(compare(&old, &document(100.0, 700.0, 150.0)).passed());
        assert!(!compare(&old, &document(120.0, 700.0, 150.0)).passed());
    }

    #[test]
    fn both_times_of_the_reference_have_to_be_longer() {
        let document = |reference, into| {
            performance(vec![row("l1_loss", 128, &[("reference", reference), ("reference-into", into)])])
        };
        let old = document(100.0, 90.0);
        let comparison = compare(&old, &document(200.0, 91.0));
        assert!(comparison.passed(), "{comparison}");
        assert!(
            comparison.to_string().contains("1 cell longer in one of the reference's two times alone"),
            "{comparison}"
        );
        assert!(!compare(&old, &document(200.0, 180.0)).passed());
    }

    #[test]
    fn libraries_that_are_the_same_show_what_chance_does() {
        // So many times of a library, of which some are ten times what they were, the others three fifths.
        let document = |reference, version: &str, times: [f64; 2], outliers: usize, count: usize| {
            let time = |at: usize| 100.0 * times[usize::from(at < outliers)];
            let rows = (0..count).map(|at| row("l1_loss", 128 + at as u64, &[("tch", time(at))]));
            let reference = row("mse_loss", 128, &[("reference", reference)]);
            let mut document = performance(rows.chain([reference]).collect());
            document.runs[0].versions.insert("tch".to_owned(), version.to_owned());
            document
        };
        let compared = |reference, version, outliers, count| {
            let old = document(100.0, "1", [1.0, 1.0], 0, count);
            compare(&old, &document(reference, version, [0.6, 10.0], outliers, count))
        };
        let comparison = compared(140.0, "1", 2, 2 * MANY);
        assert!(comparison.passed(), "{comparison}");
        assert!(comparison.to_string().contains("99 in 100 changed by at most: small 67 %\n"), "{comparison}");
        assert!(!compared(170.0, "1", 2, 2 * MANY).passed());
        assert!(compared(170.0, "1", 3, 2 * MANY).passed());
        // Too few to tell; and another version may have changed by itself.
        assert!(!compared(140.0, "1", 0, MANY - 1).passed());
        assert!(!compared(140.0, "2", 2, 2 * MANY).passed());

        // What small workloads show says nothing of large ones.
        let with_a_large_one = |time, small| {
            let mut document = document(100.0, "1", [small, small], 0, MANY);
            document.rows.push(row("huber_loss", 1 << 20, &[("reference", time)]));
            document
        };
        assert!(!compare(&with_a_large_one(100.0, 1.0), &with_a_large_one(140.0, 0.6)).passed());
    }

    #[test]
    fn only_equal_numbers_of_threads_are_compared() {
        let old = document(&[("l1_loss", 100.0), ("mse_loss", 1.0)], 0.0);
        let mut new = document(&[("l1_loss", 500.0)], 0.0);
        new.rows[0].threads = 2;
        new.runs[0].threads = 2;
        let comparison = compare(&old, &new);
        assert!(comparison.passed() && comparison.cells.is_empty(), "{comparison}");
        assert!(comparison.to_string().contains("2 threads: the baseline has none"));
        let comparison = compare(&old, &document(&[("l1_loss", 100.0)], 0.0));
        assert!(comparison.to_string().contains("1 cell of the baseline measured no more"));
    }
}
