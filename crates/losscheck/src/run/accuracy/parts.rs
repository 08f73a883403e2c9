//! The work in parts, each of which leaves its rows in a file: a run can be broken off, taken up again, and split.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{InputSet, Rows, SCREEN, SWEEPS, lengths, search, sweeps};
use crate::backend::Backend;
use crate::error::DataError;
use crate::files::write_atomically;
use crate::loss::{LossKind, LossKindExt, Output};
use crate::tensor::DType;

const FORMAT: &str = "losscheck-accuracy/1";

/// What to measure.
#[derive(Clone, Debug)]
pub struct AccuracyRun {
    /// The losses.
    pub losses: Vec<LossKind>,
    /// The dtypes.
    pub dtypes: Vec<DType>,
    /// How hard to search.
    pub budget: SearchBudget,
    /// Whether to go through all numbers of f32, too, rather than of the 16-bit dtypes alone.
    pub exhaustive: bool,
    /// Which of the parts.
    pub shard: Shard,
}

/// How hard to search for the worst input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchBudget {
    /// How many random cases of a loss and dtype.
    pub samples: usize,
    /// From how many of the worst of them, for each output, measure and backend, to look for worse ones.
    pub restarts: usize,
    /// In how many steps each.
    pub steps: usize,
}

/// One of so many shares of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// All the work.
    pub const ALL: Self = Self { number: 1, of: 1 };
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("`{text}`, expected i/n with i from 1 to n, such as 2/4")),
        }
    }
}

/// A part of the work.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Search the inputs of a loss.
    Search(LossKind, DType),
    /// Measure its reductions.
    Lengths(LossKind, DType),
    /// Go through all numbers of a slice, by its place in [`SWEEPS`], in 16 bits.
    Sweep(usize, DType),
    /// Go through one piece of those in f32.
    Piece(usize, u64),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Search(loss, dtype) => write!(f, "search {loss} {dtype}"),
            Self::Lengths(loss, dtype) => write!(f, "reductions {loss} {dtype}"),
            Self::Sweep(slice, dtype) => write!(f, "every {} {dtype}", SWEEPS[*slice].name),
            Self::Piece(slice, piece) => {
                write!(f, "every {} f32 {}/{}", SWEEPS[*slice].name, piece + 1, sweeps::PIECES)
            }
        }
    }
}

impl Part {
    /// How much work it is, in no particular unit.
    pub fn size(self) -> u64 {
        match self {
            Self::Piece(..) => sweeps::chunks(),
            _ => 1,
        }
    }

    fn run(self, backends: &[&dyn Backend], budget: SearchBudget, progress: &(dyn Fn(u64) + Sync)) -> Rows {
        let rows = match self {
            Self::Search(loss, dtype) => search::search(loss, dtype, backends, budget),
            Self::Lengths(loss, dtype) => lengths::reduced(loss, dtype, backends),
            Self::Sweep(slice, dtype) => SWEEPS[slice].of_16_bits(dtype, backends),
            Self::Piece(slice, piece) => return SWEEPS[slice].of_32_bits(piece, backends, &|| progress(1)),
        };
        progress(1);
        rows
    }

    fn file(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.to_string().replace([' ', '/', '\''], "-")))
    }
}

impl AccuracyRun {
    /// The parts of the shard.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for &loss in &self.losses {
            let dtypes = loss.dtypes().iter().copied().filter(|dtype| self.dtypes.contains(dtype));
            parts.extend(dtypes.clone().map(|dtype| Part::Search(loss, dtype)));
            // In 16 bits a sum is rounded as everything else is.
            let wide = dtypes.filter(|dtype| matches!(dtype, DType::F32 | DType::F64));
            parts.extend(wide.map(|dtype| Part::Lengths(loss, dtype)));
        }
        let of_losses = || SWEEPS.iter().enumerate().filter(|(_, slice)| self.losses.contains(&slice.loss));
        for dtype in [DType::F16, DType::BF16].into_iter().filter(|dtype| self.dtypes.contains(dtype)) {
            parts.extend(of_losses().map(|(slice, _)| Part::Sweep(slice, dtype)));
        }
        if self.exhaustive && self.dtypes.contains(&DType::F32) {
            parts.extend(
                of_losses().flat_map(|(slice, _)| (0..sweeps::PIECES).map(move |piece| Part::Piece(slice, piece))),
            );
        }
        let Shard { number, of } = self.shard;
        parts.into_iter().skip(number - 1).step_by(of).collect()
    }

    /// Measures the backends, on all processors; `progress` hears how much of the parts' sizes is done. What a part finds
    /// is kept in `folder`, if there is one, and taken from there if it has been found before.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or written.
    pub fn run(
        &self,
        backends: &[&dyn Backend],
        folder: Option<&Path>,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Results, DataError> {
        let made = Made::new(backends, self.budget);
        let run = |part: Part| -> Result<Results, DataError> {
            let file = folder.map(|folder| part.file(folder));
            if let Some(file) = file.as_ref().filter(|file| file.exists()) {
                let results = Results::read(file)?;
                if results.made.covers(&made) {
                    progress(part.size());
                    return Ok(results.of(backends));
                }
            }
            let results = Results::new(made.clone(), part.run(backends, self.budget, &progress));
            if let Some(file) = file {
                results.write(&file)?;
            }
            Ok(results)
        };
        let parts: Vec<Results> = self.parts().into_par_iter().map(run).collect::<Result<_, _>>()?;
        let mut rows = Rows::default();
        for part in parts {
            rows.merge(part.rows);
        }
        Ok(Results::new(made, rows))
    }
}

