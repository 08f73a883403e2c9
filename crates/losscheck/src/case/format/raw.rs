//! The golden format as JSON has it: the shapes of its objects, before what they say is checked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Flag;
use crate::error::Problem;
use crate::tensor::{DType, Data};

/// A file, whose cases are still text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile<'a> {
    pub(super) format: String,
    #[serde(default, rename = "generator")]
    _generator: Option<String>,
    #[serde(default, rename = "pytorch")]
    _pytorch: Option<String>,
    pub(super) count: usize,
    #[serde(default)]
    pub(super) flags: BTreeMap<String, Flag>,
    #[serde(borrow)]
    pub(super) cases: Vec<&'a RawValue>,
}

/// Of a case its id alone.
#[derive(Deserialize)]
pub(super) struct RawId<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCase {
    pub(super) id: String,
    pub(super) loss: String,
    #[serde(default)]
    pub(super) flags: Vec<String>,
    #[serde(default)]
    pub(super) options: Map<String, Value>,
    pub(super) inputs: BTreeMap<String, RawTensor>,
    #[serde(default)]
    pub(super) cotangent: Option<RawTensor>,
    #[serde(default)]
    pub(super) expected: Option<RawExpected>,
    #[serde(default)]
    pub(super) printed: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpected {
    pub(super) value: Option<RawTensor>,
    #[serde(default)]
    pub(super) gradients: BTreeMap<String, RawTensor>,
    pub(super) error: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTensor {
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) data: Option<Vec<RawNumber>>,
    pub(super) random: Option<Random>,
}

#[derive(Clone, Copy)]
pub(super) enum RawNumber {
    Integer(i64),
    Float(f64),
    Special(Special),
}

/// A number that JSON does not have.
#[derive(Clone, Copy, Serialize)]
pub(super) enum Special {
    NaN,
    Infinity,
    #[serde(rename = "-Infinity")]
    MinusInfinity,
}

impl RawNumber {
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Integer(x) => x as f64,
            Self::Float(x) => x,
            Self::Special(Special::NaN) => f64::NAN,
            Self::Special(Special::Infinity) => f64::INFINITY,
            Self::Special(Special::MinusInfinity) => f64::NEG_INFINITY,
        }
    }
}

/// Written by hand because numbers are most of a file: an untagged enumeration, which serde first copies into a buffer, takes
/// three times as long.
impl<'de> Deserialize<'de> for RawNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = RawNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_i64<E>(self, x: i64) -> Result<RawNumber, E> {
        Ok(RawNumber::Integer(x))
    }

    fn visit_u64<E>(self, x: u64) -> Result<RawNumber, E> {
        Ok(i64::try_from(x).map_or(RawNumber::Float(x as f64), RawNumber::Integer))
    }

    fn visit_f64<E>(self, x: f64) -> Result<RawNumber, E> {
        Ok(RawNumber::Float(x))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawNumber, E> {
        let special = match text {
            "NaN" => Special::NaN,
            "Infinity" => Special::Infinity,
            "-Infinity" => Special::MinusInfinity,
            _ => return Err(E::invalid_value(Unexpected::Str(text), &self)),
        };
        Ok(RawNumber::Special(special))
    }
}

/// The seed of a tensor that is too large to store, and the range of its elements.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Random {
    seed: u64,
    low: f64,
    high: f64,
}

impl Random {
    /// Draws the elements by SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number
    /// Generators", 2014).
    pub(super) fn elements(&self, dtype: DType, count: usize) -> Data {
        let mut state = self.seed;
        let draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let k = (z ^ (z >> 31)) >> 40;
            self.low + (self.high - self.low) * (k as f64 / f64::from(1u32 << 24))
        };
        Data::rounded(dtype, std::iter::repeat_with(draw).take(count))
    }
}

/// Deserializes a JSON text, and nothing after it.
///
/// # Errors
///
/// Returns the path of the field that is wrong. To keep track of the path takes longer than the reading itself, so a text is
/// read without it at first, and read again only if something is wrong.
pub(super) fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).or_else(|_| from_json_with_path(text))
}

fn from_json_with_path<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|error| {
            let path = error.path().to_string();
            Problem::new(if path == "." { String::new() } else { path }, error.into_inner().to_string())
        })
        .and_then(|value| {
            // The deserializer above stops after the value.
            let mut rest = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
            rest.next();
            match rest.next() {
                None => Ok(value),
                Some(_) => Err(Problem::new("", "text follows after the JSON value, expected its end")),
            }
        })
}
