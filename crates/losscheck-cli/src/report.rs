//! `losscheck report`: the pages that a reader finds in `reports`.

mod accuracy;
mod conformance;
mod power;
mod targets;

use std::io::Write;
use std::path::{Path, PathBuf};

use anstream::eprintln;
use losscheck::backend::Backend;
use losscheck::case::format;
use losscheck::data::DataFolder;
use losscheck::deviations::Scope;
use losscheck::error::DataError;
use losscheck::files::write_atomically;
use losscheck::judge::MeasuredAt;
use losscheck::loss::LossKind;
use losscheck::run::accuracy::Results;
use losscheck::run::conformance::{Conformance, Settings};

use crate::backends;
use crate::check::report::Report;
use crate::failure::Failure;
use crate::mutants::power::{CASES, Document};
use crate::{Passed, args, drift, progress};

pub use accuracy::page as accuracy_page;
pub use conformance::Page as ConformancePage;

/// The page on the versions of PyTorch.
pub const VERSIONS: &str = "pytorch-versions.md";
/// The results that the page of accuracy is written from.
pub const ACCURACY: &str = "accuracy.json";
/// The inputs on which each library is the most off, as a file of cases.
pub const WITNESSES: &str = "witnesses.json";

/// Writes the pages, whole or not at all.
pub(crate) fn run(options: &args::Report, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    if options.out.is_none() && cfg!(not(feature = "tch")) {
        return Err(Failure::Usage(
            "this build is without libtorch, whose column the pages in `reports` have: add `--features tch`, \
             or choose another folder by `--out`"
                .to_owned(),
        ));
    }
    let folder = options.out.clone().unwrap_or_else(reports);
    std::fs::create_dir_all(&folder)?;
    let mut write = |name: &str, text: &str| -> Result<(), Failure> {
        let file = folder.join(name);
        write_atomically(&file, text.as_bytes())?;
        Ok(writeln!(out, "{}", file.display())?)
    };
    let results = match &options.accuracy {
        Some(found) => {
            let mut results = Results::read_folder(found)?;
            let before = folder.join(ACCURACY);
            if before.exists() && !results.keep(Results::read(&before)?) {
                let (before, found) = (before.display(), found.display());
                eprintln!(
                    "{before}: made with another effort or version than {found}, so that none of its rows is kept"
                );
            }
            results
        }
        None => Results::read(&folder.join(ACCURACY))?,
    };
    let (page, witnesses) = accuracy_page(&results);
    write(ACCURACY, &results.to_text())?;
    write("accuracy.md", &page)?;
    format::write(&folder.join(WITNESSES), &witnesses)?;

    let page = conformance(data, &backends::backends())?;
    write("conformance.md", &page.text())?;

    if let Some(page) = versions_page(data)? {
        write(VERSIONS, &page)?;
    }

    let backends = data.records()?;
    if backends.is_empty() {
        // Without records there is nothing that could excuse a wrong answer, and nothing to measure.
        return Ok(Passed(page.passed));
    }
    let powers = Document::new(data, LossKind::ALL, (CASES, 1))?;
    write("power.md", &power::page(&powers, &backends))?;
    Ok(Passed(page.passed && powers.passed()))
}

/// Returns the page on the versions of PyTorch, or `None` if the answers of one version alone are stored.
///
/// # Errors
///
/// Returns an error if a file of the reference data cannot be read.
pub fn versions_page(data: &DataFolder) -> Result<Option<String>, DataError> {
    let versions = data.versions()?;
    let [newest, .., oldest] = versions[..] else { return Ok(None) };
    let document = drift::Document::new(data, LossKind::ALL, (oldest, newest))?;
    Ok(Some(drift::page(&document, &versions)))
}

/// The page of conformance, from a run of these backends over all goldens.
///
/// # Errors
///
/// Where a file of the reference data cannot be read.
pub fn conformance(data: &DataFolder, backends: &[Box<dyn Backend>]) -> Result<ConformancePage, DataError> {
    let goldens = data.goldens()?;
    let bar = progress::bar(goldens.cases.len(), "cases");
    let settings = Settings {
        scope: Scope::Goldens,
        measured_at: MeasuredAt::ErrorScale,
        pytorch: None,
        against: None,
        is_complete: true,
    };
    let backends = &backends::borrow(backends);
    let run = Conformance::run(goldens, settings, backends, data, || bar.inc(1))?;
    bar.finish_and_clear();
    Ok(ConformancePage::new(&Report::new(&run, backends, &args::Check::default(), data)))
}

/// The folder of the repository.
pub fn reports() -> PathBuf {
    DataFolder::shipped().0.parent().unwrap_or(Path::new(".")).join("reports")
}
