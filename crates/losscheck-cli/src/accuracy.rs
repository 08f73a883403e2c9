//! `losscheck accuracy`: how exact each backend is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use comfy_table::{Cell, Color};
use losscheck::accuracy::{Inputs, Key, Measure, Plan, Results, Row};
use losscheck::definition::Output;
use losscheck::golden::write_case;
use losscheck::loss::LossKind;
use losscheck::tensor::DType;
use losscheck::verdict::count;

use crate::args::{Accuracy, Format};
use crate::check::json;
use crate::failure::Failure;
use crate::style::{DIM, HEADING, NOTE};
use crate::table::{missing, table};
use crate::{Passed, backends, progress};

/// How many of the worst of each backend to name.
const NAMED: usize = 5;

/// Measures, and prints the table; there is nothing to fail.
pub(crate) fn run(options: &Accuracy, out: &mut dyn Write) -> Result<Passed, Failure> {
    let plan = Plan {
        losses: options.selection.losses(),
        dtypes: if options.dtypes.is_empty() { DType::FLOATS.to_vec() } else { options.dtypes.clone() },
        effort: options.effort(),
        exhaustive: options.exhaustive,
        shard: options.shard,
    };
    let backends = backends::select(&options.selection.backends);
    let bar = progress::bar(plan.parts().iter().map(|part| part.size() as usize).sum(), "parts");
    let results = plan.run(&backends::borrow(&backends), options.results.as_deref(), |done| bar.inc(done))?;
    bar.finish_and_clear();
    match options.format {
        Format::Json => json(out, &results)?,
        Format::Table => print(&results, &backends::names(&backends), out)?,
    }
    Ok(Passed(true))
}

/// What a line of the table is about: all of a key but the backend.
type Line = (LossKind, Inputs, Output, DType);

fn print(results: &Results, backends: &[&str], out: &mut dyn Write) -> io::Result<()> {
    let rows = &results.rows.0;
    let line = |key: &Key| (key.loss, key.inputs, key.output, key.dtype);
    let lines: BTreeSet<Line> = rows.keys().map(line).collect();
    let header = ["loss", "inputs", "output", "dtype"].into_iter().chain(backends.iter().copied());
    let mut matrix = table(header, 4);
    for (loss, inputs, output, dtype) in lines {
        let of = |backend: &&str| rows.get(&Key { loss, inputs, dtype, output, backend: (*backend).to_owned() });
        let heads = [loss.to_string(), inputs.to_string(), output.to_string(), dtype.to_string()].map(Cell::new);
        matrix.add_row(heads.into_iter().chain(backends.iter().map(|backend| of(backend).map_or_else(missing, cell))));
    }
    writeln!(out, "{}\n", matrix.trim_fmt())?;
    writeln!(
        out,
        "{DIM}The worst error in ULPs of the exact result / in ULPs at its scale, |f| + sum |x df/dx| over the"
    )?;
    writeln!(
        out,
        "predictions. Over every number of a dtype it is the worst there is; otherwise the worst found.{DIM:#}"
    )?;
    for backend in backends {
        worst(results, backend, out)?;
    }
    Ok(())
}

fn cell(row: &Row) -> Cell {
    let number = |measure: &Measure| count(measure.worst);
    let judged = row.scaled.as_ref().unwrap_or(&row.plain).worst;
    let color = match judged {
        _ if judged <= 2.0 => Color::DarkGreen,
        _ if judged <= 8.0 => Color::DarkYellow,
        _ => Color::DarkRed,
    };
    let text = match &row.scaled {
        Some(scaled) => format!("{} / {}", number(&row.plain), number(scaled)),
        None => number(&row.plain),
    };
    Cell::new(text).fg(color)
}

/// The worst of a backend, one for each loss, output and dtype.
fn worst(results: &Results, backend: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut found: BTreeMap<(LossKind, Output, DType), (f64, &Key, &Measure)> = BTreeMap::new();
    for (key, row) in results.rows.0.iter().filter(|(key, _)| key.backend == backend) {
        let measure = row.scaled.as_ref().unwrap_or(&row.plain);
        let known = found.entry((key.loss, key.output, key.dtype)).or_insert((measure.worst, key, measure));
        if measure.worst > known.0 {
            *known = (measure.worst, key, measure);
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    writeln!(out, "\n{HEADING}Worst of {backend}{HEADING:#}")?;
    for (ulps, key, measure) in found.into_iter().take(NAMED) {
        let Key { loss, inputs, output, dtype, .. } = key;
        writeln!(out, "  {NOTE}{loss} {dtype}, {output}, {inputs}: {} ULPs{NOTE:#}", count(ulps))?;
        if let Some(witness) = &measure.witness {
            writeln!(out, "    {:e}, exact {:e}, at {}", witness.actual, witness.exact, witness.at)?;
            if let Some(case) = &witness.case {
                writeln!(out, "    {DIM}{}{DIM:#}", write_case(case))?;
            }
        }
    }
    Ok(())
}
