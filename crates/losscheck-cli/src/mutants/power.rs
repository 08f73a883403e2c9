//! `losscheck mutants --random`: how much random testing lets pass.

use std::io::{self, Write};

use comfy_table::Cell;
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::deviations::{Policy, Scope};
use losscheck::loss::LossKind;
use losscheck_mutants::random::{LEAST_ULPS, Power, power, spoilers};
use serde::Serialize;

use crate::args::{Format, Mutants, chosen};
use crate::check::json;
use crate::failure::Failure;
use crate::style::{BAD, GOOD};
use crate::table::{counted, fit, table};
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
    /// In how many ways each answer was spoiled.
    spoilers: usize,
    powers: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    /// The backend by whose known deviations the answers were judged.
    backend: String,
    /// PyTorch's functional name.
    loss: &'static str,
    /// The number of spoiled answers.
    spoiled: usize,
    /// How many differ in a way that is not known.
    caught: usize,
    /// How many a known deviation excuses, whose statement they fulfil.
    known: usize,
    /// How many a rule lets pass.
    by_rule: usize,
    /// How many a known deviation excuses although they do not fulfil its statement.
    excused_otherwise: usize,
}

impl Entry {
    fn new(backend: &str, loss: LossKind, power: Power) -> Self {
        let Power { spoiled, caught, known, by_rule, otherwise } = power;
        let (backend, loss) = (backend.to_owned(), loss.name());
        Self { backend, loss, spoiled, caught, known, by_rule, excused_otherwise: otherwise }
    }

    fn percent(&self, part: usize) -> f64 {
        100.0 * part as f64 / self.spoiled.max(1) as f64
    }
}

/// A rule may let pass so many spoiled answers to the cases of a loss, in per cent.
const MOST_BY_RULE: f64 = 1.0;

/// Spoils answers and prints what became of them; fails if one was excused by no statement, or too many passed by a rule.
pub(super) fn run(options: &Mutants, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let (losses, of_each) = (chosen(&options.losses), options.cases.unwrap_or(4000));
    let names = data.records()?;
    let policies: Vec<Policy> = names.iter().map(|name| data.policy(name, Scope::Others)).collect::<Result<_, _>>()?;
    let random = RandomCases { seed: options.seed, count: of_each * losses.len(), losses: losses.clone() };
    let bar = progress::bar(random.draws().len(), "cases");
    let powers = power(&random, &policies, || bar.inc(1));
    bar.finish_and_clear();

    let entries = powers.iter().map(|((backend, loss), power)| Entry::new(backend, *loss, *power));
    let document = Document {
        losscheck: env!("CARGO_PKG_VERSION"),
        seed: options.seed,
        random_cases: of_each,
        spoilers: spoilers().count(),
        powers: entries.collect(),
    };
    match options.format {
        Format::Json => json(out, &document)?,
        Format::Table => print(&document, &losses, &names, out)?,
    }
    let is_bad = |entry: &Entry| entry.excused_otherwise > 0 || entry.percent(entry.by_rule) > MOST_BY_RULE;
    Ok(Passed(!document.powers.iter().any(is_bad)))
}

fn print(document: &Document, losses: &[LossKind], names: &[String], out: &mut dyn Write) -> io::Result<()> {
    let header = ["loss", "spoiled", "by a rule"].into_iter().chain(names.iter().map(String::as_str));
    let mut matrix = table(header.chain(["otherwise"]), 1);
    for loss in losses {
        let of_loss: Vec<&Entry> = document.powers.iter().filter(|entry| entry.loss == loss.name()).collect();
        let Some(first) = of_loss.first() else { continue };
        let share = |entry: &Entry, part: usize| Cell::new(format!("{:.2} %", entry.percent(part)));
        let known = names.iter().map(|name| {
            let entry = of_loss.iter().find(|entry| entry.backend == *name);
            entry.map_or_else(|| Cell::new("-"), |entry| share(entry, entry.known))
        });
        let otherwise = of_loss.iter().map(|entry| entry.excused_otherwise).sum::<usize>();
        let row = [Cell::new(loss.name()), Cell::new(first.spoiled), share(first, first.by_rule)];
        matrix.add_row(row.into_iter().chain(known).chain([Cell::new(otherwise)]));
    }
    writeln!(out, "{}", fit(&mut matrix).trim_fmt())?;
    let (ways, cases) = (document.spoilers, document.random_cases);
    writeln!(out, "\nRight answers to {cases} random cases of each loss, each spoiled in {ways} ways by more than")?;
    writeln!(
        out,
        "{LEAST_ULPS} ULPs: how many pass by a rule, how many each backend's known deviations excuse, and how"
    )?;
    writeln!(out, "many are excused although no statement says so. All others are caught.")?;
    let (bad, all) = (
        document.powers.iter().map(|entry| entry.excused_otherwise).sum::<usize>(),
        document.powers.iter().map(|entry| entry.spoiled).sum::<usize>(),
    );
    let judged = counted(all, "judged answer");
    match bad {
        0 => writeln!(out, "\n{judged}: {GOOD}none excused otherwise{GOOD:#}"),
        _ => writeln!(out, "\n{judged}: {BAD}{bad} excused otherwise{BAD:#}"),
    }
}
