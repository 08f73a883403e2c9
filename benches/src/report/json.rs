//! Files of JSON.

use std::fs;
use std::path::Path;

use losscheck::error::DataError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Returns a value as JSON, in one line.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// Reads a file of JSON.
pub(crate) fn from_json<T: DeserializeOwned>(file: &Path) -> Result<T, DataError> {
    let text = fs::read_to_string(file).map_err(|error| DataError::new(file, format!("cannot be read: {error}")))?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text)).map_err(|error| {
        let path = error.path().to_string();
        // What is wrong with a key is said of the object.
        let field = path.trim_end_matches(".?");
        DataError::new(file, format!("`{field}`: {}", error.inner()))
    })
}

/// Reads a file of JSON that has this format.
pub(crate) fn from_file<T: DeserializeOwned>(file: &Path, format: &str) -> Result<T, DataError> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }

    // First the format, for the fields of another one are none to complain about.
    let head: Head = from_json(file)?;
    if head.format != format {
        return Err(DataError::new(file, format!("`format`: `{}`, expected `{format}`", head.format)));
    }
    from_json(file)
}
