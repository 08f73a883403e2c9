//! Numbers that may be infinite: JSON holds infinities as strings. For `#[serde(with = "losscheck_options::number")]`.

#[cfg(feature = "schema")]
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

const INFINITE: [(&str, f64); 2] = [("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, \"Infinity\" or \"-Infinity\"")]
enum Number {
    Finite(f64),
    Named(String),
}

/// Returns the JSON Schema of such a number.
#[cfg(feature = "schema")]
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [{ "type": "number" }, { "enum": INFINITE.map(|(name, _)| name) }] })
}

/// Serializes a number, if it is infinite as a string.
///
/// # Errors
///
/// Returns an error if the serializer fails.
pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match INFINITE.iter().find(|(_, infinite)| infinite == number) {
        Some((name, _)) => serializer.serialize_str(name),
        None => serializer.serialize_f64(*number),
    }
}

/// Deserializes a number, or a string that names an infinite one.
///
/// # Errors
///
/// Returns an error if it is neither.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Finite(number) => Ok(number),
        Number::Named(text) => match INFINITE.iter().find(|(name, _)| *name == text) {
            Some(&(_, infinite)) => Ok(infinite),
            None => Err(D::Error::custom(format!("`{text}`, expected a number, \"Infinity\" or \"-Infinity\""))),
        },
    }
}
