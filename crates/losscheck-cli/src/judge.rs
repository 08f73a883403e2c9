//! `losscheck judge`: what an adapter answered to the cases of `export`.

use std::fs;
use std::io::Write;

use losscheck::backend::Backend;
use losscheck::data::DataFolder;
use losscheck::deviations::PYTORCH;
use losscheck::run::conformance::EXPECTED;
use losscheck_protocol::export::Export;
use losscheck_protocol::recording::Recording;
use losscheck_protocol::tensor::Encoding;

use crate::args::{Check, Judge, Selection};
use crate::failure::Failure;
use crate::{Passed, backends, check};

/// Judges the answers in a file, and prints what came of it.
pub(crate) fn run(options: &Judge, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let Judge { answers, losses, data: paths, strict, known, format } = options;
    let goldens = check::goldens(losses, paths, data)?;
    let exported = Export::new(&goldens.cases, Encoding::Bits);
    let mut columns: Vec<Recording> = Vec::new();
    for file in answers {
        let bad = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| bad(format!("cannot be read: {error}")))?;
        let recording = Recording::read(&text, &goldens.cases, &exported.hash).map_err(|line| bad(line.to_string()))?;
        let built_in = backends::backends();
        let taken = backends::names(&built_in).into_iter().chain([PYTORCH, EXPECTED]);
        if taken.chain(columns.iter().map(Backend::name)).any(|taken| taken == recording.name()) {
            return Err(bad(format!("line 1: `name`: `{}` is the name of another column", recording.name())));
        }
        let deviations = data.deviations_file_of_adapter(recording.name());
        columns.push(recording.with_deviations(Some(deviations)));
    }
    let check = Check {
        selection: Selection { losses: losses.clone(), ..Selection::default() },
        data: paths.clone(),
        strict: *strict,
        known: *known,
        format: *format,
        answers: answers.clone(),
        ..Check::default()
    };
    let columns: Vec<&dyn Backend> = columns.iter().map(|column| column as &dyn Backend).collect();
    check::judge((goldens, true), &columns, &check, data, out)
}
