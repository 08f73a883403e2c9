//! What the reference is to reach, and whether it does.

use losscheck::backend::Pass;
use losscheck::markdown::table;

use crate::numbers::{counted, percent, times};
use crate::report::document::{Against, Performance, REFERENCE, REFERENCE_INTO, Row};
use crate::size::Size;
use crate::statistics::geometric_mean;

/// How many of the worst cells to name.
const NAMED: usize = 5;
/// How many times the spreads of two times they may differ by without a difference being seen.
pub(crate) const NOISE: f64 = 3.0;

/// From how many elements on a second thread is to help.
const MANY: u64 = 1_000_000;

/// Something to reach.
#[derive(Clone, Copy, Debug)]
struct Target {
    /// Which cells.
    of: Cells,
    /// What of them.
    measure: Measure,
    /// How much of it.
    bound: Bound,
}

/// Some of the rows; an empty list stands for all.
#[derive(Clone, Copy, Debug)]
struct Cells {
    name: &'static str,
    losses: &'static [&'static str],
    passes: &'static [Pass],
    dtypes: &'static [&'static str],
    sizes: &'static [Size],
    /// From the first to before the second.
    elements: (u64, u64),
    threads: usize,
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    /// How many times as long as the reference another takes.
    SpeedUp(Against<'static>),
    /// The share of a copy's bandwidth, into the caller's buffers where that is measured.
    CopyBandwidth,
    /// How many times as long the reference takes on one thread.
    OneThread,
    /// What part of the time the elementary functions alone take.
    Elementary,
    /// How many times the measured workspace the documented one is.
    Workspace,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// Every cell has at least that.
    Every(f64),
    /// Every cell has at least that, or less by no more than the noise of its two times.
    EveryButNoise(f64),
    /// The geometric mean is at least that.
    Mean(f64),
}

use Against::{Backend, Fastest};
use Bound::{Every, EveryButNoise, Mean};
use Measure::{CopyBandwidth, Elementary, OneThread, SpeedUp, Workspace};

const ALL: Cells = Cells {
    name: "every workload",
    losses: &[],
    passes: &[],
    dtypes: &[],
    sizes: &[],
    elements: (0, u64::MAX),
    threads: 1,
};
const GRADIENT_F32: Cells =
    Cells { name: "`forward_gradient`, f32", passes: &[Pass::ForwardAndGradient], dtypes: &["f32"], ..ALL };
const FORWARD_F32: Cells = Cells { name: "`forward`, f32", passes: &[Pass::Forward], dtypes: &["f32"], ..ALL };
const F64: Cells = Cells { name: "f64", dtypes: &["f64"], ..ALL };
const SIMPLE: Cells = Cells {
    name: "`forward_gradient` beyond L2 of `mse_loss`, `l1_loss`, `smooth_l1_loss`, `huber_loss` and \
        `hinge_embedding_loss`",
    losses: &["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "hinge_embedding_loss"],
    passes: &[Pass::ForwardAndGradient],
    sizes: &[Size::L3, Size::Memory],
    ..ALL
};
const TWO_THREADS: Cells =
    Cells { name: "two threads, from 1e6 elements on", elements: (MANY, u64::MAX), threads: 2, ..ALL };
const TWO_THREADS_FEW: Cells =
    Cells { name: "two threads, below 1e6 elements", elements: (0, MANY), threads: 2, ..ALL };
const LOGITS: Cells = Cells {
    name: "f32 of `binary_cross_entropy_with_logits`, `cross_entropy`, `soft_margin_loss` and `poisson_nll_loss`",
    losses: &["binary_cross_entropy_with_logits", "cross_entropy", "soft_margin_loss", "poisson_nll_loss"],
    dtypes: &["f32"],
    ..ALL
};
const CTC: Cells = Cells { name: "`ctc_loss`", losses: &["ctc_loss"], ..ALL };
const LINEAR: Cells = Cells { name: "`linear_cross_entropy`", losses: &["linear_cross_entropy"], ..ALL };

const TARGETS: &[Target] = &[
    Target { of: GRADIENT_F32, measure: SpeedUp(Backend("tch")), bound: Every(1.5) },
    Target { of: GRADIENT_F32, measure: SpeedUp(Backend("tch")), bound: Mean(5.0) },
    Target { of: FORWARD_F32, measure: SpeedUp(Backend("tch")), bound: Every(1.2) },
    Target { of: FORWARD_F32, measure: SpeedUp(Backend("tch")), bound: Mean(3.0) },
    Target { of: F64, measure: SpeedUp(Backend("tch")), bound: Every(1.1) },
    Target { of: F64, measure: SpeedUp(Backend("tch")), bound: Mean(2.5) },
    Target { of: ALL, measure: SpeedUp(Fastest), bound: Every(1.2) },
    Target { of: ALL, measure: SpeedUp(Backend("candle")), bound: Mean(20.0) },
    Target { of: SIMPLE, measure: CopyBandwidth, bound: Every(0.85) },
    Target { of: LOGITS, measure: Elementary, bound: Every(1.0 / 1.3) },
    Target { of: TWO_THREADS, measure: OneThread, bound: Every(1.7) },
    Target { of: TWO_THREADS_FEW, measure: OneThread, bound: EveryButNoise(1.0) },
    Target { of: CTC, measure: SpeedUp(Backend("tch")), bound: Every(2.0) },
    Target { of: LINEAR, measure: SpeedUp(Backend("tch")), bound: Every(1.0) },
    Target { of: ALL, measure: Workspace, bound: Every(1.0) },
];

/// One cell of a target.
#[derive(Clone, Copy, Debug)]
struct Measured<'a> {
    value: f64,
    /// By what share the value may be too low by chance.
    noise: f64,
    row: &'a Row,
}

