//! Where cases come from: the shipped files, or those of `--data`.

use std::path::PathBuf;

use losscheck::case::format::{self, Goldens};
use losscheck::data::DataFolder;
use losscheck::error::DataError;

/// Reads golden files and folders; ids must be unique over all of them.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Goldens, DataError> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(format::files(path)?);
    }
    format::read_files(&files)
}

/// Returns where a field of a case stands in these files and folders: the file, the line and the column.
pub(crate) fn place(paths: &[PathBuf], case: &str, field: &str) -> Option<String> {
    let files: Vec<_> = paths.iter().filter_map(|path| format::files(path).ok()).flatten().collect();
    format::place(&files, case, field)
}

/// The command that shows a case.
pub(crate) fn show_command(case: &str, paths: &[PathBuf], data: &DataFolder) -> String {
    let mut command = format!("losscheck show {}", quoted(case));
    for path in paths {
        command.push_str(&format!(" --data {}", quoted(&path.to_string_lossy())));
    }
    command + &reference_data(data)
}

/// The argument for a folder of reference data that is not the shipped one.
pub(crate) fn reference_data(data: &DataFolder) -> String {
    let DataFolder(folder) = data;
    if *folder == DataFolder::shipped().0 {
        return String::new();
    }
    format!(" --reference-data {}", quoted(&folder.to_string_lossy()))
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
