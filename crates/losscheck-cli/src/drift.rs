//! `losscheck drift`: what changed in PyTorch's losses from one version to another.

mod page;

use std::io::{self, Write};

use losscheck::backend::PytorchVersion;
use losscheck::case::python;
use losscheck::data::DataFolder;
use losscheck::error::DataError;
use losscheck::loss::LossKind;
use losscheck::run::drift::notes::Notes;
use losscheck::run::drift::{Category, Change, Kind, changes};
use serde::Serialize;

use crate::Passed;
use crate::args::{Drift, Format};
use crate::failure::Failure;
use crate::style::{DIM, HEADING};
use crate::table::{cases, fit, table, wrapped};

pub(crate) use page::page;

/// What changed between two versions of PyTorch, for `--format json` as well.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    /// The older version.
    from: String,
    /// The newer version.
    to: String,
    /// How many cases were compared.
    cases: usize,
    /// How many changed in other digits within the tolerance, or in the words of a refusal alone.
    noise: usize,
    /// The other changes: the newest first, and of each version what matters most.
    changes: Vec<ChangeReport>,
}

/// Answers to the cases of one loss that changed in one way.
#[derive(Debug, Serialize)]
struct ChangeReport {
    /// The first version with the new answers.
    since: String,
    /// The version before it that was asked.
    before: String,
    category: Category,
    kind: Kind,
    loss: &'static str,
    /// How many cases changed so.
    cases: usize,
    /// Their dtypes.
    dtypes: Vec<&'static str>,
    /// The smallest of the cases.
    witness: String,
    /// What the older version answers to it.
    older: String,
    /// What the newer version answers to it.
    newer: String,
    /// Python that shows it; null if the case is large, or there is no function to call.
    python: Option<String>,
    /// Why it changed; null if that is not known.
    why: Option<String>,
    /// The pull request or the release note; null if it was not found.
    upstream: Option<String>,
}

/// Compares the versions and prints what changed.
pub(crate) fn run(options: &Drift, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let losses = if options.losses.is_empty() { LossKind::ALL.to_vec() } else { options.losses.clone() };
    if options.from >= options.to {
        let message = format!("expected FROM to be older than TO, found {} and {}", options.from, options.to);
        return Err(Failure::Usage(message));
    }
    let document = Document::new(data, &losses, (options.from, options.to))?;
    match options.format {
        Format::Table => print(&document, options.examples, out)?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&document).map_err(io::Error::from)?)?,
    }
    Ok(Passed(true))
}

impl Document {
    /// Compares the answers of two versions, and of those between them, to the goldens of some losses.
    pub(crate) fn new(
        data: &DataFolder,
        losses: &[LossKind],
        (from, to): (PytorchVersion, PytorchVersion),
    ) -> Result<Self, DataError> {
        let goldens = data.goldens_of(losses)?.cases;
        let mut versions = data.answers_down_to(from, &goldens)?;
        if !versions.iter().any(|answers| answers.version == to) {
            // The same error as for the older version.
            data.answers(to, &goldens)?;
        }
        versions.retain(|answers| answers.version <= to);
        let changes = changes(&goldens, &versions);
        let notes = Notes::read(data)?;
        let is_noise = |change: &&Change| change.kind.category() == Category::Noise;
        Ok(Self {
            from: from.to_string(),
            to: to.to_string(),
            cases: goldens.len(),
            noise: changes.iter().filter(is_noise).map(|change| change.cases).sum(),
            changes: changes
                .iter()
                .filter(|change| !is_noise(change))
                .map(|change| ChangeReport::new(change, &notes))
                .collect(),
        })
    }
}

impl ChangeReport {
    fn new(change: &Change, notes: &Notes) -> Self {
        let Change { since, before, loss, kind, cases, dtypes, witness, answers: [older, newer] } = change;
        let note = notes.of(change);
        Self {
            since: since.to_string(),
            before: before.to_string(),
            category: kind.category(),
            kind: *kind,
            loss: loss.name(),
            cases: *cases,
            dtypes: dtypes.iter().map(|dtype| dtype.name()).collect(),
            witness: witness.id.clone(),
            older: older.clone(),
            newer: newer.clone(),
            python: python::statements(witness),
            why: note.map(|note| note.why.clone()),
            upstream: note.and_then(|note| note.upstream.clone()),
        }
    }
}

/// The categories that are listed, in this order.
const LISTED: [(Category, &str); 3] = [
    (Category::Semantics, "Semantics: what the loss is"),
    (Category::Support, "Support: what there is"),
    (Category::Accuracy, "Accuracy: numbers that moved by more than the tolerance"),
];

fn print(document: &Document, with_examples: bool, out: &mut dyn Write) -> io::Result<()> {
    let Document { from, to, cases: count, noise, changes, .. } = document;
    writeln!(out, "PyTorch {from} to {to}: what changed in the answers to {}", cases(*count))?;
    for (category, heading) in LISTED {
        let of_category: Vec<&ChangeReport> = changes.iter().filter(|change| change.category == category).collect();
        if of_category.is_empty() {
            continue;
        }
        writeln!(out, "\n{HEADING}{heading}{HEADING:#}")?;
        let mut listed = table(["since", "loss", "change", "dtypes", "cases"], 4);
        for change in &of_category {
            let ChangeReport { since, loss, kind, dtypes, cases, .. } = change;
            listed.add_row([since, *loss, kind.describe(), &dtypes.join(" "), &cases.to_string()]);
        }
        writeln!(out, "{}", fit(&mut listed).trim_fmt())?;
        for change in of_category.iter().filter(|_| with_examples) {
            example(change, out)?;
        }
    }
    if changes.is_empty() {
        writeln!(out, "\nNothing but noise.")?;
    }
    writeln!(out, "\nBesides, {} changed within the tolerance, or in the words of a refusal.", cases(*noise))?;
    if !with_examples && !changes.is_empty() {
        writeln!(out, "To see a case of each, with the reason: losscheck drift {from} {to} --examples")?;
    }
    Ok(())
}

fn example(change: &ChangeReport, out: &mut dyn Write) -> io::Result<()> {
    let ChangeReport { since, before, loss, witness, older, newer, python, why, upstream, .. } = change;
    writeln!(out, "\n  {loss}, {before} to {since}: {witness}")?;
    for (version, answer) in [(before, older), (since, newer)] {
        let lines = wrapped(&format!("{version}: {answer}"), 94);
        for line in lines {
            writeln!(out, "    {line}")?;
        }
    }
    if let Some(why) = why {
        for line in wrapped(why, 94) {
            writeln!(out, "    {line}")?;
        }
    }
    writeln!(out, "    {DIM}{}{DIM:#}", upstream.as_deref().unwrap_or("pull request not found"))?;
    match python {
        // To be copied, so it is not wrapped.
        Some(python) => writeln!(out, "    python3 -c '{python}'"),
        None => writeln!(out, "    losscheck show {witness}"),
    }
}
