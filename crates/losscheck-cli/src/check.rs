//! `losscheck check`: the matrix, then every difference.

mod render;
pub(crate) mod report;
mod update;

use std::io::Write;
use std::path::PathBuf;

use losscheck::backend::Backend;
use losscheck::case::Case;
use losscheck::case::format::Goldens;
use losscheck::data::DataFolder;
use losscheck::deviations::Scope;
use losscheck::loss::LossKind;
use losscheck::run::conformance::{Conformance, Settings};
use losscheck_protocol::message::Profile;
use losscheck_protocol::profile;

use crate::adapters::{Answered, Running};
use crate::args::{self, Check, Format};
use crate::backends;
use crate::failure::Failure;
use crate::{Passed, progress, source, table};

/// Does the run and prints what came of it.
pub(crate) fn run(options: &Check, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let mut goldens = goldens(&options.selection.losses, &options.data, data)?;
    let running = Running::start(&options.selection.columns, scope(options), data)?;
    let is_complete = select(&mut goldens.cases, options, &running)?;
    let Answered { columns, running } = running.answered(&goldens.cases, options.record.as_deref())?;
    let passed = judge((goldens, is_complete), &backends::borrow(&columns), options, data, out)?;
    out.flush()?;
    running.finish()?;
    Ok(passed)
}

/// Leaves out the cases that the options do, and returns whether the rest is what deviations speak of.
fn select(cases: &mut Vec<Case>, options: &Check, running: &Running) -> Result<bool, Failure> {
    let all = cases.len();
    if options.finite {
        cases.retain(profile::is_finite);
    }
    let of_adapter = running.adapters.iter().any(|adapter| adapter.profile() == Some(Profile::Compiled));
    if options.profile.map_or(of_adapter, |profile| profile == args::Profile::Compiled) {
        *cases = profile::compiled(std::mem::take(cases));
    }
    if cases.is_empty() {
        return Err(Failure::Usage("no case is left".to_owned()));
    }
    Ok(cases.len() == all && !options.selection.columns.dangerous)
}

/// Which deviations apply to the cases.
fn scope(options: &Check) -> Scope {
    if options.data.is_empty() { Scope::Goldens } else { Scope::Others }
}

/// Judges the answers of some backends to cases, which are all of their losses or not, and prints what came of it.
pub(crate) fn judge(
    (goldens, is_complete): (Goldens, bool),
    backends: &[&dyn Backend],
    options: &Check,
    data: &DataFolder,
    out: &mut dyn Write,
) -> Result<Passed, Failure> {
    let measured_at = args::measured_at(options.strict);
    let bar = progress::bar(goldens.cases.len(), "cases");
    let against = options.against.as_ref().map(|name| {
        let names: Vec<&str> = backends.iter().map(|backend| backend.name()).collect();
        let position = names.iter().position(|column| column == name);
        position.ok_or_else(|| Failure::Usage(format!("--against {name}: expected one of {}", names.join(", "))))
    });
    let against = against.transpose()?;
    let settings = Settings { scope: scope(options), measured_at, pytorch: options.pytorch, against, is_complete };
    let run = Conformance::run(goldens, settings, backends, data, || bar.inc(1))?;
    bar.finish_and_clear();

    if options.update_deviations {
        let updates = update::update(&run, backends, data)?;
        match options.format {
            Format::Table => update::print(&updates, out)?,
            Format::Json => json(out, &updates)?,
        }
        return Ok(Passed(true));
    }
    let report = report::Report::new(&run, backends, options, data);
    match options.format {
        Format::Table => render::print(&report, options.known, out)?,
        Format::Json => json(out, &report)?,
    }
    match report.bad.len() {
        0 => Ok(Passed(report.passed)),
        bad => {
            out.flush()?;
            let loss_refuses = "which the loss refuses, is listed with its field and the reason";
            Err(Failure::Usage(format!("bad data: {}, {loss_refuses}", table::cases(bad))))
        }
    }
}

/// Writes one JSON document.
pub(crate) fn json(out: &mut dyn Write, document: &impl serde::Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    Ok(writeln!(out)?)
}

/// Reads the cases of some losses, all if none are named: the shipped ones, or those of `--data`.
pub(crate) fn goldens(losses: &[LossKind], paths: &[PathBuf], data: &DataFolder) -> Result<Goldens, Failure> {
    let losses = args::chosen(losses);
    let mut goldens = if paths.is_empty() { data.goldens_of(&losses)? } else { source::read(paths)? };
    goldens.cases.retain(|case| losses.contains(&case.loss.kind()));
    if goldens.cases.is_empty() {
        let names: Vec<_> = losses.iter().map(|loss| loss.name()).collect();
        return Err(Failure::Usage(format!("there is no case of {}", names.join(", "))));
    }
    Ok(goldens)
}
