//! How many times as long as the reference each backend takes, over all losses.

use losscheck::backend::Pass;
use losscheck::markdown::table;

use crate::numbers::times;
use crate::report::document::{Against, Performance, REFERENCE, REFERENCE_INTO, Row};
use crate::statistics::geometric_mean;

/// Returns the ratios of the rows that both have, from the lowest.
pub(crate) fn ratios<'a>(rows: impl IntoIterator<Item = &'a Row>, against: Against<'_>) -> Vec<(f64, &'a Row)> {
    let mut ratios: Vec<_> = rows.into_iter().filter_map(|row| Some((row.speed_up(against)?, row))).collect();
    ratios.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    ratios
}

/// Returns the dtypes of a document.
pub(crate) fn dtypes(performance: &Performance) -> Vec<&str> {
    let mut dtypes: Vec<&str> = performance.rows.iter().map(|row| row.dtype.as_str()).collect();
    dtypes.sort_unstable();
    dtypes.dedup();
    dtypes
}

/// Returns a line for each backend, pass, dtype and number of threads.
pub(crate) fn means(performance: &Performance) -> String {
    let others = performance.backends.iter().filter(|name| ![REFERENCE, REFERENCE_INTO].contains(&name.as_str()));
    let mut all: Vec<(Against<'_>, String)> =
        others.map(|name| (Against::Backend(name), format!("`{name}`"))).collect();
    if all.len() > 1 {
        all.push((Against::Fastest, "the fastest of them".to_owned()));
    }
    let mut lines = Vec::new();
    for (against, name) in all {
        for run in &performance.runs {
            for pass in Pass::ALL {
                for dtype in dtypes(performance) {
                    let is_meant =
                        |row: &&Row| (row.threads, row.pass, row.dtype.as_str()) == (run.threads, pass, dtype);
                    let ratios = ratios(performance.rows.iter().filter(is_meant), against);
                    let Some(mean) = geometric_mean(ratios.iter().map(|(ratio, _)| *ratio)) else { continue };
                    let (worst, row) = ratios[0];
                    let mut line = vec![name.clone(), pass.to_string(), dtype.to_owned()];
                    if performance.has_several_runs() {
                        line.push(run.threads.to_string());
                    }
                    line.extend([
                        ratios.len().to_string(),
                        times(mean),
                        times(worst),
                        format!("`{}`{}", row.name(), row.noise_mark()),
                    ]);
                    lines.push(line);
                }
            }
        }
    }
    let threads = performance.has_several_runs().then_some("threads");
    let header: Vec<&str> = ["compared with", "pass", "dtype"]
        .into_iter()
        .chain(threads)
        .chain(["workloads", "geometric mean", "worst", "which is"])
        .collect();
    table(&header, 3, lines.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::tests::{performance, row};

    #[test]
    fn the_mean_is_over_what_both_have() {
        let performance = performance(vec![
            row("l1_loss", 128, &[("reference", 1.0), ("tch", 2.0), ("candle", 10.0)]),
            row("mse_loss", 128, &[("reference", 1.0), ("tch", 8.0)]),
            row("huber_loss", 128, &[("tch", 100.0), ("candle", 100.0)]),
        ]);
        let ratios = ratios(&performance.rows, Against::Backend("tch"));
        let found: Vec<_> = ratios.iter().map(|(ratio, row)| (*ratio, row.loss.as_str())).collect();
        assert_eq!(found, [(2.0, "l1_loss"), (8.0, "mse_loss")]);

        let means = means(&performance);
        assert!(means.contains("| `tch` | forward | f32 | 2 | 4.00× | 2.00× | `l1_loss/forward/128/f32` |"), "{means}");
        assert!(means.contains("| `candle` | forward | f32 | 1 | 10.0× | 10.0× |"), "{means}");
        assert!(means.contains("| the fastest of them | forward | f32 | 2 | 4.00× | 2.00× |"), "{means}");
    }
}