/// How a target stands.
#[derive(Clone, Debug)]
struct Verdict<'a> {
    /// The lowest value or the mean; `None` where nothing was measured.
    measured: Option<f64>,
    /// Whether that is enough.
    is_met: bool,
    /// The cells, from the lowest.
    cells: Vec<Measured<'a>>,
    /// How many of them are too low.
    low: usize,
}

impl Cells {
    fn holds(&self, row: &Row) -> bool {
        let Self { losses, passes, dtypes, sizes, elements: (from, to), threads, .. } = *self;
        (losses.is_empty() || losses.contains(&row.loss.as_str()))
            && (passes.is_empty() || passes.contains(&row.pass))
            && (dtypes.is_empty() || dtypes.contains(&row.dtype.as_str()))
            && (sizes.is_empty() || sizes.contains(&row.size))
            && (from..to).contains(&row.elements)
            && row.threads == threads
    }
}

impl Measure {
    fn of<'a>(self, performance: &Performance, row: &'a Row) -> Option<Measured<'a>> {
        let plain = |value| Measured { value, noise: 0.0, row };
        match self {
            SpeedUp(against) => row.speed_up(against).map(plain),
            CopyBandwidth => {
                let nanoseconds = row.nanoseconds(REFERENCE_INTO).or_else(|| row.nanoseconds(REFERENCE))?;
                row.share_of_copy(nanoseconds).map(plain)
            }
            OneThread => {
                let one = performance.with_threads(row, 1)?.figure(REFERENCE)?;
                let several = row.figure(REFERENCE)?;
                let noise = NOISE * (one.spread + several.spread);
                Some(Measured { value: one.nanoseconds / several.nanoseconds, noise, row })
            }
            Elementary => Some(plain(row.elementary?.nanoseconds / row.nanoseconds(REFERENCE)?)),
            Workspace => {
                row.workspace.map(|workspace| plain(workspace.documented as f64 / workspace.bytes.max(1) as f64))
            }
        }
    }

    fn name(self) -> String {
        match self {
            SpeedUp(Backend(name)) => format!("speed-up over `{name}`"),
            SpeedUp(Fastest) => "speed-up over the fastest of the others".to_owned(),
            CopyBandwidth => "share of a copy's bandwidth".to_owned(),
            OneThread => "speed-up over one thread".to_owned(),
            Elementary => "share of its time that its elementary functions alone take".to_owned(),
            Workspace => "documented workspace, as a multiple of the measured".to_owned(),
        }
    }

    fn written(self, value: f64) -> String {
        match self {
            SpeedUp(_) | OneThread | Workspace => times(value),
            CopyBandwidth | Elementary => percent(value),
        }
    }
}

