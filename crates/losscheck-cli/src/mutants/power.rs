//! `losscheck mutants --random`: how much random testing lets pass.

use std::io::{self, Write};

use comfy_table::Cell;
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::deviations::{Policy, Scope};
use losscheck::error::DataError;
use losscheck::loss::LossKind;
use losscheck_mutants::random::{LEAST_ULPS, MOST_BY_RULE, Power, limits, power, spoilers};
use serde::Serialize;

use crate::args::{Format, Mutants, chosen};
use crate::check::json;
use crate::failure::Failure;
use crate::style::{BAD, GOOD};
use crate::table::{counted, fit, table};
use crate::{Passed, progress};

/// How many random cases of each loss are drawn if nobody says otherwise.
pub(crate) const CASES: usize = 4000;

/// The document of `--format json`.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    /// The version of the program.
    losscheck: &'static str,
    /// What the random cases came from.
    pub(crate) seed: u64,
    /// How many of each loss there were.
    pub(crate) random_cases: usize,
    /// In how many ways each answer was spoiled.
    spoilers: usize,
    pub(crate) powers: Vec<Entry>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// The backend by whose known deviations the answers were judged.
    pub(crate) backend: String,
    /// PyTorch's functional name.
    pub(crate) loss: &'static str,
    /// The number of spoiled answers.
    pub(crate) spoiled: usize,
    /// How many differ in a way that is not known.
    caught: usize,
    /// How many a known deviation excuses, whose statement they fulfil.
    pub(crate) known: usize,
    /// How many a rule lets pass.
    pub(crate) by_rule: usize,
    /// How many a known deviation excuses although they do not fulfil its statement.
    pub(crate) excused_otherwise: usize,
}

impl Entry {
    fn new(backend: &str, loss: LossKind, power: Power) -> Self {
        let Power { spoiled, caught, known, by_rule, otherwise } = power;
        let (backend, loss) = (backend.to_owned(), loss.name());
        Self { backend, loss, spoiled, caught, known, by_rule, excused_otherwise: otherwise }
    }

    pub(crate) fn percent(&self, part: usize) -> f64 {
        100.0 * part as f64 / self.spoiled.max(1) as f64
    }
}

impl Document {
    /// Spoils the right answers to random cases, so many of each of these losses, and judges them by each record of `data`.
    pub(crate) fn new(
        data: &DataFolder,
        losses: &[LossKind],
        (random_cases, seed): (usize, u64),
    ) -> Result<Self, DataError> {
        let names = data.records()?;
        let policies: Vec<Policy> =
            names.iter().map(|name| data.policy(name, Scope::Others)).collect::<Result<_, _>>()?;
        let random = RandomCases { seed, count: random_cases * losses.len(), losses: losses.to_vec() };
        let bar = progress::bar(random.draws().len(), "cases");
        let powers = power(&random, &policies, || bar.inc(1));
        bar.finish_and_clear();
        let entries = powers.iter().map(|((backend, loss), power)| Entry::new(backend, *loss, *power));
        Ok(Self {
            losscheck: env!("CARGO_PKG_VERSION"),
            seed,
            random_cases,
            spoilers: spoilers().count(),
            powers: entries.collect(),
        })
    }

    /// Returns whether no answer is excused by no statement, and rules let no more pass than they may.
    pub(crate) fn passed(&self) -> bool {
        let most =
            |entry: &Entry| limits().iter().find(|limit| limit.loss.name() == entry.loss).map(|limit| limit.percent);
        let is_bad = |entry: &Entry| {
            entry.excused_otherwise > 0 || entry.percent(entry.by_rule) > most(entry).unwrap_or(MOST_BY_RULE)
        };
        !self.powers.iter().any(is_bad)
    }
}

/// Spoils answers and prints what became of them; fails if one was excused by no statement, or too many passed by a rule.
pub(super) fn run(options: &Mutants, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let losses = chosen(&options.losses);
    let document = Document::new(data, &losses, (options.cases.unwrap_or(CASES), options.seed))?;
    match options.format {
        Format::Json => json(out, &document)?,
        Format::Table => print(&document, &losses, &data.records()?, out)?,
    }
    Ok(Passed(document.passed()))
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
