//! The golden format as JSON has it: the shapes of its objects, before what they say is checked.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Flag;
use super::json::{MaybeObject, Members, Object, given, shortened};
use crate::tensor::{DType, Data};

/// A file, whose cases are still text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile<'a> {
    pub(super) format: String,
    #[serde(default, deserialize_with = "given")]
    pub(super) generator: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) pytorch: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) count: Option<usize>,
    #[serde(default)]
    pub(super) flags: Members<Object<Flag>>,
    #[serde(borrow)]
    pub(super) cases: Vec<&'a RawValue>,
}

/// Of a file its format alone.
#[derive(Deserialize)]
pub(super) struct RawFormat {
    pub(super) format: String,
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
    #[serde(default, deserialize_with = "given")]
    pub(super) note: Option<String>,
    #[serde(default)]
    pub(super) flags: Vec<String>,
    #[serde(default)]
    pub(super) options: Members<Value>,
    pub(super) inputs: Members<MaybeTensor>,
    #[serde(default, deserialize_with = "given")]
    pub(super) cotangent: Option<MaybeTensor>,
    #[serde(default, deserialize_with = "given")]
    pub(super) expected: Option<Object<RawExpected>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) tolerance: Option<MaybeObject<RawTolerance>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) printed: Option<f64>,
}

/// A tensor, or what stands where one is expected.
pub(super) type MaybeTensor = MaybeObject<RawTensor>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpected {
    #[serde(default, deserialize_with = "given")]
    pub(super) value: Option<MaybeTensor>,
    #[serde(default, deserialize_with = "given")]
    pub(super) gradients: Option<Members<MaybeTensor>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) error: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) message: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) rejected: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTolerance {
    #[serde(default, deserialize_with = "given")]
    pub(super) digits: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    pub(super) relative: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTensor {
    #[serde(default, deserialize_with = "given")]
    pub(super) dtype: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) shape: Option<Vec<usize>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) data: Option<Vec<RawNumber>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) random: Option<Object<Random>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) file: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) tensor: Option<String>,
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

impl fmt::Display for RawNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(x) => write!(f, "{x}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Special(Special::NaN) => f.write_str("\"NaN\""),
            Self::Special(Special::Infinity) => f.write_str("\"Infinity\""),
            Self::Special(Special::MinusInfinity) => f.write_str("\"-Infinity\""),
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

const NUMBER: &str = "a number, \"NaN\", \"Infinity\" or \"-Infinity\"";

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = RawNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NUMBER)
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
            _ => {
                let instead = match text.to_lowercase().as_str() {
                    "nan" => "\"NaN\"",
                    "inf" | "+inf" | "infinity" | "+infinity" => "\"Infinity\"",
                    "-inf" | "-infinity" => "\"-Infinity\"",
                    number if number.parse::<f64>().is_ok() => "the number without quotes",
                    _ => return Err(E::invalid_type(Unexpected::Str(&shortened(text)), &self)),
                };
                return Err(E::custom(format!("expected {NUMBER}, found \"{text}\": write {instead}")));
            }
        };
        Ok(RawNumber::Special(special))
    }

    fn visit_unit<E: Error>(self) -> Result<RawNumber, E> {
        Err(E::custom(format!(
            "expected {NUMBER}, found null, which some programs write for a number that JSON does not have: write the \
             string instead"
        )))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<RawNumber, A::Error> {
        Err(A::Error::custom(format!(
            "expected {NUMBER}, found a list: write all elements in one flat list in row-major order; `shape` says how they \
             are arranged"
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<RawNumber, A::Error> {
        Err(A::Error::custom(format!("expected {NUMBER}, found an object")))
    }
}

/// The seed of a tensor that is too large to store, and the range of its elements.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Random {
    seed: u64,
    pub(super) low: f64,
    pub(super) high: f64,
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
