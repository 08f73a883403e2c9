//! `losscheck mutants`: what the suite catches.

pub(crate) mod power;

use std::io::{self, Write};

use comfy_table::{Cell, Color};
use losscheck::data::DataFolder;
use losscheck::loss::LossKind;
use losscheck_mutants::{Check, Score, Source, Suite, catalogue, score};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::args::{Format, Mutants, chosen};
use crate::check::json;
use crate::failure::Failure;
use crate::style::{BAD, DIM, GOOD, HEADING, NOTE};
use crate::table::{counted, table};
use crate::{Passed, progress};

/// The document of `--format json`.
#[derive(Debug, Serialize)]
struct Document {
    /// The version of the program.
    losscheck: &'static str,
    /// What the random cases came from.
    seed: u64,
    /// How many of each loss there were.
    random_cases: usize,
    mutants: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    /// PyTorch's functional name.
    loss: &'static str,
    /// What is wrong with it.
    mistake: String,
    /// Where a framework made it.
    source: Option<&'static str>,
    /// By check the case that caught it.
    caught: Map<String, Value>,
}

impl Entry {
    fn new(score: &Score) -> Self {
        let caught = score.caught.iter().map(|(check, case)| (check.name().to_owned(), case.as_str().into()));
        let source = match score.source {
            Source::Systematic => None,
            Source::Known(page) => Some(page),
        };
        Self { loss: score.loss.name(), mistake: score.mistake.clone(), source, caught: caught.collect() }
    }
}

/// Scores every mutant; fails where none of the checks catches one.
pub(crate) fn run(options: &Mutants, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    if options.random {
        return power::run(options, data, out);
    }
    let (losses, cases) = (chosen(&options.losses), options.cases.unwrap_or(400));
    let bar = progress::bar(losses.iter().map(|&loss| catalogue(loss).len()).sum(), "mutants");
    let suites = Suite::all(data, &losses, cases, options.seed)?;
    let scores: Vec<Score> = suites.iter().flat_map(|suite| score(suite, || bar.inc(1))).collect();
    bar.finish_and_clear();

    match options.format {
        Format::Json => {
            let mutants = scores.iter().map(Entry::new).collect();
            let (seed, random_cases) = (options.seed, cases);
            json(out, &Document { losscheck: env!("CARGO_PKG_VERSION"), seed, random_cases, mutants })?;
        }
        Format::Table => print(&losses, &scores, options.all, out)?,
    }
    Ok(Passed(scores.iter().all(|score| !score.caught.is_empty())))
}

fn print(losses: &[LossKind], scores: &[Score], all: bool, out: &mut dyn Write) -> io::Result<()> {
    let header = ["loss", "mutants"].into_iter().chain(Check::ALL.iter().map(|check| check.name()));
    let mut matrix = table(header.chain(["caught"]), 1);
    for &loss in losses {
        let of_loss: Vec<&Score> = scores.iter().filter(|score| score.loss == loss).collect();
        matrix.add_row(row(loss.name(), &of_loss));
    }
    matrix.add_row(row("all", &scores.iter().collect::<Vec<_>>()));
    writeln!(out, "{}", matrix.trim_fmt())?;

    for (heading, style, is_listed) in [
        ("Every mutant", DIM, &(|_: &Score| all) as &dyn Fn(&Score) -> bool),
        ("Missed by the goldens", NOTE, &|score| !score.caught.is_empty() && score.caught_by(Check::Goldens).is_none()),
        ("Missed by all", BAD, &|score| score.caught.is_empty()),
    ] {
        let listed: Vec<&Score> = scores.iter().filter(|score| is_listed(score)).collect();
        if listed.is_empty() {
            continue;
        }
        writeln!(out, "\n{HEADING}{heading}{HEADING:#}")?;
        for score in listed {
            writeln!(out, "  {style}{}: {}{style:#}", score.loss.name(), score.mistake)?;
            if let Source::Known(page) = score.source {
                writeln!(out, "    {DIM}{page}{DIM:#}")?;
            }
            for (check, case) in &score.caught {
                writeln!(out, "    {DIM}{}: {case}{DIM:#}", check.name())?;
            }
        }
    }
    let missed = scores.iter().filter(|score| score.caught.is_empty()).count();
    let mutants = counted(scores.len(), "mutant");
    match missed {
        0 => writeln!(out, "\n{mutants}: {GOOD}all caught{GOOD:#}"),
        _ => writeln!(out, "\n{mutants}: {BAD}{missed} missed{BAD:#}"),
    }
}

fn row(name: &str, scores: &[&Score]) -> Vec<Cell> {
    let number = |count: usize| {
        let color = if count == scores.len() { Color::DarkGreen } else { Color::DarkYellow };
        Cell::new(count).fg(color)
    };
    let by = |check| number(scores.iter().filter(|score| score.caught_by(check).is_some()).count());
    let caught = scores.iter().filter(|score| !score.caught.is_empty()).count();
    let percent = Cell::new(format!("{:.1} %", 100.0 * caught as f64 / scores.len().max(1) as f64));
    [Cell::new(name), Cell::new(scores.len())].into_iter().chain(Check::ALL.map(by)).chain([percent]).collect()
}
