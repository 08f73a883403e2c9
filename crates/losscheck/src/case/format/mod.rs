//! The golden format: strict reading, with errors that name the file, the case and the field; writing; and its JSON Schema.

mod check;
mod raw;
mod read;
mod schema;
mod write;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Case;
use crate::error::Problem;
use check::read_case;
use raw::{RawCase, from_json};

pub use read::{files, find, ids, parse, read, read_files};
pub use schema::schema;
pub use write::{write, write_case, write_tensor};

/// The version of the format.
pub const FORMAT: &str = "losscheck-goldens/1";

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
