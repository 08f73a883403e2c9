//! `--update-deviations`: the deviations are rewritten from what differs now.

use std::io::{self, Write};
use std::path::PathBuf;

use losscheck::backend::Backend;
use losscheck::data::DataFolder;
use losscheck::deviations::{Deviation, UNEXPLAINED};
use losscheck::error::DataError;
use losscheck::run::conformance::Conformance;
use serde::Serialize;

use super::report::deviations_file;
use crate::style::{BAD, GOOD, HEADING, NOTE};

/// What changed in the deviations of one backend.
#[derive(Debug, Serialize)]
pub(crate) struct Update {
    /// The backend.
    backend: String,
    /// Their file.
    file: PathBuf,
    /// Whether the backend provides other numbers of cases than before.
    counts_changed: bool,
    /// Whether other deviations of PyTorch are true of the backend than before.
    same_as_changed: bool,
    /// Entries that are new, for a person to explain.
    added: Vec<Deviation>,
    /// Entries whose cases are others now.
    changed: Vec<Deviation>,
    /// Entries that no case needs any more.
    removed: Vec<Deviation>,
}

/// Rewrites the deviations of every column of the run.
pub(crate) fn update(
    run: &Conformance,
    backends: &[&dyn Backend],
    data: &DataFolder,
) -> Result<Vec<Update>, DataError> {
    let mut updates = Vec::new();
    for column in &run.table.columns {
        let updated = run.updated(column);
        let file = deviations_file(column.name(), backends, data);
        let old: Vec<&Deviation> = column.policy.own.iter().collect();
        let new: Vec<&Deviation> = updated.iter().collect();
        let counts_changed = column.policy.own.provided != updated.provided;
        let same_as_changed = !column.policy.own.same_as().eq(updated.same_as());
        if old != new || counts_changed || same_as_changed {
            let folder = file.parent().unwrap_or(&file);
            std::fs::create_dir_all(folder)
                .map_err(|error| DataError::new(folder, format!("cannot be created: {error}")))?;
            updated.write(&file)?;
        }
        let missing = |from: &[&Deviation], record: &&Deviation| !from.iter().any(|other| same(other, record));
        updates.push(Update {
            backend: column.name().to_owned(),
            file,
            counts_changed,
            same_as_changed,
            added: new.iter().copied().filter(|record| missing(&old, record)).cloned().collect(),
            changed: new
                .iter()
                .copied()
                .filter(|record| !missing(&old, record) && !old.contains(record))
                .cloned()
                .collect(),
            removed: old.iter().copied().filter(|record| missing(&new, record)).cloned().collect(),
        });
    }
    Ok(updates)
}

/// Whether two deviations are versions of one entry.
fn same(a: &Deviation, b: &Deviation) -> bool {
    a.path() == b.path()
}

/// Prints what changed.
pub(crate) fn print(updates: &[Update], out: &mut dyn Write) -> io::Result<()> {
    for Update { backend, file, counts_changed, same_as_changed, added, changed, removed } in updates {
        if !counts_changed && !same_as_changed && added.is_empty() && changed.is_empty() && removed.is_empty() {
            writeln!(out, "{HEADING}{backend}{HEADING:#}: unchanged")?;
            continue;
        }
        writeln!(out, "{HEADING}{backend}{HEADING:#}: {}", file.display())?;
        if *counts_changed {
            writeln!(out, "  {NOTE}changed{NOTE:#} the numbers of cases that it provides")?;
        }
        if *same_as_changed {
            writeln!(out, "  {NOTE}changed{NOTE:#} the deviations of PyTorch that are true of it, too")?;
        }
        for (records, what) in [
            (added, format!("{BAD}added{BAD:#}  ")),
            (changed, format!("{NOTE}changed{NOTE:#}")),
            (removed, format!("{GOOD}removed{GOOD:#}")),
        ] {
            for record in records {
                let Deviation { witness, reason, gives, .. } = record;
                writeln!(out, "  {what} {}, {}: {witness} ({reason})", record.path(), gives.join("; "))?;
            }
        }
    }
    if updates.iter().any(|update| !update.added.is_empty()) {
        writeln!(out, "\nReplace each reason `{UNEXPLAINED}`, and say in `upstream` where it is reported.")?;
    }
    Ok(())
}
