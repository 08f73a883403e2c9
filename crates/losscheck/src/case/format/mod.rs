//! The golden format: strict reading, with errors that name the file, the line, the case and the field; writing; and its JSON
//! Schema.

mod check;
mod json;
mod names;
mod options;
pub(crate) mod overlay;
mod raw;
mod read;
mod schema;
mod tensor;
mod tensor_file;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::{Case, ExpectedBy};
use crate::error::{FieldPath, Problem};
use crate::loss::LossKind;
use crate::tensor::{DType, Tensor};
use check::read_case;
use json::{Object, from_json};
use raw::RawCase;
use tensor::{Context, read_tensor};

pub use read::{files, find, ids, parse, place, read, read_files};
pub use schema::schema;
pub use write::{write, write_case, write_tensor};

/// The version of the format that is written.
pub const FORMAT: &str = "losscheck-goldens/2";

/// The versions of the format that are read. In the first one, `count` was required, and cases had neither notes nor
/// tolerances, tensors in files of their own, or more than one dtype of floating-point numbers.
pub const FORMATS: [&str; 2] = [FORMAT, "losscheck-goldens/1"];

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
    /// The files that the cases were read from.
    pub sources: Vec<Source>,
}

/// A file that cases were read from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path of the file.
    pub file: PathBuf,
    /// Version of PyTorch whose answers the file holds as expectations, or `None` if whoever wrote the file expects them.
    pub pytorch: Option<String>,
}

/// Reads one tensor, as [`write_tensor`] writes it. It is in no file, so its elements cannot be in a file of their own.
///
/// # Errors
///
/// Returns an error that names the field if the tensor is not in the golden format.
pub fn tensor_of(value: &Value) -> Result<Tensor, String> {
    let context = Context { loss: LossKind::MseLoss, folder: None, likely: DType::F32 };
    from_json(&value.to_string())
        .and_then(|raw| read_tensor(raw, &FieldPath::default(), context))
        .map_err(without_place)
}

/// Reads one case, as [`write_case`] writes it. It is in no file, so its tensors cannot be in files of their own.
///
/// # Errors
///
/// Returns an error that names the field if the case is not in the golden format.
pub fn case_of(value: &Value) -> Result<Case, String> {
    from_json::<Object<RawCase>>(&value.to_string())
        .and_then(|Object(case)| read_case(case, &ExpectedBy::Author, None))
        .map_err(without_place)
}

/// Returns what is wrong with something that stands in no file.
fn without_place(Problem { path, message }: Problem) -> String {
    if path.is_empty() { message } else { format!("`{path}`: {message}") }
}
