//! The table: a row for each output of a loss, in one dtype, on one backend, over one set of inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use super::{NumberError, SWEEPS};
use crate::case::Case;
use crate::case::format::{case_of, write_case};
use crate::loss::{LossKind, Output};
use crate::tensor::DType;

/// In place of a backend's name: the f64 kernels that screen the 2^32 numbers of an f32, judged by the oracle.
pub const SCREEN: &str = "screen";

/// The upper ends of the histogram's classes, in ULPs; the last class is of what has no number.
pub const BOUNDS: [f64; 8] = [0.5, 1.0, 2.0, 4.0, 16.0, 256.0, 65536.0, f64::MAX];

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "KeyByName", into = "KeyByName")]
pub struct Key {
    /// The loss.
    pub loss: LossKind,
    /// The inputs.
    pub inputs: InputSet,
    /// The dtype.
    pub dtype: DType,
    /// The output.
    pub output: Output,
    /// The name of the backend.
    pub backend: String,
}

/// A [`Key`] in a file.
#[derive(Serialize, Deserialize)]
struct KeyByName {
    loss: String,
    inputs: String,
    dtype: String,
    output: String,
    backend: String,
}

impl From<Key> for KeyByName {
    fn from(Key { loss, inputs, dtype, output, backend }: Key) -> Self {
        let [loss, inputs, dtype, output] =
            [loss.to_string(), inputs.to_string(), dtype.to_string(), output.to_string()];
        Self { loss, inputs, dtype, output, backend }
    }
}

impl TryFrom<KeyByName> for Key {
    type Error = String;

    fn try_from(KeyByName { loss, inputs, dtype, output, backend }: KeyByName) -> Result<Self, String> {
        let loss: LossKind = loss.parse()?;
        let output = loss.signature().output(&output)?;
        Ok(Self { loss, inputs: inputs.parse()?, dtype: dtype.parse()?, output, backend })
    }
}

/// Where the inputs of a row come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputSet {
    /// Random small cases without reduction, then steps from the worst of them towards worse ones.
    Searched,
    /// Random cases with about so many elements, reduced.
    Elements(usize),
    /// Every finite number of the dtype, put into the [sweep](super::Sweep) of that name.
    Every(&'static str),
}

impl fmt::Display for InputSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Searched => write!(f, "searched"),
            Self::Elements(number) => write!(f, "{number} elements"),
            Self::Every(slice) => write!(f, "every {slice}"),
        }
    }
}

impl FromStr for InputSet {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "searched" {
            return Ok(Self::Searched);
        }
        if let Some(number) = name.strip_suffix(" elements").and_then(|number| number.parse().ok()) {
            return Ok(Self::Elements(number));
        }
        let slice = name.strip_prefix("every ").and_then(|name| SWEEPS.iter().find(|slice| slice.name == name));
        let slice = slice.ok_or_else(|| format!("`{name}`, expected `searched`, `N elements` or `every SLICE`"))?;
        Ok(Self::Every(slice.name))
    }
}

/// A row of the table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// The errors in ULPs of the exact result.
    pub plain: Measure,
    /// The errors in ULPs at the scale of the result, where they are measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled: Option<Measure>,
}

/// Errors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measure {
    /// The largest; infinite where one of exact and actual is no number, or out of range, and the other not.
    #[serde(with = "losscheck_options::number")]
    pub worst: f64,
    /// Where that is; none where every number is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// Of all numbers, but those that only steps towards worse ones led to.
    pub histogram: Histogram,
}

/// How many numbers are off by how much: a count for each of [`BOUNDS`], and one of what has no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(pub [u64; BOUNDS.len() + 1]);

impl Histogram {
    /// Counts an error.
    #[inline(always)]
    pub(super) fn count(&mut self, ulps: f64) {
        // Most are in the first class.
        let others = || BOUNDS.iter().position(|&bound| ulps <= bound).unwrap_or(BOUNDS.len());
        self.0[if ulps <= BOUNDS[0] { 0 } else { others() }] += 1;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// How many numbers were counted.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The number that is the most off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Witness {
    /// Where in the output it is.
    pub at: usize,
    /// What it should be.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub exact: f64,
    /// What it is.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub actual: f64,
    /// The case, in the golden format, unless it is a large one.
    #[serde(default, serialize_with = "write", deserialize_with = "read", skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
}

impl Measure {
    /// Takes an error for the worst if it is.
    pub(super) fn consider(&mut self, ulps: f64, error: &NumberError, case: Option<&Case>) {
        if ulps > self.worst {
            let &NumberError { at, exact, actual, .. } = error;
            self.worst = ulps;
            self.witness = Some(Witness { at, exact, actual, case: case.cloned() });
        }
    }