impl Bound {
    fn value(self) -> f64 {
        match self {
            Every(bound) | EveryButNoise(bound) | Mean(bound) => bound,
        }
    }

    fn is_met_by(self, cell: &Measured<'_>) -> bool {
        match self {
            Every(bound) | Mean(bound) => cell.value >= bound,
            EveryButNoise(bound) => cell.value * (1.0 + cell.noise) >= bound,
        }
    }
}

impl Target {
    fn verdict<'a>(&self, performance: &'a Performance) -> Verdict<'a> {
        let rows = performance.rows.iter().filter(|row| self.of.holds(row));
        let mut cells: Vec<_> = rows.filter_map(|row| self.measure.of(performance, row)).collect();
        // Those first that are too low, for noise excuses some that are lower.
        cells.sort_by(|one, other| {
            let key = |cell: &Measured<'_>| self.bound.is_met_by(cell);
            key(one).cmp(&key(other)).then(one.value.total_cmp(&other.value))
        });
        let low = cells.iter().filter(|cell| !self.bound.is_met_by(cell)).count();
        let (measured, is_met) = match self.bound {
            Every(_) | EveryButNoise(_) => (cells.first().map(|cell| cell.value), low == 0),
            Mean(bound) => {
                let mean = geometric_mean(cells.iter().map(|cell| cell.value));
                (mean, mean.is_some_and(|mean| mean >= bound))
            }
        };
        Verdict { measured, is_met, cells, low }
    }

    fn line(&self, performance: &Performance) -> Vec<String> {
        let Self { of, measure, bound } = self;
        let Verdict { measured, is_met, cells, low } = self.verdict(performance);
        let least = measure.written(bound.value());
        let wanted = match bound {
            Every(_) => format!("every cell ≥ {least}"),
            EveryButNoise(_) => format!("every cell ≥ {least}, but for noise"),
            Mean(_) => format!("geometric mean ≥ {least}"),
        };
        let is_mean = matches!(bound, Mean(_));
        let all = counted(cells.len(), "cell");
        let met = match measured {
            None => "not measured".to_owned(),
            Some(_) if is_met => format!("yes ({all})"),
            Some(measured) => {
                let by = percent(1.0 - measured / bound.value());
                let count = if is_mean { all } else { format!("{low} of {all}") };
                format!("**no**, by {by} ({count})")
            }
        };
        // Where all is well, the closest call is enough.
        let named = if is_met {
            1
        } else if is_mean {
            NAMED
        } else {
            low.min(NAMED)
        };
        let worst: Vec<String> = cells
            .iter()
            .take(named)
            .map(|cell| format!("`{}` {}{}", cell.row.name(), measure.written(cell.value), disturbed(cell.row)))
            .collect();
        let measured = measured.map_or_else(|| "–".to_owned(), |measured| measure.written(measured));
        vec![format!("{}: {}", of.name, measure.name()), wanted, measured, met, worst.join("<br>")]
    }
}

/// The mark of a row that was disturbed.
pub(crate) fn disturbed(row: &Row) -> &'static str {
    if row.disturbed.is_some() { " ‡" } else { "" }
}

