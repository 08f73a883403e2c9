//! `--update-deviations`: the record is rewritten from what differs now.

use std::io::{self, Write};
use std::path::PathBuf;

use losscheck::deviations::{Record, UNEXPLAINED};
use losscheck::golden::DataError;
use losscheck::suite::{DataFolder, Run};
use serde::Serialize;

use crate::style::{BAD, GOOD, HEADING, NOTE};

/// What changed in the record of one backend.
#[derive(Debug, Serialize)]
pub(crate) struct Update {
    /// The backend.
    backend: &'static str,
    /// Its record.
    file: PathBuf,
    /// Entries that are new, for a person to explain.
    added: Vec<Record>,
    /// Entries whose cases are others now.
    changed: Vec<Record>,
    /// Entries that no case needs any more.
    removed: Vec<Record>,
}

/// Rewrites the record of every column of the run.
pub(crate) fn update(run: &Run, data: &DataFolder) -> Result<Vec<Update>, DataError> {
    let mut updates = Vec::new();
    for column in &run.columns {
        let updated = column.deviations.updated(run.cases.iter().zip(&column.verdicts));
        let file = data.deviations_file(column.name);
        let old: Vec<&Record> = column.deviations.records().collect();
        let new: Vec<&Record> = updated.records().collect();
        if old != new {
            let folder = file.parent().unwrap_or(&file);
            std::fs::create_dir_all(folder)
                .map_err(|error| DataError::new(folder, format!("cannot be created: {error}")))?;
            updated.write(&file)?;
        }
        let missing = |from: &[&Record], record: &&Record| !from.iter().any(|other| same(other, record));
        updates.push(Update {
            backend: column.name,
            file,
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

/// Whether two records are versions of one entry.
fn same(a: &Record, b: &Record) -> bool {
    a.loss == b.loss && a.kind == b.kind && a.reason == b.reason && (a.reason != UNEXPLAINED || a.witness == b.witness)
}

/// Prints what changed.
pub(crate) fn print(updates: &[Update], out: &mut dyn Write) -> io::Result<()> {
    for Update { backend, file, added, changed, removed } in updates {
        if added.is_empty() && changed.is_empty() && removed.is_empty() {
            writeln!(out, "{HEADING}{backend}{HEADING:#}: unchanged")?;
            continue;
        }
        writeln!(out, "{HEADING}{backend}{HEADING:#}: {}", file.display())?;
        for (records, what) in [
            (added, format!("{BAD}added{BAD:#}  ")),
            (changed, format!("{NOTE}changed{NOTE:#}")),
            (removed, format!("{GOOD}removed{GOOD:#}")),
        ] {
            for Record { loss, kind, witness, reason, .. } in records {
                writeln!(out, "  {what} {loss}, {}: {witness} ({reason})", kind.describe())?;
            }
        }
    }
    if updates.iter().any(|update| !update.added.is_empty()) {
        writeln!(out, "\nReplace each reason `{UNEXPLAINED}`, and say in `upstream` where it is reported.")?;
    }
    Ok(())
}
