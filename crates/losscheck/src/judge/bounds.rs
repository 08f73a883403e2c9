//! How far the reference is from exact arithmetic on large goldens: data that is derived from them, and kept beside them.
//!
//! Exact arithmetic takes a microsecond for each number, and the large goldens in f64 have millions. A [`Bound`] says once
//! and for all how far the reference's answer to one of them is from the exact one. It holds as long as the case and the
//! answer are the same to the bit: after a change of the golden, or of the formula, it is not used. The test `bounds` works
//! all of them out again.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use xxhash_rust::xxh3::Xxh3;

use super::approximation;
use super::oracle::{self, is_exact_in_f64, is_large};
use super::ulp::distance;
use crate::case::Case;
use crate::error::DataError;
use crate::files::{read_if_present, write_atomically};
use crate::loss::ValueAndGradients;
use crate::tensor::DType;

/// The first field of the file.
pub const FORMAT: &str = "losscheck-bounds/1";

/// The bounds by the id of the case.
#[derive(Debug, Default, PartialEq)]
pub struct Bounds(BTreeMap<String, Bound>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    bounds: BTreeMap<String, Bound>,
}

/// How far the reference's answer to one case is from the exact one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// A hash of the case and of the answer.
    hash: String,
    /// The largest error of a number of the answer, in ULPs at the magnitude of its terms.
    pub(crate) ulps: f64,
}

impl Bounds {
    /// Reads the bounds; a file that is not there holds none.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or is not in its format.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let Some(text) = read_if_present(file)? else { return Ok(Self::default()) };
        let read: File = serde_json::from_str(&text).map_err(|error| DataError::new(file, error.to_string()))?;
        if read.format != FORMAT {
            return Err(DataError::new(file, format!("`format` is `{}`, expected `{FORMAT}`", read.format)));
        }
        Ok(Self(read.bounds))
    }

    /// Works out the bound of every large case in f64 among `cases` that has an exact answer.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let is_meant = |case: &&Case| is_large(case) && !is_exact_in_f64(case);
        let cases: Vec<&Case> = cases.into_iter().filter(is_meant).collect();
        let bound = |case: &Case| Some((case.id.clone(), Bound::new(case)?));
        Self(cases.into_par_iter().filter_map(bound).collect())
    }

    /// Writes the bounds, one on a line.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), DataError> {
        let line = |(id, bound): (&String, &Bound)| format!("{}: {}", json!(id), json!(bound));
        let lines: Vec<String> = self.0.iter().map(line).collect();
        let text = format!("{{\n\"format\": \"{FORMAT}\",\n\"bounds\": {{\n{}\n}}\n}}\n", lines.join(",\n"));
        write_atomically(file, text.as_bytes())
    }

    /// Returns the bound of a case of that id.
    pub(crate) fn get(&self, id: &str) -> Option<&Bound> {
        self.0.get(id)
    }
}

impl Bound {
    /// Compares the reference's answer with the exact one; `None` if either is missing, or if a number of the one has no
    /// distance from that of the other.
    fn new(case: &Case) -> Option<Self> {
        let (answer, exact) = (approximation::evaluate(case)?, oracle::evaluate(case).ok()?);
        let outputs = exact.results.outputs().zip(exact.error_scale().outputs()).zip(answer.outputs());
        let numbers = outputs.flat_map(|(((_, exact), (_, scale)), (_, own))| exact.iter().zip(scale).zip(own));
        let mut errors = numbers.map(|((&exact, &scale), &own)| distance(DType::F64, exact, scale, own));
        let ulps = errors.try_fold(0.0, |worst: f64, error| Some(worst.max(error?)))?;
        // Two decimals, and up to 0.02 more than there is, for what rounds where an answer is compared with this one.
        Some(Self { hash: hash(case, &answer), ulps: (ulps * 100.0 + 1.0).ceil() / 100.0 })
    }

    /// Whether this is the bound of that answer to that case.
    pub(crate) fn is_of(&self, case: &Case, answer: &ValueAndGradients<f64>) -> bool {
        self.hash == hash(case, answer)
    }
}

/// Hashes what the exact answer depends on, and the answer that it was compared with.
fn hash(case: &Case, answer: &ValueAndGradients<f64>) -> String {
    let mut hash = Xxh3::new();
    let cotangent = case.cotangent.as_ref().map(|tensor| ("cotangent", tensor));
    hash.update(format!("{}{}", case.loss.kind(), case.loss.write_options()).as_bytes());
    for (name, tensor) in case.inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).chain(cotangent) {
        hash.update(format!("{name}{}{:?}", tensor.dtype(), tensor.shape()).as_bytes());
        match tensor.to_indices() {
            Some(indices) => indices.iter().for_each(|index| hash.update(&index.to_le_bytes())),
            None => numbers(&mut hash, tensor.to_f64()),
        }
    }
    for (output, array) in answer.outputs() {
        hash.update(format!("{output}{:?}", array.shape()).as_bytes());
        numbers(&mut hash, array.iter().copied());
    }
    format!("{:032x}", hash.digest128())
}

/// Hashes numbers; every NaN alike, because which of them an operation gives depends on the processor.
fn numbers(hash: &mut Xxh3, numbers: impl IntoIterator<Item = f64>) {
    for x in numbers {
        hash.update(&if x.is_nan() { f64::NAN } else { x }.to_le_bytes());
    }
}
