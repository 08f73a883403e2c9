//! `losscheck judge`: what an adapter answered to the cases of `export`.

use std::fs;
use std::io::Write;

use losscheck::backend::Backend;
use losscheck::data::DataFolder;
use losscheck::deviations::PYTORCH;
use losscheck::run::conformance::EXPECTED;
use losscheck_protocol::recording::Recording;

use crate::args::{Check, Encoding, Judge, Selection};
use crate::failure::Failure;
use crate::{Passed, backends, check, export};

/// Judges the answers in a file, and prints what came of it.
pub(crate) fn run(options: &Judge, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let Judge { answers, losses, data: paths, strict, known, format } = options;
    let (goldens, exported) = export::export(losses, paths, Encoding::Bits, data)?;
    let bad = |what: String| Failure::Usage(format!("{}: {what}", answers.display()));
    let text = fs::read_to_string(answers).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let recording = Recording::read(&text, &goldens.cases, &exported.hash).map_err(|line| bad(line.to_string()))?;
    let taken = backends::backends();
    let taken = [backends::names(&taken), vec![PYTORCH, EXPECTED]].concat();
    if taken.contains(&recording.name()) {
        return Err(bad(format!("line 1: `name`: `{}` is the name of another column", recording.name())));
    }
    let check = Check {
        selection: Selection { losses: losses.clone(), ..Selection::default() },
        data: paths.clone(),
        strict: *strict,
        known: *known,
        format: *format,
        answers: Some(answers.clone()),
        ..Check::default()
    };
    check::judge(goldens, &[&recording], &check, data, out)
}
