//! The folder of the data that losscheck ships: goldens, deviations, regressions.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use losscheck_backend::pytorch::{NoVersion, PytorchVersion};

use crate::backend::Backend;
use crate::case::Case;
use crate::case::format::{self, Goldens};
use crate::case::versions::Answers;
use crate::deviations::{Deviations, PYTORCH, Policy, Scope};
use crate::error::DataError;
use crate::judge::bounds::Bounds;
use crate::loss::LossKind;

/// Where the shipped data lies.
#[derive(Clone, Debug)]
pub struct DataFolder(pub PathBuf);

impl DataFolder {
    /// The `reference_data` of the workspace that this crate was built in.
    pub fn shipped() -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        Self(crates.and_then(Path::parent).unwrap_or(Path::new(".")).join("reference_data"))
    }

    /// Reads the goldens and the tutorial's examples.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn goldens(&self) -> Result<Goldens, DataError> {
        self.goldens_of(LossKind::ALL)
    }

    /// Reads the goldens and the tutorial's examples of some losses. A file of goldens that is named after another loss is
    /// not opened.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn goldens_of(&self, losses: &[LossKind]) -> Result<Goldens, DataError> {
        let is_of_others = |file: &PathBuf| {
            let named_after = file.file_stem().and_then(|name| name.to_str()?.parse().ok());
            named_after.is_some_and(|loss: LossKind| !losses.contains(&loss))
        };
        let mut files = format::files(&self.0.join("goldens"))?;
        files.retain(|file| !is_of_others(file));
        let mut goldens = format::read_files(&files)?;
        let tutorial = format::read(&self.tutorial_file())?;
        goldens.cases.extend(tutorial.cases);
        goldens.flags.extend(tutorial.flags);
        goldens.sources.extend(tutorial.sources);
        goldens.cases.retain(|case| losses.contains(&case.loss.kind()));
        Ok(goldens)
    }

    /// Returns the golden, or example of the tutorial, of that id, with the flags of its file.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn find_golden(&self, id: &str) -> Result<Option<Goldens>, DataError> {
        format::find(&self.golden_files()?, id)
    }

    /// Returns the case of that id out of those that random testing once found.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn find_regression(&self, id: &str) -> Result<Option<Goldens>, DataError> {
        format::find(&self.regression_files()?, id)
    }

    /// Returns the id of every golden, of every example of the tutorial, and of every case that random testing once found.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn ids(&self) -> Result<Vec<String>, DataError> {
        format::ids(&[self.golden_files()?, self.regression_files()?].concat())
    }

    fn golden_files(&self) -> Result<Vec<PathBuf>, DataError> {
        let mut files = format::files(&self.0.join("goldens"))?;
        files.push(self.tutorial_file());
        Ok(files)
    }

    fn tutorial_file(&self) -> PathBuf {
        self.0.join("tutorial.json")
    }

    /// Reads the cases that random testing once found.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn regressions(&self) -> Result<Vec<Case>, DataError> {
        Ok(format::read_files(&self.regression_files()?)?.cases)
    }

    /// The files of the regressions; none if there is no such folder.
    fn regression_files(&self) -> Result<Vec<PathBuf>, DataError> {
        let folder = self.regressions_folder();
        if folder.is_dir() { format::files(&folder) } else { Ok(Vec::new()) }
    }

    /// The folder of the cases that random testing once found.
    pub fn regressions_folder(&self) -> PathBuf {
        self.0.join("regressions")
    }

    /// Returns the names of the backends that have a record of deviations; none if there is no folder of records.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder of the records is there and cannot be read.
    pub fn records(&self) -> Result<Vec<String>, DataError> {
        let mut names = Vec::new();
        for (name, _) in entries(&self.0.join("deviations"))? {
            names.extend(name.strip_suffix(".toml").map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The deviations of a backend.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or an entry is malformed.
    pub fn deviations(&self, backend: &str) -> Result<Deviations, DataError> {
        Deviations::read(&self.deviations_file(backend))
    }

    /// Reads the deviations that apply to a backend.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or an entry is malformed.
    pub fn policy(&self, backend: &str, scope: Scope) -> Result<Policy, DataError> {
        Ok(Policy::new(backend, scope, self.deviations(backend)?))
    }

    /// Reads the deviations that apply to a backend: those of its own file, if it has one.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or an entry is malformed.
    pub fn policy_of(&self, backend: &dyn Backend, scope: Scope) -> Result<Policy, DataError> {
        Ok(Policy::new(backend.name(), scope, self.deviations_in(&self.deviations_file_of(backend))?))
    }

    /// Reads the deviations in a file, which may name those of other backends in this folder.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or an entry is malformed.
    pub fn deviations_in(&self, file: &Path) -> Result<Deviations, DataError> {
        Deviations::read_among(file, &self.0.join("deviations"))
    }

    /// Returns the file of the deviations of an adapter that losscheck comes with.
    pub fn deviations_file_of_adapter(&self, name: &str) -> PathBuf {
        self.0.join("deviations/adapters").join(format!("{name}.toml"))
    }

    /// Returns the file of the deviations of a backend.
    pub fn deviations_file_of(&self, backend: &dyn Backend) -> PathBuf {
        backend.deviations().map_or_else(|| self.deviations_file(backend.name()), Path::to_path_buf)
    }

    /// Reads the deviations of a version of PyTorch: those of the current one, and those in the overlays down to the version.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or an entry is malformed.
    pub fn deviations_of_pytorch(&self, version: PytorchVersion) -> Result<Deviations, DataError> {
        let mut all = self.deviations(PYTORCH)?;
        if version == PytorchVersion::CURRENT {
            return Ok(all);
        }
        for older in self.versions()?.into_iter().filter(|&older| version <= older && older < PytorchVersion::CURRENT) {
            let file = self.versions_folder().join(older.to_string()).join("deviations.toml");
            all = all.with(Deviations::read(&file)?);
        }
        Ok(all)
    }

    /// Reads how far the reference is from exact arithmetic on large goldens.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or is not in its format.
    pub fn bounds(&self) -> Result<Bounds, DataError> {
        Bounds::read(&self.bounds_file())
    }

    /// Returns the versions of PyTorch whose answers are stored, the newest first: the current one, and those that have an
    /// overlay.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder of the overlays is there and cannot be read, or if a folder in it is called otherwise
    /// than a version.
    pub fn versions(&self) -> Result<Vec<PytorchVersion>, DataError> {
        let mut versions = vec![PytorchVersion::CURRENT];
        for (name, folder) in entries(&self.versions_folder())?.into_iter().filter(|(_, path)| path.is_dir()) {
            let version = name.parse().map_err(|error: NoVersion| DataError::new(&folder, error.to_string()))?;
            versions.push(version);
        }
        versions.sort_by(|a, b| b.cmp(a));
        Ok(versions)
    }

    /// Reads what a version of PyTorch answers to goldens where it differs from the current one.
    ///
    /// # Errors
    ///
    /// Returns an error if the answers of the version are not stored, or if an overlay cannot be read.
    pub fn answers(&self, version: PytorchVersion, goldens: &[Case]) -> Result<Answers, DataError> {
        if version == PytorchVersion::CURRENT {
            return Ok(Answers::current());
        }
        let mut all = self.answers_down_to(version, goldens)?;
        Ok(all.pop().unwrap_or_else(Answers::current))
    }

    /// Reads what the versions of PyTorch down to this one answer to goldens, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if the answers of the version are not stored, or if an overlay cannot be read.
    pub fn answers_down_to(&self, version: PytorchVersion, goldens: &[Case]) -> Result<Vec<Answers>, DataError> {
        let versions = self.versions()?;
        if !versions.contains(&version) {
            let known: Vec<String> = versions.iter().map(PytorchVersion::to_string).collect();
            let message = format!("has no answers of PyTorch {version}, but those of {}", known.join(", "));
            return Err(DataError::new(&self.versions_folder(), message));
        }
        let mut all = vec![Answers::current()];
        for version in versions.into_iter().filter(|&other| version <= other && other < PytorchVersion::CURRENT) {
            let folder = self.versions_folder().join(version.to_string());
            let older = all[all.len() - 1].before(version, &folder, goldens)?;
            all.push(older);
        }
        Ok(all)
    }

    /// The folder of the overlays: what older versions of PyTorch answer.
    pub fn versions_folder(&self) -> PathBuf {
        self.0.join("versions")
    }

    /// The file of the bounds.
    pub fn bounds_file(&self) -> PathBuf {
        self.0.join("bounds.json")
    }

    /// The file of a backend's deviations.
    pub fn deviations_file(&self, backend: &str) -> PathBuf {
        self.0.join("deviations").join(format!("{backend}.toml"))
    }
}

/// Returns the names and paths of what is in a folder; none if there is no such folder. Names that are not UTF-8 are left out.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let failed = |error: std::io::Error| DataError::new(folder, format!("cannot be read: {error}"));
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut named = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        named.extend(path.file_name().and_then(|name| name.to_str()).map(|name| (name.to_owned(), path.clone())));
    }
    Ok(named)
}
