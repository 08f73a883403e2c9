//! The conformance run: all cases on all backends, held against the deviations on record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::backend::Backend;
use crate::bounds::Bounds;
use crate::case::Case;
use crate::deviations::{Deviations, Record};
use crate::golden::{self, DataError, Flag, Goldens};
use crate::loss::LossKind;
use crate::runner::{PYTORCH, run_case};
use crate::verdict::{Difference, Kind, Verdict};

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
        let mut files = golden::files(&self.0.join("goldens"))?;
        files.retain(|file| !is_of_others(file));
        let mut goldens = golden::read_files(&files)?;
        let tutorial = golden::read(&self.tutorial_file())?;
        goldens.cases.extend(tutorial.cases);
        goldens.flags.extend(tutorial.flags);
        goldens.cases.retain(|case| losses.contains(&case.loss.kind()));
        Ok(goldens)
    }

    /// Returns the golden, or example of the tutorial, of that id, with the flags of its file.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn find_golden(&self, id: &str) -> Result<Option<Goldens>, DataError> {
        golden::find(&self.golden_files()?, id)
    }

    /// Returns the case of that id out of those that random testing once found.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn find_regression(&self, id: &str) -> Result<Option<Goldens>, DataError> {
        golden::find(&self.regression_files()?, id)
    }

    /// Returns the id of every golden, of every example of the tutorial, and of every case that random testing once found.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in the golden format.
    pub fn ids(&self) -> Result<Vec<String>, DataError> {
        golden::ids(&[self.golden_files()?, self.regression_files()?].concat())
    }

    fn golden_files(&self) -> Result<Vec<PathBuf>, DataError> {
        let mut files = golden::files(&self.0.join("goldens"))?;
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
        Ok(golden::read_files(&self.regression_files()?)?.cases)
    }

    /// The files of the regressions; none if there is no such folder.
    fn regression_files(&self) -> Result<Vec<PathBuf>, DataError> {
        let folder = self.regressions_folder();
        if folder.is_dir() { golden::files(&folder) } else { Ok(Vec::new()) }
    }

    /// The folder of the cases that random testing once found.
    pub fn regressions_folder(&self) -> PathBuf {
        self.0.join("regressions")
    }

    /// The deviations of a backend.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or an entry is malformed.
    pub fn deviations(&self, backend: &str) -> Result<Deviations, DataError> {
        Deviations::read(&self.deviations_file(backend))
    }

    /// Reads how far the reference is from exact arithmetic on large goldens.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or is not in its format.
    pub fn bounds(&self) -> Result<Bounds, DataError> {
        Bounds::read(&self.bounds_file())
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

/// A column of the matrix: a backend, or PyTorch's stored answers.
#[derive(Debug)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// Its deviations.
    pub deviations: Deviations,
    /// A verdict for each case.
    pub verdicts: Vec<Verdict>,
}

/// A cell of the matrix: how many cases of a loss went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Agree.
    pub agree: usize,
    /// Differ, but on record.
    pub on_record: usize,
    /// Differ.
    pub differ: usize,
    /// The backend has nothing for them.
    pub not_provided: usize,
}

/// A case on which a column differs.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The case.
    pub case: &'a Case,
    /// The difference.
    pub difference: &'a Difference,
    /// The deviation that excuses it.
    pub excuse: Option<&'a Record>,
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// The cases.
    pub cases: Vec<Case>,
    /// What their flags mean.
    pub flags: BTreeMap<String, Flag>,
    /// PyTorch first, then the backends in their order.
    pub columns: Vec<Column>,
    /// Whether the cases are the shipped goldens, on which deviations are strict.
    pub strict: bool,
}

impl Run {
    /// Evaluates the cases on all processors; `progress` hears of each that is done.
    ///
    /// # Errors
    ///
    /// Returns an error if a file of deviations, or that of the bounds, cannot be read.
    pub fn new(
        goldens: Goldens,
        strict: bool,
        backends: &[&dyn Backend],
        data: &DataFolder,
        progress: impl Fn() + Sync,
    ) -> Result<Self, DataError> {
        let names = [PYTORCH].into_iter().chain(backends.iter().map(|backend| backend.name()));
        let column = |name| Ok(Column { name, deviations: data.deviations(name)?, verdicts: Vec::new() });
        let mut columns = names.map(column).collect::<Result<Vec<_>, _>>()?;
        let bounds = data.bounds()?;
        let Goldens { cases, flags } = goldens;
        let verdicts: Vec<Vec<Verdict>> = cases
            .par_iter()
            .map(|case| {
                let verdicts = run_case(case, backends, &bounds);
                progress();
                verdicts
            })
            .collect();
        for row in verdicts {
            for (column, verdict) in columns.iter_mut().zip(row) {
                column.verdicts.push(verdict);
            }
        }
        Ok(Self { cases, flags, columns, strict })
    }

    /// The deviation that excuses a difference.
    fn excuse<'a>(&'a self, column: &'a Column, case: &Case, kind: Kind) -> Option<&'a Record> {
        if self.strict {
            column.deviations.excuse_golden(case, kind)
        } else {
            // Where PyTorch's own arithmetic fails, a backend that does as PyTorch does is no worse.
            let pytorch = self.columns.iter().find(|column| column.name == PYTORCH);
            let own = column.deviations.excuse_other(case, kind);
            own.or_else(|| pytorch.and_then(|pytorch| pytorch.deviations.excuse_other(case, kind)))
        }
    }

    /// Every difference of a column.
    pub fn findings<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = Finding<'a>> {
        self.cases.iter().zip(&column.verdicts).flat_map(move |(case, verdict)| {
            let differences = match verdict {
                Verdict::Differs(differences) => differences.as_slice(),
                _ => &[],
            };
            differences.iter().map(move |difference| Finding {
                case,
                difference,
                excuse: self.excuse(column, case, difference.kind),
            })
        })
    }

    /// The cell of a loss.
    pub fn tally(&self, column: &Column, loss: LossKind) -> Tally {
        let mut tally = Tally::default();
        for (case, verdict) in self.cases.iter().zip(&column.verdicts).filter(|(case, _)| case.loss.kind() == loss) {
            match verdict {
                Verdict::Agrees => tally.agree += 1,
                Verdict::NotProvided(_) => tally.not_provided += 1,
                Verdict::Differs(differences) => {
                    let excused = |difference: &Difference| self.excuse(column, case, difference.kind).is_some();
                    *if differences.iter().all(excused) { &mut tally.on_record } else { &mut tally.differ } += 1;
                }
            }
        }
        tally
    }

    /// What is no longer true of a column's deviations.
    pub fn stale(&self, column: &Column) -> Vec<String> {
        if self.strict { column.deviations.stale(self.cases.iter().zip(&column.verdicts)) } else { Vec::new() }
    }

    /// Whether all agree or are on record, and the record is true.
    pub fn passed(&self) -> bool {
        let clean = |column| self.findings(column).all(|finding| finding.excuse.is_some());
        self.columns.iter().all(|column| clean(column) && self.stale(column).is_empty())
    }
}
