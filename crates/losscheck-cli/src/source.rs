//! Where cases come from: the shipped files, or those of `--data`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use losscheck::case::format::{self, Goldens};
use losscheck::data::DataFolder;
use losscheck::error::DataError;

/// Reads golden files and folders; ids must be unique over all of them.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Goldens, DataError> {
    let mut goldens = Goldens::default();
    for path in paths {
        append(&mut goldens, format::read(path)?, path)?;
    }
    Ok(goldens)
}

/// Adds the cases read from `path`.
pub(crate) fn append(goldens: &mut Goldens, more: Goldens, path: &Path) -> Result<(), DataError> {
    let ids: HashSet<&str> = goldens.cases.iter().map(|case| case.id.as_str()).collect();
    if let Some(case) = more.cases.iter().find(|case| ids.contains(case.id.as_str())) {
        return Err(DataError::new(path, format!("case `{}`: `id`: stands in an earlier file, too", case.id)));
    }
    goldens.cases.extend(more.cases);
    goldens.flags.extend(more.flags);
    Ok(())
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
