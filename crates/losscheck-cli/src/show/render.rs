//! The view as tables.

use std::io::{self, Write};

use comfy_table::{Cell, Color, ContentArrangement, Table};
use losscheck::case::{Case, Expected};
use losscheck::judge::verdict::count;
use losscheck::tensor::{DType, Data, Tensor};
use serde_json::Value;

use super::view::{AnswerView, Exact, OutputView, VerdictView, View};
use crate::list::{self, About};
use crate::style::{BAD, DIM, GOOD, HEADING, NOTE};
use crate::table::{WIDTH, fit, table, wrapped};

/// How many elements of a tensor of the case to print.
const ELEMENTS: usize = 24;

/// How far explanations are indented.
const INDENT: usize = 4;

/// How many rows of a table of results to print.
const ROWS: usize = 16;

/// Prints everything.
pub(super) fn print(case: &Case, view: &View, out: &mut dyn Write) -> io::Result<()> {
    header(case, view, out)?;
    inputs(case, out)?;
    if let Some(reason) = &view.refused {
        writeln!(out, "\n{HEADING}exact{HEADING:#}: refused, {reason}")?;
        answers_alone(view, out)?;
    }
    for exact in &view.exact {
        output(case, exact, view, out)?;
        for cause in view.not_finite.iter().filter(|cause| cause.output == exact.output) {
            for (position, line) in wrapped(&cause.why, usize::from(WIDTH) - INDENT).iter().enumerate() {
                writeln!(out, "{:1$}{NOTE}{line}{NOTE:#}", "", if position == 0 { 2 } else { INDENT })?;
            }
        }
    }
    formula(case, view, out)?;
    verdicts(view, out)
}

