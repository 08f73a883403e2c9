//! The plots of a document, as SVG.

mod canvas;
mod speedup;
mod throughput;

use std::io;

use losscheck::backend::Pass;

use crate::report::document::{Performance, Row};

/// The folder of the plots, beside the page.
pub const FOLDER: &str = "plots";

/// What is plotted: the rows in f32 on one thread.
fn rows(performance: &Performance, pass: Pass) -> impl Iterator<Item = &Row> {
    performance.rows.iter().filter(move |row| row.pass == pass && row.dtype == "f32" && row.threads == 1)
}

#[derive(Clone, Copy)]
enum Kind {
    SpeedUp,
    Throughput,
}

/// The plots that there is something to show in.
fn kinds(performance: &Performance) -> Vec<(Kind, Pass)> {
    let all = [Kind::SpeedUp, Kind::Throughput].into_iter().flat_map(|kind| Pass::ALL.map(|pass| (kind, pass)));
    let has_points = |&(kind, pass): &(Kind, Pass)| match kind {
        Kind::SpeedUp => !speedup::points(performance, pass).is_empty(),
        Kind::Throughput => !throughput::points(performance, pass).is_empty(),
    };
    all.filter(has_points).collect()
}

fn name(kind: Kind, pass: Pass) -> String {
    let kind = match kind {
        Kind::SpeedUp => "speedup",
        Kind::Throughput => "throughput",
    };
    format!("{kind}-{}.svg", pass.name().replace('_', "-"))
}

/// The name of each plot's file, and its title.
pub(crate) fn captions(performance: &Performance) -> Vec<(String, String)> {
    let title = |kind, pass| match kind {
        Kind::SpeedUp => speedup::title(pass),
        Kind::Throughput => throughput::title(pass),
    };
    kinds(performance).into_iter().map(|(kind, pass)| (name(kind, pass), title(kind, pass))).collect()
}

/// The plots: the name of each one's file, and the SVG.
///
/// # Errors
///
/// Where one cannot be drawn.
pub fn plots(performance: &Performance) -> io::Result<Vec<(String, String)>> {
    let draw = |(kind, pass)| {
        let svg = match kind {
            Kind::SpeedUp => speedup::draw(performance, pass),
            Kind::Throughput => throughput::draw(performance, pass),
        };
        Ok((name(kind, pass), svg?))
    };
    kinds(performance).into_iter().map(draw).collect()
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
        assert_eq!(names, ["speedup-forward.svg", "throughput-forward.svg"]);
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
