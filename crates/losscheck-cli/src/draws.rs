//! What the verbs that draw random cases share: the cases, the command that repeats it, and where to keep what it finds.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::deviations::Known;
use losscheck::run::table::Table;

use crate::adapters::Running;
use crate::args::Draws;
use crate::source::{quoted, reference_data, show_command};
use crate::style::{DIM, HEADING, NOTE};
use crate::table::counted;

impl Draws {
    /// The random cases to draw.
    pub(crate) fn random_cases(&self) -> RandomCases {
        let seed = self.seed.unwrap_or_else(seed_from_clock);
        RandomCases { seed, count: self.cases, losses: self.selection.losses() }
    }

    /// The command by which a verb repeats a run with that seed.
    pub(crate) fn command(&self, verb: &str, seed: u64, data: &DataFolder) -> String {
        let mut command = format!("losscheck {verb} --cases {} --seed {seed}", self.cases);
        command.push_str(&self.selection.columns.arguments());
        for loss in &self.selection.losses {
            write!(command, " --loss {}", loss.name()).expect("a string takes all");
        }
        if let Some(folder) = &self.out {
            write!(command, " --out {}", quoted(&folder.to_string_lossy())).expect("a string takes all");
        }
        command + &reference_data(data)
    }

    /// Returns the same draws, whose finds are kept in the folder in which the program was started if adapters take part: they
    /// say nothing of the backends that the shipped regressions are about.
    pub(crate) fn keeping_apart(&self, running: &Running) -> Self {
        let apart = (!running.adapters.is_empty()).then(|| PathBuf::from("regressions"));
        Self { out: self.out.clone().or(apart), ..self.clone() }
    }

    /// Where to keep what is found.
    pub(crate) fn folder(&self, data: &DataFolder) -> PathBuf {
        self.out.clone().unwrap_or_else(|| data.regressions_folder())
    }

    /// The command that shows a case which is kept there.
    pub(crate) fn show_command(&self, case: &str, data: &DataFolder) -> String {
        let paths: Vec<PathBuf> = self.out.iter().cloned().collect();
        show_command(case, &paths, data) + &self.selection.columns.adapters()
    }
}

/// A seed that one can type.
fn seed_from_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.as_secs() as u32 ^ since.subsec_nanos())
}

/// The names of the files in which something is kept.
pub(crate) fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Prints for each backend the number of its known deviations that a run has met, and how to list them; or lists them, with
/// the number of rows that each covers, if `lists_known`.
pub(crate) fn known<R: Send>(
    table: &Table<R>,
    thing: &str,
    (lists_known, command): (bool, &str),
    out: &mut dyn Write,
) -> io::Result<()> {
    let known: Vec<_> = table.columns.iter().map(|column| (column.name(), table.known(column))).collect();
    if known.iter().all(|(_, deviations)| deviations.is_empty()) {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}Known deviations{HEADING:#}")?;
    if !lists_known {
        for (backend, deviations) in &known {
            writeln!(out, "  {NOTE}{backend}: {}{NOTE:#}", counted(deviations.len(), "known deviation"))?;
        }
        return writeln!(out, "  To list them: {command} --known");
    }
    let all = known.iter().flat_map(|(backend, known)| known.iter().map(move |known| (*backend, known)));
    for (backend, (Known { of, deviation }, count)) in all {
        let (gives, covered) = (deviation.gives.join("; "), counted(*count, thing));
        let of = if of == backend { String::new() } else { format!(", as {of}") };
        writeln!(out, "  {NOTE}{backend} {}, {gives}{of}: {covered}{NOTE:#}", deviation.loss)?;
        writeln!(out, "    {}", deviation.reason)?;
        writeln!(out, "    {DIM}{}; {}{DIM:#}", deviation.upstream, show_witness(&deviation.witness))?;
    }
    Ok(())
}

/// Returns the command that shows the witness of a known deviation.
pub(crate) fn show_witness(witness: &str) -> String {
    format!("losscheck show {}", quoted(witness))
}
