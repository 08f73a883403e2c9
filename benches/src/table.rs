//! The tables that the programs print: the backends side by side.

use comfy_table::{CellAlignment, Table, presets};

use crate::measure::{Measured, Timing};
use crate::numbers::digits;

/// Returns a table with a header. The columns after the first `left` are aligned to the right.
pub(crate) fn with_header<T: Into<comfy_table::Cell>>(header: impl IntoIterator<Item = T>, left: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<_>>());
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Returns the table: nanoseconds per element of the input, and for each backend but the first how many times those of the
/// first. `None` where nothing was timed.
pub fn render(backends: &[&str], rows: &[Measured]) -> Option<String> {
    let timed = |row: &&Measured| row.timings.iter().any(|timing| matches!(timing, Timing::Timed(_)));
    let rows: Vec<&Measured> = rows.iter().filter(timed).collect();
    let (first, others) = backends.split_first().filter(|_| !rows.is_empty())?;

    let header = ["loss", "pass", "shape", "dtype", first].into_iter();
    let mut table = with_header(header.chain(others.iter().flat_map(|&name| [name, "ratio"])), 4);
    for row in rows {
        let workload = row.workload;
        let (loss, dtype) = (workload.loss.name().to_owned(), workload.dtype.name().to_owned());
        let mut line = vec![loss, row.pass.to_string(), workload.shape_name(), dtype];
        for (position, timing) in row.timings.iter().enumerate() {
            line.push(time(timing, workload.elements()));
            if position > 0 {
                line.push(ratio(timing, &row.timings[0]));
            }
        }
        table.add_row(line);
    }
    let title = "nanoseconds per element of the input (median), and the ratio to the reference's; `-`: no such loss, or it \
        differs";
    Some(format!("{title}\n\n{}\n\n", table.trim_fmt()))
}

fn time(timing: &Timing, elements: usize) -> String {
    match timing {
        Timing::Timed(seconds) => digits(seconds * 1e9 / elements as f64),
        Timing::Absent(_) => "-".to_owned(),
        Timing::Ran | Timing::Unselected => String::new(),
    }
}

fn ratio(timing: &Timing, first: &Timing) -> String {
    match (timing, first) {
        (Timing::Timed(seconds), Timing::Timed(first)) => format!("{}x", digits(seconds / first)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use losscheck::backend::Pass;
    use losscheck::loss::LossKind;
    use losscheck::tensor::DType;

    use super::*;
    use crate::workloads::{Shapes, Workload};

    #[test]
    fn a_row_for_each_benchmark_that_ran() {
        let workload = Workload { loss: LossKind::MseLoss, shapes: Shapes::Small, dtype: DType::F32 };
        let row = |timings: &[Timing]| Measured {
            workload,
            pass: Pass::Forward,
            timings: timings.to_vec(),
            workspace: None,
            noisy: None,
        };
        let missing = Timing::Absent("no such loss".to_owned());
        let backends = ["reference", "candle-nn", "tch"];
        assert_eq!(render(&backends, &[row(&[Timing::Unselected, missing.clone(), Timing::Ran])]), None);

        let rows =
            [row(&[Timing::Timed(64e-9), missing, Timing::Timed(1.28e-6)]), row(&[const { Timing::Unselected }; 3])];
        let text = render(&backends, &rows).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(lines.contains(&vec!["mse_loss", "forward", "128", "f32", "0.500", "-", "10.0", "20.0x"]), "{text}");
        assert_eq!(lines.iter().filter(|line| line.first() == Some(&"mse_loss")).count(), 1);
    }
}
