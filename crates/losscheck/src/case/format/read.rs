//! Reading files of cases: all of them, or only the one that is asked for.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::check::read_case;
use super::raw::{RawCase, RawFile, RawId, from_json};
use super::{FORMAT, Flag, Goldens};
use crate::case::Case;
use crate::error::{DataError, Problem};

/// Reads a file, or every `.json` file directly in a folder.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format, or if an id stands twice.
pub fn read(path: &Path) -> Result<Goldens, DataError> {
    read_files(&files(path)?)
}

/// Reads some files, in parallel.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format, or if an id stands twice.
pub fn read_files(files: &[PathBuf]) -> Result<Goldens, DataError> {
    let mut goldens = Goldens::default();
    let mut ids = HashSet::new();
    let contents: Vec<_> = files.par_iter().map(|file| parse(file, &read_bytes(file)?)).collect();
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

/// Returns the case of that id, with the flags of its file, from the first of the files that has it. Of all other cases only
/// the ids are read.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format. What is wrong with another case than the one
/// that is looked for goes unnoticed.
pub fn find(files: &[PathBuf], id: &str) -> Result<Option<Goldens>, DataError> {
    let find_in = |file: &PathBuf| {
        let bytes = read_bytes(file)?;
        let raw = RawFile::new(file, &bytes)?;
        let Some(position) = raw.ids(file)?.iter().position(|own| own == id) else { return Ok(None) };
        Ok(Some(Goldens { cases: vec![raw.case(file, position)?], flags: raw.flags }))
    };
    let found: Vec<_> = files.par_iter().map(find_in).collect();
    found.into_iter().find_map(Result::transpose).transpose()
}

/// Returns the ids of all cases of some files.
///
/// # Errors
///
/// Returns an error if a file cannot be read or is not in the golden format.
pub fn ids(files: &[PathBuf]) -> Result<Vec<String>, DataError> {
    let ids_of = |file: &PathBuf| -> Result<Vec<String>, DataError> {
        let bytes = read_bytes(file)?;
        let ids = RawFile::new(file, &bytes)?.ids(file)?;
        Ok(ids.into_iter().map(Cow::into_owned).collect())
    };
    let ids: Vec<_> = files.par_iter().map(ids_of).collect();
    Ok(ids.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// Returns the file itself, or every `.json` file directly in a folder, sorted.
///
/// # Errors
///
/// Returns an error if there is no such file or folder, or if the folder has no `.json` file.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
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

fn read_bytes(file: &Path) -> Result<Vec<u8>, DataError> {
    fs::read(file).map_err(|error| DataError::new(file, format!("cannot be read: {error}")))
}

/// Reads the cases and flags of a file that holds these bytes.
///
/// # Errors
///
/// Returns an error if they are not in the golden format.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Vec<Case>, BTreeMap<String, Flag>), DataError> {
    let raw = RawFile::new(file, bytes)?;
    let cases: Vec<_> = (0..raw.cases.len()).into_par_iter().map(|position| raw.case(file, position)).collect();
    Ok((cases.into_iter().collect::<Result<_, _>>()?, raw.flags))
}

impl<'a> RawFile<'a> {
    /// Reads all but the cases.
    fn new(file: &Path, bytes: &'a [u8]) -> Result<Self, DataError> {
        let text = str::from_utf8(bytes).map_err(|error| {
            DataError::new(file, format!("is not UTF-8 at byte {}, expected UTF-8 JSON", error.valid_up_to()))
        })?;
        let raw: Self = from_json(text).map_err(|Problem { field, message }| {
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
        Ok(raw)
    }

    /// Reads one case.
    fn case(&self, file: &Path, position: usize) -> Result<Case, DataError> {
        let text = self.cases[position].get();
        from_json::<RawCase>(text)
            .and_then(|case| match case.flags.iter().find(|flag| !self.flags.contains_key(*flag)) {
                Some(flag) => {
                    Err(Problem::new("flags", format!("`{flag}` is not explained under `flags` of the file")))
                }
                None => read_case(case),
            })
            .map_err(|problem| DataError::in_case(file, &name_of(text, position), problem))
    }

    /// Reads the ids of all cases, and nothing else of them.
    fn ids(&self, file: &Path) -> Result<Vec<Cow<'a, str>>, DataError> {
        let id = |(position, text): (usize, &&'a RawValue)| {
            let case: RawId<'a> = from_json(text.get())
                .map_err(|problem| DataError::in_case(file, &format!("number {}", position + 1), problem))?;
            Ok(case.id)
        };
        self.cases.iter().enumerate().map(id).collect()
    }
}

/// The id of a case that may be broken elsewhere, or else its number.
fn name_of(text: &str, position: usize) -> String {
    let id = serde_json::from_str::<Value>(text).ok().and_then(|case| Some(case.get("id")?.as_str()?.to_owned()));
    id.unwrap_or_else(|| format!("number {}", position + 1))
}
