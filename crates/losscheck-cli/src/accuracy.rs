//! `losscheck accuracy`: how exact each backend is.

use std::io::{self, Write};

use comfy_table::{Cell, Color};
use losscheck::case::format::write_case;
use losscheck::judge::verdict::count;
use losscheck::run::accuracy::{AccuracyRun, Key, Results, Row};
use losscheck::tensor::DType;

use crate::args::{Accuracy, Format};
use crate::backends;
use crate::check::json;
use crate::failure::Failure;
use crate::style::{DIM, HEADING, NOTE};
use crate::table::{missing, table};
use crate::{Passed, progress};

/// How many of the worst of each backend to name.
const NAMED: usize = 5;

/// Measures, and prints the table; there is nothing to fail.
pub(crate) fn run(options: &Accuracy, out: &mut dyn Write) -> Result<Passed, Failure> {
    let plan = AccuracyRun {
        losses: options.selection.losses(),
        dtypes: if options.dtypes.is_empty() { DType::FLOATS.to_vec() } else { options.dtypes.clone() },
        budget: options.budget(),
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

fn print(results: &Results, backends: &[&str], out: &mut dyn Write) -> io::Result<()> {
    let header = ["loss", "inputs", "output", "dtype"].into_iter().chain(backends.iter().copied());
    let mut matrix = table(header, 4);
    for line in results.rows.lines() {
        let (loss, inputs, output, dtype) = line;
        let of = |backend: &&str| results.rows.row(line, backend);
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
    let color = match row.judged().worst {
        ulps if ulps <= 2.0 => Color::DarkGreen,
        ulps if ulps <= 8.0 => Color::DarkYellow,
        _ => Color::DarkRed,
    };
    Cell::new(both(row)).fg(color)
}

/// The worst error, plain and at scale where that is measured.
pub(crate) fn both(row: &Row) -> String {
    let plain = count(row.plain.worst);
    row.scaled.as_ref().map_or_else(|| plain.clone(), |scaled| format!("{plain} / {}", count(scaled.worst)))
}

fn worst(results: &Results, backend: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{HEADING}Worst of {backend}{HEADING:#}")?;
    for (key, measure) in results.rows.worst(backend).into_iter().take(NAMED) {
        let Key { loss, inputs, output, dtype, .. } = key;
        writeln!(out, "  {NOTE}{loss} {dtype}, {output}, {inputs}: {} ULPs{NOTE:#}", count(measure.worst))?;
        if let Some(witness) = &measure.witness {
            writeln!(out, "    {:e}, exact {:e}, at {}", witness.actual, witness.exact, witness.at)?;
            if let Some(case) = &witness.case {
                writeln!(out, "    {DIM}{}{DIM:#}", write_case(case))?;
            }
        }
    }
    Ok(())
}
