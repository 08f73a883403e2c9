//! Errors in data files.

use std::fmt;
use std::path::{Path, PathBuf};

/// An error in a data file: which file, where in it, and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{file}{place}: {message}", file = file.display())]
pub struct DataError {
    file: PathBuf,
    /// The position, the case and the field as far as they are known, each after a colon.
    place: String,
    message: String,
}

impl DataError {
    /// Returns an error about a file as a whole.
    pub fn new(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: String::new(), message: message.into() }
    }

    /// Returns an error at a position in a file. `case` is the id of the case that it is in, or a description such as `case 2`.
    pub(crate) fn at(file: &Path, position: Position, case: Option<&str>, problem: Problem) -> Self {
        let Position { line, column } = position;
        let case = case.map(|case| format!(": {case}")).unwrap_or_default();
        let field = if problem.path.is_empty() { String::new() } else { format!(": `{}`", problem.path) };
        Self { file: file.to_owned(), place: format!(":{line}:{column}{case}{field}"), message: problem.message }
    }
}

/// A position in a text. Lines and columns count from 1, and columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// Returns the position of a byte of a text.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let last = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[last..].chars().count() + 1 }
    }
}

/// The path of a field in a JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldPath(pub(crate) Vec<Segment>);

/// A step from a JSON value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// The name of a member of an object.
    Key(String),
    /// The position of an element of a list, from 0.
    Index(usize),
}

impl FieldPath {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path of a member of the object at this path.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.then(Segment::Key(key.to_owned()))
    }

    /// Returns the path of an element of the list at this path.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    fn then(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }
}

impl From<&str> for FieldPath {
    /// Returns the path of a member of the outermost object.
    fn from(key: &str) -> Self {
        Self::default().key(key)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if number == 0 => write!(f, "{}", key.escape_debug())?,
                Segment::Key(key) => write!(f, ".{}", key.escape_debug())?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// An error in a field of a case, before it is known which file the case comes from.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The path of the field; empty for the case as a whole.
    pub(crate) path: FieldPath,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<FieldPath>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}
