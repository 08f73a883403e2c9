//! `losscheck show`: one case, and what everyone answers.

mod cause;
mod nearest;
mod render;
mod view;

use std::collections::BTreeMap;
use std::io::Write;

use losscheck::case::Case;
use losscheck::case::format::{Flag, Goldens};
use losscheck::data::DataFolder;
use losscheck::deviations::Scope;

use crate::adapters::Running;
use crate::args::{self, Format, Show};
use crate::check::json;
use crate::failure::Failure;
use crate::{Passed, source};

/// Finds the case and prints it.
pub(crate) fn run(options: &Show, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let Found { case, flags, scope } = find(options, data)?;
    let running = Running::start(&options.columns, scope, data)?;
    let measured_at = args::measured_at(options.strict);
    let view = view::View::new(&case, &flags, (scope, measured_at), &running.backends(), data)?;
    match options.format {
        Format::Table => render::print(&case, &view, out)?,
        Format::Json => json(out, &view)?,
    }
    out.flush()?;
    running.finish()?;
    Ok(Passed(true))
}

/// The case that is asked for.
struct Found {
    case: Case,
    flags: BTreeMap<String, Flag>,
    /// Which deviations apply to the case.
    scope: Scope,
}

/// Finds the case among those of `--data`, or else among the shipped ones.
fn find(options: &Show, data: &DataFolder) -> Result<Found, Failure> {
    let id = &options.case;
    if !options.data.is_empty() {
        let Goldens { cases, flags, .. } = source::read(&options.data)?;
        return match cases.iter().find(|case| case.id == *id) {
            Some(case) => Ok(Found { case: case.clone(), flags, scope: Scope::Others }),
            None => Err(unknown(id, cases.iter().map(|case| case.id.as_str()))),
        };
    }
    let (found, scope) = match data.find_golden(id)? {
        Some(found) => (Some(found), Scope::Goldens),
        None => (data.find_regression(id)?, Scope::Others),
    };
    match found.and_then(|Goldens { cases, flags, .. }| Some((cases.into_iter().next()?, flags))) {
        Some((case, flags)) => Ok(Found { case, flags, scope }),
        None => Err(unknown(id, data.ids()?.iter().map(String::as_str))),
    }
}

fn unknown<'a>(id: &str, ids: impl Iterator<Item = &'a str>) -> Failure {
    Failure::Usage(nearest::unknown(id, ids))
}
