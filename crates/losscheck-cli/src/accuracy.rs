//! `losscheck accuracy`: how exact each backend is.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, Width};
use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::deviations::Scope;
use losscheck::judge::verdict::count;
use losscheck::loss::{Inputs, LossExt, Output, Outputs};
use losscheck::run::accuracy::{AccuracyRun, InputSet, Key, Measure, Results, Row, Witness};
use losscheck::tensor::{DType, Tensor};

use crate::adapters::Running;
use crate::args::{Accuracy, Format};
use crate::check::json;
use crate::failure::Failure;
use crate::style::{DIM, HEADING};
use crate::table::{WIDTH, fit, missing, table};
use crate::{Passed, progress};

/// How many elements of a tensor to print.
const ELEMENTS: usize = 3;

/// How wide the column of the worst input is at least.
const INPUT: u16 = 24;

/// How wide the columns of dtype and errors are, with the space between all columns.
const OTHERS: usize = 36;

/// Measures, and prints the table; there is nothing to fail.
pub(crate) fn run(options: &Accuracy, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let plan = AccuracyRun {
        losses: options.selection.losses(),
        dtypes: if options.dtypes.is_empty() { DType::FLOATS.to_vec() } else { options.dtypes.clone() },
        budget: options.budget(),
        exhaustive: options.exhaustive,
        shard: options.shard,
    };
    let running = Running::start(&options.selection.columns, Scope::Others, data)?;
    running.takes_any_case()?;
    let backends = running.backends();
    let bar = progress::bar(plan.parts().iter().map(|part| part.size() as usize).sum(), "parts");
    let results = plan.run(&backends, options.results.as_deref(), |done| bar.inc(done))?;
    bar.finish_and_clear();
    match options.format {
        Format::Json => json(out, &results)?,
        Format::Table => print(&results, &backends.iter().map(|backend| backend.name()).collect::<Vec<_>>(), out)?,
    }
    out.flush()?;
    running.finish()?;
    Ok(Passed(true))
}

fn print(results: &Results, backends: &[&str], out: &mut dyn Write) -> io::Result<()> {
    for (position, backend) in backends.iter().enumerate() {
        writeln!(out, "{}{HEADING}{backend}{HEADING:#}", if position > 0 { "\n" } else { "" })?;
        let mut worst = results.rows.worst(backend);
        if worst.is_empty() {
            writeln!(out, "  provides none of the losses")?;
            continue;
        }
        worst.sort_by_key(|(key, _)| (key.loss, key.output, key.dtype));
        let mut rows = table(["loss", "output", "dtype", "ULPs", "at scale", "worst input"], 3);
        let width = |text: &dyn Fn(&Key) -> String| {
            worst.iter().map(|(key, _)| text(key).chars().count()).max().unwrap_or_default()
        };
        let names = width(&|key| key.loss.to_string()) + width(&|key| key.output.to_string());
        let room = usize::from(WIDTH).saturating_sub(names + OTHERS);
        let names_fit = room >= usize::from(INPUT);
        if let Some(column) = rows.column_mut(5) {
            column.set_cell_alignment(CellAlignment::Left);
            if !names_fit {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(INPUT)));
            }
        }
        // Names that do not fit are wrapped, which leaves a second line for the input, too.
        let room = if names_fit { room } else { 2 * usize::from(INPUT) - 2 };
        for &(key, measure) in &worst {
            let Some(row) = results.rows.0.get(key) else { continue };
            let heads = [key.loss.to_string(), key.output.to_string(), key.dtype.to_string()].map(Cell::new);
            let at_scale = row.scaled.as_ref().map_or_else(missing, |scaled| ulps(scaled.worst));
            let cells = [ulps(row.plain.worst), at_scale, Cell::new(shortened(input(key, measure), room))];
            rows.add_row(heads.into_iter().chain(cells));
        }
        writeln!(out, "{}", fit(&mut rows).trim_fmt())?;
    }
    writeln!(
        out,
        "\n{DIM}ULPs: the worst error, in units in the last place of the exact result. At scale: in such units\n\
         of |f| + sum |x df/dx| over the predictions; the worst input is chosen by it. \"every\": of all\n\
         numbers of the dtype, so that nothing is worse; otherwise the worst that was found. Inputs are\n\
         rounded here; --format json holds the whole cases.{DIM:#}"
    )
}

