//! The plots of a document, as SVG.

mod canvas;
mod dots;
mod limit;
mod speedup;

use std::io;

use losscheck::backend::Pass;

use crate::report::document::{Performance, Row};
use crate::report::plots::dots::{Dot, DotPlot};

/// The folder of the plots, beside the page.
pub const FOLDER: &str = "plots";

/// Makes the plot of a pass.
type MakePlot = fn(&Performance, Pass) -> DotPlot<'_>;

/// The kinds of plots, with the beginnings of their files' names.
const KINDS: [(&str, MakePlot); 2] = [("speedup", speedup::plot), ("limit", limit::plot)];

/// Returns the dots of a pass: a number of each row in f32 on one thread that has one.
fn dots_of(performance: &Performance, pass: Pass, number: impl Fn(&Row) -> Option<f64>) -> Vec<Dot<'_>> {
    let rows = performance.rows.iter().filter(|row| row.pass == pass && row.dtype == "f32" && row.threads == 1);
    rows.filter_map(|row| Some(Dot { loss: &row.loss, size: row.size, number: number(row)? })).collect()
}

/// Returns the plots that there is something to show in, with the names of their files.
fn all(performance: &Performance) -> impl Iterator<Item = (String, DotPlot<'_>)> {
    let plots = KINDS.into_iter().flat_map(move |(kind, plot)| {
        Pass::ALL.map(|pass| {
            let file = format!("{kind}-{}.svg", pass.name().replace('_', "-"));
            (file, plot(performance, pass))
        })
    });
    plots.filter(|(_, plot)| !plot.dots.is_empty())
}

/// Returns the name of each plot's file, and its title.
pub(crate) fn captions(performance: &Performance) -> Vec<(String, String)> {
    all(performance).map(|(file, plot)| (file, plot.title)).collect()
}

/// Returns the plots: the name of each one's file, and the SVG.
///
/// # Errors
///
/// Returns an error if a plot cannot be drawn.
pub fn plots(performance: &Performance) -> io::Result<Vec<(String, String)>> {
    all(performance).map(|(file, plot)| Ok((file, plot.draw()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::tests::{performance, row};

    #[test]
    fn plots_are_of_what_there_is_and_the_same_each_time() {
        let times = [("reference", 10.0), ("tch", 35.0)];
        let with_tch = performance(vec![
            row("l1_loss", 128, &times),
            row("l1_loss", 1 << 24, &[("reference", 1e7), ("tch", 1e7)]),
            row("mse_loss", 128, &times),
        ]);
        let drawn = plots(&with_tch).unwrap();
        let names: Vec<&str> = drawn.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["speedup-forward.svg", "limit-forward.svg"]);
        assert_eq!(captions(&with_tch).len(), 2);
        assert_eq!(drawn, plots(&with_tch).unwrap());
        for (name, svg) in drawn {
            assert!(svg.starts_with("<svg") && svg.contains("l1_loss") && svg.contains("mse_loss"), "{name}");
        }
        let without = performance(vec![row("l1_loss", 128, &[("reference", 1.0)])]);
        assert_eq!(captions(&without).len(), 1);
        assert!(plots(&performance(Vec::new())).unwrap().is_empty());
    }
}
