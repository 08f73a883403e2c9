//! The table of the goals: how each of them stands.

use losscheck::markdown::table;

use crate::numbers::{counted, percent, times};
use crate::report::document::{Against, NOISE, Performance, REFERENCE, REFERENCE_INTO, Row};
use crate::report::goals::{Goal, Goals, Measure, Wanted};
use crate::statistics::geometric_mean;

/// How many of the worst cells to name.
const NAMED: usize = 5;

/// A goal's measure of one workload.
#[derive(Clone, Copy, Debug)]
struct GoalCell<'a> {
    value: f64,
    /// By what share the value may be too low by chance.
    noise: f64,
    row: &'a Row,
}

/// How a goal stands.
#[derive(Clone, Debug)]
struct Verdict<'a> {
    /// The lowest value or the mean; `None` if nothing was measured.
    measured: Option<f64>,
    /// Whether the goal is met.
    is_met: bool,
    /// The workloads: first those that are too low, each group from the lowest.
    cells: Vec<GoalCell<'a>>,
    /// How many of them are too low.
    low: usize,
}

impl Measure {
    /// Returns the measure of a workload; `None` if it was not measured.
    fn of<'a>(&self, performance: &Performance, row: &'a Row) -> Option<GoalCell<'a>> {
        let plain = |value| GoalCell { value, noise: 0.0, row };
        match self {
            Self::SpeedUpOver(backend) => row.speed_up(Against::Backend(backend)).map(plain),
            Self::SpeedUpOverFastest => row.speed_up(Against::Fastest).map(plain),
            Self::SpeedUpOverOneThread => {
                let one = performance.with_threads(row, 1)?.figure(REFERENCE)?;
                let several = row.figure(REFERENCE)?;
                let noise = NOISE * (one.spread + several.spread);
                Some(GoalCell { value: one.nanoseconds / several.nanoseconds, noise, row })
            }
            Self::ShareOfCopy => {
                let nanoseconds = row.nanoseconds(REFERENCE_INTO).or_else(|| row.nanoseconds(REFERENCE))?;
                row.share_of_copy(nanoseconds).map(plain)
            }
            Self::ShareOfElementary => Some(plain(row.elementary?.nanoseconds / row.nanoseconds(REFERENCE)?)),
            Self::DocumentedWorkspace => {
                row.workspace.map(|workspace| plain(workspace.documented as f64 / workspace.bytes.max(1) as f64))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::SpeedUpOver(backend) => format!("speed-up over `{backend}`"),
            Self::SpeedUpOverFastest => "speed-up over the fastest of the others".to_owned(),
            Self::SpeedUpOverOneThread => "speed-up over one thread".to_owned(),
            Self::ShareOfCopy => "share of a copy's bandwidth".to_owned(),
            Self::ShareOfElementary => "share of its time that its elementary functions alone take".to_owned(),
            Self::DocumentedWorkspace => "documented workspace, as a multiple of the measured".to_owned(),
        }
    }

    /// Returns a value of the measure, for people.
    fn written(&self, value: f64) -> String {
        match self {
            Self::ShareOfCopy | Self::ShareOfElementary => percent(value),
            Self::SpeedUpOver(_)
            | Self::SpeedUpOverFastest
            | Self::SpeedUpOverOneThread
            | Self::DocumentedWorkspace => times(value),
        }
    }
}

impl Wanted {
    fn is_met_by(self, cell: &GoalCell<'_>) -> bool {
        let noise = if matches!(self, Self::EveryButNoise(_)) { cell.noise } else { 0.0 };
        cell.value * (1.0 + noise) >= self.bound()
    }
}

impl Goal {
    fn verdict<'a>(&self, performance: &'a Performance) -> Verdict<'a> {
        let rows = performance.rows.iter().filter(|row| self.is_about(row));
        let mut cells: Vec<_> = rows.filter_map(|row| self.measure.of(performance, row)).collect();
        // Noise excuses some values that are lower than others that are too low.
        cells.sort_by(|one, other| {
            let key = |cell: &GoalCell<'_>| self.wanted.is_met_by(cell);
            key(one).cmp(&key(other)).then(one.value.total_cmp(&other.value))
        });
        let low = cells.iter().filter(|cell| !self.wanted.is_met_by(cell)).count();
        let (measured, is_met) = match self.wanted {
            Wanted::Every(_) | Wanted::EveryButNoise(_) => (cells.first().map(|cell| cell.value), low == 0),
            Wanted::Mean(bound) => {
                let mean = geometric_mean(cells.iter().map(|cell| cell.value));
                (mean, mean.is_some_and(|mean| mean >= bound))
            }
        };
        Verdict { measured, is_met, cells, low }
    }

    /// Returns the goal's line of the table.
    fn line(&self, performance: &Performance) -> Vec<String> {
        let Self { workloads, measure, wanted, .. } = self;
        let Verdict { measured, is_met, cells, low } = self.verdict(performance);
        let least = measure.written(wanted.bound());
        let is_mean = matches!(wanted, Wanted::Mean(_));
        let bound = match wanted {
            Wanted::Every(_) => format!("every cell ≥ {least}"),
            Wanted::EveryButNoise(_) => format!("every cell ≥ {least}, but for noise"),
            Wanted::Mean(_) => format!("geometric mean ≥ {least}"),
        };
        let all = counted(cells.len(), "cell");
        let met = match measured {
            None => "not measured".to_owned(),
            Some(_) if is_met => format!("yes ({all})"),
            Some(measured) => {
                let by = percent(1.0 - measured / wanted.bound());
                let count = if is_mean { all } else { format!("{low} of {all}") };
                format!("**no**, by {by} ({count})")
            }
        };
        // If the goal is met, the closest call is enough.
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
            .map(|cell| format!("`{}` {}{}", cell.row.name(), measure.written(cell.value), cell.row.noise_mark()))
            .collect();
        let measured = measured.map_or_else(|| "–".to_owned(), |measured| measure.written(measured));
        vec![format!("{workloads}: {}", measure.name()), bound, measured, met, worst.join("<br>")]
    }
}