/// What a run measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    format: String,
    /// What measured it.
    pub made: Made,
    /// The table.
    pub rows: Rows,
}

/// What results depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The version of losscheck.
    pub losscheck: String,
    /// How hard the worst inputs were searched.
    pub budget: SearchBudget,
    /// The backends with their versions.
    pub backends: BTreeMap<String, String>,
}

impl Made {
    fn new(backends: &[&dyn Backend], budget: SearchBudget) -> Self {
        let backends = backends.iter().map(|backend| (backend.name().to_owned(), backend.version())).collect();
        Self { losscheck: env!("CARGO_PKG_VERSION").to_owned(), budget, backends }
    }

    /// Whether results that this made go together with those that `other` made.
    fn takes(&self, other: &Self) -> bool {
        let agrees = |(name, version): (&String, &String)| self.backends.get(name).is_none_or(|own| own == version);
        self.losscheck == other.losscheck && self.budget == other.budget && other.backends.iter().all(agrees)
    }

    /// Whether what this made answers for `other`.
    fn covers(&self, other: &Self) -> bool {
        let has = |(name, version): (&String, &String)| self.backends.get(name) == Some(version);
        self.losscheck == other.losscheck && self.budget == other.budget && other.backends.iter().all(has)
    }
}

impl Results {
    fn new(made: Made, rows: Rows) -> Self {
        Self { format: FORMAT.to_owned(), made, rows }
    }

    /// The rows of these backends alone, and of the screen.
    fn of(mut self, backends: &[&dyn Backend]) -> Self {
        let is_named = |name: &str| name == SCREEN || backends.iter().any(|backend| backend.name() == name);
        self.rows.0.retain(|key, _| is_named(&key.backend));
        self
    }

    /// Reads what [`Results::write`] wrote.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or holds something else.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let failed = |error: &dyn fmt::Display| DataError::new(file, format!("{error}"));
        let text = std::fs::read_to_string(file).map_err(|error| failed(&format!("cannot be read: {error}")))?;
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let results: Self = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| failed(&format!("`{}`: {}", error.path(), error.inner())))?;
        if results.format != FORMAT {
            return Err(failed(&format!("`format` is `{}`, expected `{FORMAT}`", results.format)));
        }
        Ok(results)
    }

    /// Puts together what all parts left in a folder.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, holds something else, or was made with another budget or another version, or where
    /// pieces of a slice are missing.
    pub fn read_folder(folder: &Path) -> Result<Self, DataError> {
        let failed = |error: &dyn fmt::Display| DataError::new(folder, format!("cannot be read: {error}"));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
            let file = entry.map_err(|error| failed(&error))?.path();
            files.extend(file.extension().is_some_and(|extension| extension == "json").then_some(file));
        }
        files.sort();
        let mut files = files.into_iter();
        let none = || DataError::new(folder, "holds no results, expected those of `losscheck accuracy --results`");
        let mut all = Self::read(&files.next().ok_or_else(none)?)?;
        for file in files {
            let Self { made, rows, .. } = Self::read(&file)?;
            if !all.made.takes(&made) {
                let message = format!("was made by {made:?}, expected {:?} as the others in the folder", all.made);
                return Err(DataError::new(&file, message));
            }
            all.made.backends.extend(made.backends);
            all.rows.merge(rows);
        }
        for (key, row) in &all.rows.0 {
            // A value for each number; the screen's are a sample.
            if let (InputSet::Every(slice), DType::F32, Output::Value) = (key.inputs, key.dtype, key.output)
                && key.backend != SCREEN
                && row.plain.histogram.total() != sweeps::FINITE_NUMBERS
            {
                let (backend, pieces) = (&key.backend, sweeps::PIECES);
                let message = format!("`{slice}` on {backend}: pieces are missing, expected {pieces}");
                return Err(DataError::new(folder, message));
            }
        }
        Ok(all)
    }

    /// Adds the rows of earlier results that are not among these, and says whether it could: they must have been made with
    /// the same budget and versions.
    #[must_use]
    pub fn keep(&mut self, earlier: Self) -> bool {
        let fits = self.made.takes(&earlier.made);
        if fits {
            self.made.backends.extend(earlier.made.backends);
            for (key, row) in earlier.rows.0 {
                self.rows.0.entry(key).or_insert(row);
            }
        }
        fits
    }

    /// Writes the results, a row in each line, whole or not at all.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), DataError> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let failed = |error: std::io::Error| DataError::new(folder, format!("cannot be created: {error}"));
        std::fs::create_dir_all(folder).map_err(failed)?;
        write_atomically(file, self.to_text().as_bytes())
    }

    /// The text that [`Results::write`] writes.
    pub fn to_text(&self) -> String {
        let json = |value: serde_json::Result<serde_json::Value>| value.expect("rows are plain data");
        let made = json(serde_json::to_value(&self.made));
        let rows = json(serde_json::to_value(&self.rows));
        let rows: Vec<String> = rows.as_array().into_iter().flatten().map(|row| row.to_string()).collect();
        format!("{{\n\"format\": \"{}\",\n\"made\": {made},\n\"rows\": [\n{}\n]\n}}\n", self.format, rows.join(",\n"))
    }
}