    fn merge(&mut self, other: Self) {
        self.histogram.merge(other.histogram);
        if other.worst > self.worst {
            (self.worst, self.witness) = (other.worst, other.witness);
        }
    }
}

impl Row {
    /// The measure that judges the algorithm: the one at scale, where there is one.
    pub fn judged(&self) -> &Measure {
        self.scaled.as_ref().unwrap_or(&self.plain)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.plain.merge(other.plain);
        match (&mut self.scaled, other.scaled) {
            (Some(scaled), Some(other)) => scaled.merge(other),
            (scaled @ None, other) => *scaled = other,
            (Some(_), None) => {}
        }
    }

    /// Counts an error in the histograms.
    pub(super) fn count(&mut self, error: &NumberError) {
        self.plain.histogram.count(error.plain);
        self.scaled.get_or_insert_default().histogram.count(error.scaled);
    }

    /// Takes an error for the worst if it is.
    pub(super) fn consider(&mut self, error: &NumberError, case: Option<&Case>) {
        self.plain.consider(error.plain, error, case);
        self.scaled.get_or_insert_default().consider(error.scaled, error, case);
    }

    /// Whether an error is worse than any before.
    pub(super) fn is_worst(&self, error: &NumberError) -> bool {
        error.plain > self.plain.worst || error.scaled > self.scaled.as_ref().map_or(0.0, |scaled| scaled.worst)
    }
}

/// Rows by what they are about.
#[derive(Clone, Debug, Default)]
pub struct Rows(pub BTreeMap<Key, Row>);

impl Rows {
    /// Puts rows about the same together.
    pub fn merge(&mut self, other: Self) {
        for (key, row) in other.0 {
            self.0.entry(key).or_default().merge(row);
        }
    }

    /// What there are rows about, on whichever backend.
    pub fn lines(&self) -> BTreeSet<Line> {
        self.0.keys().map(|key| (key.loss, key.inputs, key.output, key.dtype)).collect()
    }

    /// The row of a line on one backend.
    pub fn row(&self, (loss, inputs, output, dtype): Line, backend: &str) -> Option<&Row> {
        self.0.get(&Key { loss, inputs, dtype, output, backend: backend.to_owned() })
    }

    /// The rows of a backend, one for each loss, output and dtype, the worst first.
    pub fn worst(&self, backend: &str) -> Vec<(&Key, &Measure)> {
        let mut found: BTreeMap<(LossKind, Output, DType), (&Key, &Measure)> = BTreeMap::new();
        for (key, row) in self.0.iter().filter(|(key, _)| key.backend == backend) {
            let known = found.entry((key.loss, key.output, key.dtype)).or_insert((key, row.judged()));
            if row.judged().worst > known.1.worst {
                *known = (key, row.judged());
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by(|a, b| b.1.worst.total_cmp(&a.1.worst));
        found
    }
}

/// What a line of a table is about: all of a key but the backend.
pub type Line = (LossKind, InputSet, Output, DType);

/// A row as results hold it.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: Key,
    #[serde(flatten)]
    row: Row,
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(key, row)| Entry { key: key.clone(), row: row.clone() }))
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<Entry>::deserialize(deserializer)?;
        Ok(Self(entries.into_iter().map(|Entry { key, row }| (key, row)).collect()))
    }
}

fn write<S: Serializer>(case: &Option<Case>, serializer: S) -> Result<S::Ok, S::Error> {
    case.as_ref().map(write_case).serialize(serializer)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Case>, D::Error> {
    case_of(&Value::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// NaN as null.
fn write_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_nan() { serializer.serialize_none() } else { losscheck_options::number::serialize(number, serializer) }
}

fn read_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    struct Number(#[serde(with = "losscheck_options::number")] f64);
    Ok(Option::<Number>::deserialize(deserializer)?.map_or(f64::NAN, |Number(number)| number))
}
