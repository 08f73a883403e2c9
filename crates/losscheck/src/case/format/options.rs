//! Reading the options of a loss, with errors that name the option.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::json::{describe, instead_of};
use super::names::{list, unknown};
use crate::error::{FieldPath, Problem};
use crate::loss::{Loss, LossKind, LossKindExt};

/// Reads the options of a loss. Those that are left out have PyTorch's defaults.
pub(super) fn read_options(kind: LossKind, options: BTreeMap<String, Value>) -> Result<Loss, Problem> {
    let options: Map<String, Value> = options.into_iter().collect();
    kind.read_options(Value::Object(options.clone())).map_err(|error| {
        let path = FieldPath::from("options");
        let defaults = kind.defaults().write_options();
        let known: Vec<&str> = defaults.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        if let Some(name) = options.keys().find(|name| !known.contains(&name.as_str())) {
            let message = match kind.signature() {
                signature if [signature.required, signature.optional].concat().contains(&name.as_str()) => {
                    format!("expected an option, found a tensor of `{}`: write it under `inputs`", kind.name())
                }
                _ => format!("{} `{}` takes {}", unknown("option", name, &known), kind.name(), list(&known)),
            };
            return Problem::new(path.key(name), message);
        }
        // Each on its own, because the error of all together does not say which of them is wrong.
        let alone = |(name, value): &(&String, &Value)| {
            let alone = Map::from_iter([((*name).clone(), (*value).clone())]);
            kind.read_options(Value::Object(alone)).is_err()
        };
        match options.iter().find(alone) {
            Some((name, value)) => {
                let schema = kind.options_schema().to_value();
                let expected = expected(&schema["properties"][name]);
                let found = describe(value);
                let is_infinity = |word: &&str| expected.as_ref().is_some_and(|expected| expected.contains(word));
                let instead = match (value.as_str().and_then(instead_of).filter(is_infinity), &expected) {
                    (Some(instead), _) => format!(": write {instead}"),
                    _ if value.is_null() => format!(": leave the option out for PyTorch's default, {}", defaults[name]),
                    (None, Some(_)) => String::new(),
                    (None, None) => format!(" ({error})"),
                };
                let expected = expected.unwrap_or_else(|| "another value".to_owned());
                Problem::new(path.key(name), format!("expected {expected}, found {found}{instead}"))
            }
            None => Problem::new(path, error.to_string()),
        }
    })
}

/// Returns what an option may be, in words, from its schema.
fn expected(schema: &Value) -> Option<String> {
    if let Some(variants) = schema["oneOf"].as_array() {
        let each = |variant: &Value| match (variant.get("const"), variant["enum"].as_array()) {
            (Some(constant), _) => Some(vec![constant.to_string()]),
            (None, Some(constants)) => Some(constants.iter().map(Value::to_string).collect()),
            (None, None) => Some(vec![expected(variant)?]),
        };
        return Some(either(variants.iter().map(each).collect::<Option<Vec<_>>>()?.concat()));
    }
    let word = |name: &str| {
        Some(match name {
            "integer" if schema["minimum"] == 0 => "an integer that is not negative".to_owned(),
            "integer" => "an integer".to_owned(),
            "number" => "a number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => match schema["maxItems"].as_u64() {
                Some(most) => format!("a list of at most {most} integers that are not negative"),
                None => "a list of integers that are not negative".to_owned(),
            },
            "null" => "null".to_owned(),
            _ => return None,
        })
    };
    match &schema["type"] {
        Value::String(name) => word(name),
        Value::Array(names) => Some(either(names.iter().map(|name| word(name.as_str()?)).collect::<Option<Vec<_>>>()?)),
        _ => None,
    }
}

/// Returns alternatives as a list in a sentence: `a`, `a or b`, `a, b or c`.
fn either(alternatives: Vec<String>) -> String {
    match alternatives.as_slice() {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        other => other.concat(),
    }
}