/// An error in ULPs, coloured by its size.
fn ulps(worst: f64) -> Cell {
    let color = match worst {
        ulps if ulps <= 2.0 => Color::DarkGreen,
        ulps if ulps <= 8.0 => Color::DarkYellow,
        _ => Color::DarkRed,
    };
    Cell::new(count(worst)).fg(color)
}

/// Returns the input on which an error is worst: the element of each tensor that the output's element belongs to, or else the
/// tensors' first elements. Of a large case it is the set of inputs.
fn input(key: &Key, measure: &Measure) -> String {
    let Some(Witness { case: Some(case), at, .. }) = &measure.witness else { return key.inputs.to_string() };
    let shape = shape(case, key.output);
    let tensors = case.inputs.iter().map(|(name, tensor)| {
        let own =
            shape.as_deref().filter(|&shape| shape == tensor.shape()).and(Some(*at)).filter(|at| *at < tensor.len());
        format!("{name} {}", own.map_or_else(|| first(tensor), |at| short(tensor.to_f64()[at])))
    });
    let defaults = case.loss.kind().defaults().write_options();
    let own = case.loss.write_options();
    // The sets of inputs say whether the losses are reduced.
    let options = own.as_object().into_iter().flatten().filter(|(name, _)| *name != "reduction");
    let options = options.filter(|(name, value)| defaults.get(name.as_str()) != Some(value));
    let options = options.map(|(name, value)| match value.as_f64() {
        Some(number) => format!("{name}={}", short(number)),
        None => format!("{name}={value}"),
    });
    let text = tensors.chain(options).collect::<Vec<_>>().join(", ");
    match key.inputs {
        InputSet::Searched => text,
        InputSet::Every(_) => format!("every: {text}"),
        InputSet::Elements(_) => format!("{}: {text}", key.inputs),
    }
}

/// The shape of an output of a case.
fn shape(case: &Case, output: Output) -> Option<Vec<usize>> {
    match output {
        Output::Value => {
            let value = case.loss.evaluate(&Inputs::<f64>::from(case), Outputs::Value).ok()?.value;
            Some(value.shape().to_vec())
        }
        Output::Gradient(name) => case.input(name).map(|tensor| tensor.shape().to_vec()),
    }
}

/// The first elements of a tensor.
fn first(tensor: &Tensor) -> String {
    let numbers = tensor.to_f64();
    let shown: Vec<_> = numbers.iter().take(ELEMENTS).map(|&x| short(x)).collect();
    match numbers.len() {
        1 => shown.concat(),
        count if count <= ELEMENTS => format!("[{}]", shown.join(" ")),
        _ => format!("[{} …]", shown.join(" ")),
    }
}

/// A number, rounded to four digits.
fn short(x: f64) -> String {
    let scientific = format!("{x:.3e}");
    match scientific.parse::<f64>() {
        Ok(rounded) if rounded == 0.0 || (1e-3..1e5).contains(&rounded.abs()) => rounded.to_string(),
        Ok(rounded) if rounded.is_finite() => format!("{rounded:e}"),
        _ => x.to_string(),
    }
}

/// A text, cut off if it is longer than a number of characters.
fn shortened(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(2)).chain(" …".chars()).collect()
}

/// The worst error, plain and at scale where that is measured.
pub(crate) fn both(row: &Row) -> String {
    let plain = count(row.plain.worst);
    row.scaled.as_ref().map_or_else(|| plain.clone(), |scaled| format!("{plain} / {}", count(scaled.worst)))
}
