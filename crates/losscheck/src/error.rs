//! Errors in data files.

use std::path::{Path, PathBuf};

/// An error in a data file: which file, where in it, and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {place}{message}", file = file.display())]
pub struct DataError {
    file: PathBuf,
    place: String,
    message: String,
}

impl DataError {
    /// Returns an error about a file as a whole.
    pub fn new(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: String::new(), message: message.into() }
    }

    /// Returns an error in a case of a file.
    pub(crate) fn in_case(file: &Path, case: &str, problem: Problem) -> Self {
        let field = if problem.field.is_empty() { String::new() } else { format!("`{}`: ", problem.field) };
        Self { file: file.to_owned(), place: format!("case `{case}`: {field}"), message: problem.message }
    }
}

/// An error in a field of a case, before it is known which file the case comes from.
pub(crate) struct Problem {
    /// The path of the field; empty for the case as a whole.
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
