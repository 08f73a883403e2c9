//! The golden format: strict reading, with errors that name file, case and field; and writing.

mod check;
mod raw;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::case::Case;
use check::read_case;
use raw::{RawCase, RawFile, from_json};

pub use write::{write, write_atomically, write_case, write_tensor};

/// The version of the format.
pub const FORMAT: &str = "losscheck-goldens/1";

/// What is wrong with a data file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {place}{message}", file = file.display())]
pub struct DataError {
    file: PathBuf,
    place: String,
    message: String,
}

impl DataError {
    /// An error about a file as a whole.
    pub fn new(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: String::new(), message: message.into() }
    }

    fn in_case(file: &Path, case: &str, problem: Problem) -> Self {
        let field = if problem.field.is_empty() { String::new() } else { format!("`{}`: ", problem.field) };
        Self { file: file.to_owned(), place: format!("case `{case}`: {field}"), message: problem.message }
    }
}

/// What is wrong with a field of a case.
struct Problem {
    field: String,
    message: String,
}

impl Problem {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// What a category of cases is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// What its cases test.
    pub tests: String,
    /// Why that is worth a test.
    pub why: String,
    /// The upstream issues behind it.
    pub upstream: Vec<String>,
}

/// Cases, with the flags that explain their categories.
#[derive(Clone, Debug, Default)]
pub struct Goldens {
    /// The cases, in the order of the files.
    pub cases: Vec<Case>,
    /// The categories by name.
    pub flags: BTreeMap<String, Flag>,
}

/// Reads a file, or every `.json` file directly in a folder.
///
/// # Errors
///
/// Where a file cannot be read or is not in the golden format, or an id stands twice.
pub fn read(path: &Path) -> Result<Goldens, DataError> {
    let mut goldens = Goldens::default();
    let mut ids = HashSet::new();
    let files = files(path)?;
    let contents: Vec<_> = files.par_iter().map(|file| read_file(file)).collect();
    for (file, contents) in files.iter().zip(contents) {
        let (cases, flags) = contents?;
        for case in &cases {
            if !ids.insert(case.id.clone()) {
                return Err(DataError::in_case(file, &case.id, Problem::new("id", "duplicate, expected a unique id")));
            }
        }
        goldens.cases.extend(cases);
        goldens.flags.extend(flags);
    }
    Ok(goldens)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error: std::io::Error| DataError::new(path, format!("cannot be read: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(DataError::new(path, "has no .json file, expected at least one in the golden format"));
    }
    files.sort();
    Ok(files)
}

fn read_file(file: &Path) -> Result<(Vec<Case>, BTreeMap<String, Flag>), DataError> {
    let bytes = fs::read(file).map_err(|error| DataError::new(file, format!("cannot be read: {error}")))?;
    parse(file, &bytes)
}

/// The cases and flags of a file that holds these bytes.
///
/// # Errors
///
/// Where they are not in the golden format.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Vec<Case>, BTreeMap<String, Flag>), DataError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        DataError::new(file, format!("is not UTF-8 at byte {}, expected UTF-8 JSON", error.valid_up_to()))
    })?;
    let raw: RawFile<'_> = from_json(text).map_err(|Problem { field, message }| {
        let field = if field.is_empty() { field } else { format!("`{field}`: ") };
        DataError::new(file, format!("{field}{message}"))
    })?;
    if raw.format != FORMAT {
        return Err(DataError::new(file, format!("`format` is `{}`, expected `{FORMAT}`", raw.format)));
    }
    if raw.count != raw.cases.len() {
        let message = format!("`count` is {}, expected {}, the number of cases", raw.count, raw.cases.len());
        return Err(DataError::new(file, message));
    }
    let read = |text: &&RawValue| {
        let case: RawCase = from_json(text.get())?;
        match case.flags.iter().find(|flag| !raw.flags.contains_key(*flag)) {
            Some(flag) => Err(Problem::new("flags", format!("`{flag}` is not explained under `flags` of the file"))),
            None => read_case(case),
        }
    };
    let cases: Vec<Result<Case, Problem>> = raw.cases.par_iter().map(read).collect();
    let named = |(position, case): (usize, Result<Case, Problem>)| {
        case.map_err(|problem| DataError::in_case(file, &name_of(raw.cases[position].get(), position), problem))
    };
    let cases = cases.into_iter().enumerate().map(named).collect::<Result<_, _>>()?;
    Ok((cases, raw.flags))
}

/// The id of a case that may be broken elsewhere, or else its number.
fn name_of(text: &str, position: usize) -> String {
    let id = serde_json::from_str::<Value>(text).ok().and_then(|case| Some(case.get("id")?.as_str()?.to_owned()));
    id.unwrap_or_else(|| format!("number {}", position + 1))
}

/// Reads one case, as [`write_case`] writes it.
///
/// # Errors
///
/// Where it is not in the golden format, with the field.
pub fn case_of(value: &Value) -> Result<Case, String> {
    from_json::<RawCase>(&value.to_string())
        .and_then(read_case)
        .map_err(|Problem { field, message }| if field.is_empty() { message } else { format!("`{field}`: {message}") })
}
