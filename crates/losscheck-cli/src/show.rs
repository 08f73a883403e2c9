//! `losscheck show`: one case, and what everyone answers.

mod nearest;
mod render;
mod view;

use std::io::Write;

use losscheck::golden::Goldens;
use losscheck::suite::DataFolder;

use crate::args::{Format, Show};
use crate::check::json;
use crate::failure::Failure;
use crate::{Passed, backends, source};

/// Finds the case and prints it.
pub(crate) fn run(options: &Show, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let (shipped, other) = if options.data.is_empty() {
        let regressions = Goldens { cases: data.regressions()?, ..Goldens::default() };
        (data.goldens()?, regressions)
    } else {
        (Goldens::default(), source::read(&options.data)?)
    };
    let find = |goldens: &Goldens| goldens.cases.iter().find(|case| case.id == options.case).cloned();
    let (case, strict, flags) = match (find(&shipped), find(&other)) {
        (Some(case), _) => (case, true, shipped.flags),
        (None, Some(case)) => (case, false, other.flags),
        (None, None) => {
            let ids = shipped.cases.iter().chain(&other.cases).map(|case| case.id.as_str());
            return Err(Failure::Usage(nearest::unknown(&options.case, ids)));
        }
    };
    let view = view::View::new(&case, &flags, strict, &backends::backends(), data)?;
    match options.format {
        Format::Table => render::print(&case, &view, out)?,
        Format::Json => json(out, &view)?,
    }
    Ok(Passed(true))
}