fn header(case: &Case, view: &View, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{HEADING}{}{HEADING:#}", case.id)?;
    let options = match case.loss.write_options() {
        Value::Object(options) => list::options(&options),
        _ => String::new(),
    };
    writeln!(out, "  {}({options})", case.loss.kind().name())?;
    for (flag, explanation) in &view.flags {
        let text = format!("{flag}: {}; {}", explanation.tests, explanation.why);
        let lines = wrapped(&text, usize::from(WIDTH) - INDENT);
        for (position, line) in lines.iter().enumerate() {
            match line.strip_prefix(flag).filter(|_| position == 0) {
                Some(rest) => writeln!(out, "  {NOTE}{flag}{NOTE:#}{rest}")?,
                None => writeln!(out, "    {line}")?,
            }
        }
        explanation.upstream.iter().try_for_each(|page| writeln!(out, "    {DIM}{page}{DIM:#}"))?;
    }
    if let Some(printed) = case.printed {
        writeln!(out, "  the tutorial prints {printed:.4}")?;
    }
    if let Some(note) = &case.note {
        writeln!(out, "  {note}")?;
    }
    if let Some(Expected::Rejection { error, message }) = &case.expected
        && !message.is_empty()
    {
        writeln!(out, "  PyTorch raises {error}: {}", message.lines().next().unwrap_or_default())?;
    }
    Ok(())
}

fn inputs(case: &Case, out: &mut dyn Write) -> io::Result<()> {
    let mut inputs = table(["input", "dtype", "shape", "elements"], 4);
    let cotangent = case.cotangent.as_ref().map(|tensor| ("cotangent", tensor));
    let named = case.inputs.iter().map(|(name, tensor)| (name.as_str(), tensor));
    for (name, tensor) in named.chain(cotangent) {
        inputs.add_row([name, tensor.dtype().name(), &format!("{:?}", tensor.shape()), &elements(tensor)]);
    }
    writeln!(out, "\n{}", fit(&mut inputs).trim_fmt())
}

/// What they answer where there is nothing to compare it with.
fn answers_alone(view: &View, out: &mut dyn Write) -> io::Result<()> {
    let mut answers = table(["answer", "output", "shape", "elements"], 4);
    for AnswerView { backend, outputs, .. } in &view.answers {
        for OutputView { output, own, .. } in outputs {
            answers.add_row([backend.as_str(), output, &format!("{:?}", own.shape()), &elements(own)]);
        }
    }
    if answers.is_empty() { Ok(()) } else { writeln!(out, "\n{}", fit(&mut answers).trim_fmt()) }
}

/// One output: a row per element, the exact result, then each answer with its error.
fn output(case: &Case, exact: &Exact, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let columns: Vec<(&str, &Tensor, Errors<'_>)> = view
        .answers
        .iter()
        .filter_map(|answer| {
            let own = answer.outputs.iter().find(|own| own.output == exact.output)?;
            Some((answer.backend.as_str(), &own.own, (own.ulps.as_deref()?, own.plain_ulps.as_deref()?)))
        })
        .collect();
    let rows = worst(exact.elements.len(), &columns);
    let elided = match exact.elements.len() - rows.len() {
        0 => String::new(),
        _ => format!(", the worst {} of {} elements", rows.len(), exact.elements.len()),
    };
    writeln!(out, "\n{HEADING}{}{HEADING:#}{elided}", exact.output)?;
    if rows.is_empty() {
        return writeln!(out, "  no elements");
    }
    // Answers that do not fit on a page beside the others get a table of their own.
    let mut rest = columns.as_slice();
    loop {
        let fitting = (1..=rest.len())
            .rev()
            .find(|&number| number == 1 || width(&results(case, exact, &rows, &rest[..number])) <= usize::from(WIDTH));
        let (shown, others) = rest.split_at(fitting.unwrap_or(0));
        writeln!(out, "{}", results(case, exact, &rows, shown).trim_fmt())?;
        if others.is_empty() {
            return Ok(());
        }
        rest = others;
        writeln!(out)?;
    }
}

/// The table of some elements of an output: the exact numbers, and each answer with its errors.
fn results(case: &Case, exact: &Exact, rows: &[usize], columns: &[(&str, &Tensor, Errors<'_>)]) -> Table {
    let header = columns.iter().flat_map(|(backend, ..)| [*backend, "ULPs"]);
    let mut results = table(["", "exact"].into_iter().chain(header), 0);
    results.set_content_arrangement(ContentArrangement::Disabled);
    for &row in rows {
        let answers =
            columns.iter().flat_map(|(_, own, ulps)| [Cell::new(element(own, row)), error(ulps.0[row], ulps.1[row])]);
        let first = [Cell::new(format!("[{row}]")), Cell::new(exact_number(case.dtype(), exact.elements[row]))];
        results.add_row(first.into_iter().chain(answers));
    }
    results
}

/// The width of a table whose cells are not wrapped.
fn width(table: &Table) -> usize {
    let lines = table.trim_fmt();
    anstream::adapter::strip_str(&lines).to_string().lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// The errors of all elements at the error scale, and in plain ULPs.
type Errors<'a> = (&'a [Option<f64>], &'a [Option<f64>]);

/// The documented formula, if a number that is not finite has to be explained.
fn formula(case: &Case, view: &View, out: &mut dyn Write) -> io::Result<()> {
    if view.not_finite.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}formula{HEADING:#}")?;
    About::new(case.loss.kind()).formula.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

/// The elements to print, in order: all, or those with the largest errors.
fn worst(elements: usize, columns: &[(&str, &Tensor, Errors<'_>)]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..elements).collect();
    if elements > ROWS {
        let error =
            |row: usize| columns.iter().map(|(_, _, (ulps, _))| ulps[row].unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
        rows.sort_by(|&a, &b| error(b).total_cmp(&error(a)));
        rows.truncate(ROWS);
        rows.sort_unstable();
    }
    rows
}

fn verdicts(view: &View, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let width = view.answers.iter().map(|answer| answer.backend.len()).max().unwrap_or(0);
    for AnswerView { backend, judged_by, verdict, message, differences, .. } in &view.answers {
        write!(out, "{backend:width$}  ")?;
        let message = message.as_ref().map_or_else(String::new, |message| format!(", {message}"));
        let known = differences.iter().all(|difference| difference.known.is_some());
        let style = match verdict {
            VerdictView::Agrees | VerdictView::AgreesWithPytorchAlone => GOOD,
            VerdictView::Differs if known => NOTE,
            VerdictView::Differs => BAD,
            VerdictView::NotProvided => DIM,
        };
        let known = if *verdict == VerdictView::Differs && known { ", known" } else { "" };
        let by = judged_by.as_ref().map(|version| format!(", judged by PyTorch {version}")).unwrap_or_default();
        writeln!(out, "{style}{}{known}{by}{style:#}{message}", verdict.describe())?;
        let room = usize::from(WIDTH).saturating_sub(width + INDENT);
        for difference in differences {
            for line in wrapped(&format!("{}: {}", difference.kind.describe(), difference.message), room) {
                writeln!(out, "{:width$}    {line}", "")?;
            }
            for line in difference.known.iter().flat_map(|reason| wrapped(reason, room)) {
                writeln!(out, "{:width$}    {DIM}{line}{DIM:#}", "")?;
            }
        }
    }
    Ok(())
}

/// Returns the cell of an error at the error scale, with the plain one after it if that is another number, of 1 ULP or more.
fn error(ulps: Option<f64>, plain: Option<f64>) -> Cell {
    match ulps {
        Some(ulps) if plain.is_none_or(|plain| plain >= 1.0 && count(plain) != count(ulps)) => {
            Cell::new(format!("{} (plain {})", count(ulps), plain.map_or_else(|| "∞".to_owned(), count)))
        }
        None => Cell::new("∞").fg(Color::DarkRed),
        Some(0.0) => Cell::new("0").add_attribute(comfy_table::Attribute::Dim),
        Some(ulps) => Cell::new(count(ulps)),
    }
}

fn elements(tensor: &Tensor) -> String {
    if tensor.len() <= ELEMENTS {
        return (0..tensor.len()).map(|index| element(tensor, index)).collect::<Vec<_>>().join(" ");
    }
    let ends = [0, 1, 2, 3, 4, 5].map(|index| element(tensor, index)).join(" ");
    format!("{ends} … {}", element(tensor, tensor.len() - 1))
}

/// Returns an element as the shortest decimal that reads back.
pub(super) fn element(tensor: &Tensor, index: usize) -> String {
    match tensor.data() {
        Data::F16(data) => shortest(data[index].into(), format!("{}", data[index]), format!("{:e}", data[index])),
        Data::BF16(data) => shortest(data[index].into(), format!("{}", data[index]), format!("{:e}", data[index])),
        Data::F32(data) => shortest(data[index].into(), format!("{}", data[index]), format!("{:e}", data[index])),
        Data::F64(data) => shortest(data[index], format!("{}", data[index]), format!("{:e}", data[index])),
        Data::I64(data) => data[index].to_string(),
        Data::U8(data) => data[index].to_string(),
    }
}

/// An exact result, with a few digits more than the dtype has.
fn exact_number(dtype: DType, x: f64) -> String {
    let scientific = if dtype != DType::F64 { format!("{x:.10e}") } else { format!("{x:e}") };
    let rounded: f64 = scientific.parse().unwrap_or(x);
    shortest(x, format!("{rounded}"), format!("{rounded:e}"))
}

fn shortest(x: f64, plain: String, scientific: String) -> String {
    if x == 0.0 || !x.is_finite() || (1e-4..1e7).contains(&x.abs()) { plain } else { scientific }
}