/// A line for each target.
pub(crate) fn targets(performance: &Performance) -> String {
    let header = ["target", "wanted", "measured", "met", "worst cells"];
    table(&header, header.len(), TARGETS.iter().map(|target| target.line(performance)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record as given;
    use crate::report::document::Figure;
    use crate::report::document::tests::{performance, row, with_spread};

    fn target(of: Cells, measure: Measure, bound: Bound) -> Target {
        Target { of, measure, bound }
    }

    #[test]
    fn every_cell_and_the_mean_are_told_apart() {
        let performance = performance(vec![
            row("l1_loss", 128, &[("reference", 1.0), ("tch", 1.1)]),
            row("mse_loss", 128, &[("reference", 1.0), ("tch", 40.0)]),
        ]);
        let every = target(FORWARD_F32, SpeedUp(Backend("tch")), Every(1.2));
        let line = every.line(&performance);
        assert_eq!(line[2..], ["1.10×", "**no**, by 8.3 % (1 of 2 cells)", "`l1_loss/forward/128/f32` 1.10×"]);

        let mean = target(FORWARD_F32, SpeedUp(Backend("tch")), Mean(3.0));
        assert_eq!(mean.line(&performance)[2..4], ["6.63×", "yes (2 cells)"]);
        let none = target(GRADIENT_F32, SpeedUp(Backend("tch")), Mean(3.0));
        assert_eq!(none.line(&performance)[2..], ["–", "not measured", ""]);
    }

    #[test]
    fn the_fastest_of_the_others_differs_from_row_to_row() {
        let performance = performance(vec![
            row("l1_loss", 128, &[("reference", 1.0), ("tch", 3.0), ("candle", 2.0), ("reference-into", 0.1)]),
            row("mse_loss", 128, &[("reference", 1.0), ("tch", 1.5), ("candle", 9.0)]),
        ]);
        let verdict = target(ALL, SpeedUp(Fastest), Every(1.2)).verdict(&performance);
        assert_eq!((verdict.measured, verdict.is_met, verdict.cells.len()), (Some(1.5), true, 2));
    }

    #[test]
    fn bandwidth_is_that_into_buffers_where_it_is_measured() {
        let elements = 1 << 24;
        let copy = 1.2 * elements as f64;
        let mut rows = vec![
            row("mse_loss", elements, &[("reference", copy * 2.0), ("reference-into", copy / 0.9)]),
            row("l1_loss", elements, &[("reference", copy / 0.8)]),
        ];
        rows.iter_mut().for_each(|row| row.pass = Pass::ForwardAndGradient);
        let performance = performance(rows);
        let line = target(SIMPLE, CopyBandwidth, Every(0.85)).line(&performance);
        assert_eq!(line[2], "80 %");
        assert!(line[3].starts_with("**no**, by 5.9 % (1 of 2 cells)") && line[4].contains("l1_loss"), "{line:?}");
    }

    #[test]
    fn elementary_functions_and_workspace_bound_the_rest() {
        let mut row = row("cross_entropy", 1000, &[("reference", 125.0), ("reference-into", 1.0)]);
        row.elementary = Some(Figure { nanoseconds: 100.0, spread: 0.0 });
        row.workspace = Some(given::Workspace { bytes: 2000, documented: 1000 });
        let performance = performance(vec![row]);
        let line = |measure, bound| target(ALL, measure, bound).line(&performance);
        assert_eq!(line(Elementary, Every(1.0 / 1.3))[1..4], ["every cell ≥ 77 %", "80 %", "yes (1 cell)"]);
        assert_eq!(line(Workspace, Every(1.0))[2..4], ["0.500×", "**no**, by 50 % (1 of 1 cell)"]);
    }

    #[test]
    fn a_second_thread_may_cost_the_noise() {
        let one = |loss: &str, elements| with_spread(row(loss, elements, &[("reference", 100.0)]), 0.01);
        let two = |loss: &str, elements, time| {
            let row = with_spread(row(loss, elements, &[("reference", time)]), 0.01);
            Row { threads: 2, ..row }
        };
        let performance = performance(vec![
            one("mse_loss", 128),
            two("mse_loss", 128, 105.0),
            one("l1_loss", 128),
            two("l1_loss", 128, 110.0),
            one("huber_loss", 1 << 24),
            two("huber_loss", 1 << 24, 52.0),
        ]);
        let few = target(TWO_THREADS_FEW, OneThread, EveryButNoise(1.0)).verdict(&performance);
        assert_eq!((few.is_met, few.low, few.cells[0].row.loss.as_str()), (false, 1, "l1_loss"));
        let many = target(TWO_THREADS, OneThread, Every(1.7)).verdict(&performance);
        assert!(many.is_met && many.cells.len() == 1, "{many:?}");
    }

    #[test]
    fn disturbed_cells_are_marked() {
        let disturbed =
            Row { disturbed: Some("a build".to_owned()), ..row("l1_loss", 128, &[("reference", 2.0), ("tch", 1.0)]) };
        let line = target(FORWARD_F32, SpeedUp(Backend("tch")), Every(1.2)).line(&performance(vec![disturbed]));
        assert_eq!(line[4], "`l1_loss/forward/128/f32` 0.500× ‡");
    }
}