/// Returns the table: a line for each goal.
pub(crate) fn goal_table(performance: &Performance, goals: &Goals) -> String {
    let header = ["goal", "wanted", "measured", "met", "worst cells"];
    table(&header, header.len(), goals.goals.iter().map(|goal| goal.line(performance)))
}

#[cfg(test)]
mod tests {
    use losscheck::backend::Pass;

    use super::*;
    use crate::record::Workspace;
    use crate::report::document::Figure;
    use crate::report::document::tests::{performance, row, with_spread};

    /// Returns a goal with a measure, a bound and further lines of the file.
    fn goal(measure: &str, wanted: &str, more: &str) -> Goal {
        let text = format!("[[goal]]\nworkloads = 'some'\nmeasure = {measure}\nwanted = {{ {wanted} }}\n{more}");
        Goals::parse(&text).expect("a goal").goals.remove(0)
    }

    const OVER_TCH: &str = "{ speed_up_over = 'tch' }";

    #[test]
    fn a_bound_on_every_workload_differs_from_one_on_the_mean() {
        let performance = performance(vec![
            row("l1_loss", 128, &[("reference", 1.0), ("tch", 1.1)]),
            row("mse_loss", 128, &[("reference", 1.0), ("tch", 40.0)]),
        ]);
        let forward = "passes = ['forward']";
        let line = goal(OVER_TCH, "every = 1.2", forward).line(&performance);
        let wanted = ["some: speed-up over `tch`", "every cell ≥ 1.20×", "1.10×"];
        assert_eq!(line[..3], wanted);
        assert_eq!(line[3..], ["**no**, by 8.3 % (1 of 2 cells)", "`l1_loss/forward/128/f32` 1.10×"]);

        let mean = goal(OVER_TCH, "mean = 3.0", forward).line(&performance);
        assert_eq!(mean[1..4], ["geometric mean ≥ 3.00×", "6.63×", "yes (2 cells)"]);
        let none = goal(OVER_TCH, "mean = 3.0", "passes = ['forward_gradient']").line(&performance);
        assert_eq!(none[2..], ["–", "not measured", ""]);
    }

    #[test]
    fn the_fastest_of_the_others_differs_from_row_to_row() {
        let performance = performance(vec![
            row("l1_loss", 128, &[("reference", 1.0), ("tch", 3.0), ("candle", 2.0), ("reference-into", 0.1)]),
            row("mse_loss", 128, &[("reference", 1.0), ("tch", 1.5), ("candle", 9.0)]),
        ]);
        let goal = goal("'speed_up_over_fastest'", "every = 1.2", "");
        let verdict = goal.verdict(&performance);
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
        let line = goal("'share_of_copy'", "every = 0.85", "sizes = ['memory']").line(&performance(rows));
        assert_eq!(line[2], "80 %");
        assert!(line[3].starts_with("**no**, by 5.9 % (1 of 2 cells)") && line[4].contains("l1_loss"), "{line:?}");
    }

    #[test]
    fn elementary_functions_and_workspace_bound_the_rest() {
        let mut row = row("cross_entropy", 1000, &[("reference", 125.0), ("reference-into", 1.0)]);
        row.elementary = Some(Figure { nanoseconds: 100.0, spread: 0.0 });
        row.workspace = Some(Workspace { bytes: 2000, documented: 1000 });
        let performance = performance(vec![row]);
        let elementary = goal("'share_of_elementary'", "every = 0.7692307692307692", "").line(&performance);
        assert_eq!(elementary[1..4], ["every cell ≥ 77 %", "80 %", "yes (1 cell)"]);
        let workspace = goal("'documented_workspace'", "every = 1.0", "").line(&performance);
        assert_eq!(workspace[2..4], ["0.500×", "**no**, by 50 % (1 of 1 cell)"]);
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
        let goal = |wanted, elements: &str| {
            let more = format!("threads = 2\nelements = {{ {elements} = 1_000_000 }}");
            goal("'speed_up_over_one_thread'", wanted, &more)
        };
        let few = goal("every_but_noise = 1.0", "below");
        let few = few.verdict(&performance);
        assert_eq!((few.is_met, few.low, few.cells[0].row.loss.as_str()), (false, 1, "l1_loss"));
        let many = goal("every = 1.7", "from");
        let many = many.verdict(&performance);
        assert!(many.is_met && many.cells.len() == 1, "{many:?}");
    }

    #[test]
    fn noisy_cells_are_marked() {
        let noisy =
            Row { noisy: Some("a build".to_owned()), ..row("l1_loss", 128, &[("reference", 2.0), ("tch", 1.0)]) };
        let line = goal(OVER_TCH, "every = 1.2", "").line(&performance(vec![noisy]));
        assert_eq!(line[4], "`l1_loss/forward/128/f32` 0.500× ‡");
    }
}
