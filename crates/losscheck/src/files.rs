//! Reading and writing files.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::DataError;

/// Returns the text of a file, or `None` if there is no such file.
///
/// # Errors
///
/// Returns an error if the file cannot be read.
pub(crate) fn read_if_present(file: &Path) -> Result<Option<String>, DataError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::new(file, format!("cannot be read: {error}"))),
    }
}

/// Writes a file as a whole or not at all: the bytes go to a file beside it, which is then renamed.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let beside = file.with_extension(format!("{}.tmp", std::process::id()));
    File::create(&beside)
        .and_then(|mut open| open.write_all(bytes))
        .and_then(|()| fs::rename(&beside, file))
        .map_err(|error| DataError::new(file, format!("cannot be written: {error}")))
}
