//! The golden format: strict reading, with errors that name file, case and field; and writing.

mod check;
mod raw;
mod read;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::case::Case;
use check::read_case;
use raw::{RawCase, from_json};

pub use read::{files, find, ids, parse, read, read_files};
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
