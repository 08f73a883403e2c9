//! The JSON Schema of the golden format, from the definitions of the losses.

use serde_json::{Map, Value, json};

use super::FORMATS;
use crate::case::Tolerance;
use crate::loss::{LossKind, LossKindExt};
use crate::tensor::DType;

/// The schema, as `reference_data/schema.json` holds it.
pub fn schema() -> Value {
    let names: Vec<_> = LossKind::ALL.iter().map(|loss| loss.name()).collect();
    let rules: Vec<_> = LossKind::ALL.iter().map(|&loss| rule(loss)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The golden format of losscheck",
        "description": "See README.md beside this file. What a schema cannot say: a tensor has as many elements as its \
            shape, each within the range of its dtype; ids are unique over all files; the flags of each case are explained in \
            the header; files of tensors are there.",
        "type": "object",
        "properties": {
            "format": { "description": "the first is the one that is written", "enum": FORMATS },
            "generator": { "description": "who wrote the file", "type": "string", "minLength": 1 },
            "pytorch": {
                "description": "the PyTorch whose answers the expectations are; left out, they are the author's own",
                "type": "string",
                "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$",
            },
            "count": { "description": "the number of cases", "type": "integer", "minimum": 0 },
            "flags": {
                "description": "each category of cases, once",
                "type": "object",
                "propertyNames": { "$ref": "#/$defs/flag" },
                "additionalProperties": { "$ref": "#/$defs/explanation" },
            },
            "cases": { "type": "array", "items": { "$ref": "#/$defs/case" } },
        },
        "required": ["format", "cases"],
        "additionalProperties": false,
        "$defs": {
            "flag": { "type": "string", "pattern": "^[a-z0-9]+(_[a-z0-9]+)*$" },
            "explanation": explanation(),
            "case": case(&names, &rules),
            "answer": {
                "type": "object",
                "properties": {
                    "value": {
                        "description": "of integers where the loss answers with indices, else of floats",
                        "anyOf": [{ "$ref": "#/$defs/float_tensor" }, { "$ref": "#/$defs/i64_tensor" }],
                    },
                    "gradients": {
                        "description": "a gradient left out is compared with the oracle alone",
                        "type": "object",
                        "additionalProperties": { "$ref": "#/$defs/float_tensor" },
                    },
                },
                "required": ["value"],
                "additionalProperties": false,
            },
            "rejection": {
                "type": "object",
                "properties": {
                    "error": {
                        "description": "the class of Python's exception",
                        "type": "string",
                        "pattern": "^[A-Z][A-Za-z]*Error$",
                    },
                    "message": { "type": "string", "minLength": 1 },
                },
                "required": ["error", "message"],
                "additionalProperties": false,
            },
            "any_rejection": {
                "description": "a rejection in any words",
                "type": "object",
                "properties": { "rejected": { "const": true } },
                "required": ["rejected"],
                "additionalProperties": false,
            },
            "tensor": {
                "anyOf": [
                    { "$ref": "#/$defs/float_tensor" },
                    { "$ref": "#/$defs/i64_tensor" },
                    { "$ref": "#/$defs/u8_tensor" },
                ],
            },
            "float_tensor": tensor(
                json!({ "enum": DType::FLOATS.map(DType::name) }),
                json!({ "oneOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }] }),
            ),
            "i64_tensor": tensor(json!({ "const": "i64" }), json!({ "$ref": "#/$defs/i64" })),
            "u8_tensor": tensor(json!({ "const": "u8" }), json!({ "type": "integer", "minimum": 0, "maximum": 255 })),
            "i64": { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
            "shape": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
            "random": {
                "description": "element i is low + (high - low) * k / 2^24, k the top 24 bits of SplitMix64's output i",
                "type": "object",
                "properties": {
                    "seed": { "type": "integer", "minimum": 0, "maximum": u64::MAX },
                    "low": { "type": "number" },
                    "high": { "type": "number" },
                },
                "required": ["seed", "low", "high"],
                "additionalProperties": false,
            },
        },
    })
}

fn explanation() -> Value {
    json!({
        "type": "object",
        "properties": {
            "tests": { "type": "string", "minLength": 1 },
            "why": { "type": "string", "minLength": 1 },
            "upstream": {
                "description": "the issues behind it",
                "type": "array",
                "items": { "type": "string", "format": "uri", "pattern": "^https://" },
                "uniqueItems": true,
            },
        },
        "required": ["tests", "why", "upstream"],
        "additionalProperties": false,
    })
}

fn case(names: &[&str], rules: &[Value]) -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {
                "description": "LOSS/DTYPE/what sets it apart in the shipped files, any name in yours",
                "type": "string",
                "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
            },
            "loss": { "description": "PyTorch's functional name", "enum": names },
            "note": { "description": "what the author has to say about the case", "type": "string" },
            "flags": { "type": "array", "items": { "$ref": "#/$defs/flag" }, "uniqueItems": true },
            "options": {
                "description": "PyTorch's names; what is left out has PyTorch's default",
                "type": "object",
            },
            "inputs": { "description": "tensors by PyTorch's names", "type": "object" },
            "cotangent": {
                "description": "where the backward pass starts, of the output's shape; all ones where left out",
                "$ref": "#/$defs/float_tensor",
            },
            "expected": {
                "description": "left out, the oracle alone judges",
                "oneOf": [
                    { "$ref": "#/$defs/answer" },
                    { "$ref": "#/$defs/rejection" },
                    { "$ref": "#/$defs/any_rejection" },
                ],
            },
            "tolerance": {
                "description": "how far numbers may be from `expected`: right to this many significant decimal digits, or up \
                    to this multiple of their magnitude",
                "type": "object",
                "properties": {
                    "digits": { "type": "integer", "minimum": 1, "maximum": Tolerance::MOST_DIGITS },
                    "relative": { "type": "number", "exclusiveMinimum": 0 },
                },
                "oneOf": [{ "required": ["digits"] }, { "required": ["relative"] }],
                "additionalProperties": false,
            },
            "printed": { "description": "tutorial only: the number that the tutorial prints", "type": "number" },
        },
        "required": ["id", "loss", "inputs"],
        "additionalProperties": false,
        "allOf": rules,
    })
}

/// What a case of the loss holds.
fn rule(loss: LossKind) -> Value {
    let signature = loss.signature();
    let names = || [signature.required, signature.optional].concat().into_iter();
    let of_kind = |kind: &str| json!({ "$ref": format!("#/$defs/{kind}") });
    let inputs: Map<_, _> = names().map(|name| (name.to_owned(), of_kind("tensor"))).collect();
    // A target of integers is for the loss to refuse.
    let is_float = |name: &&str| !signature.integers.contains(name) && *name != "target";
    let floats: Map<_, _> = names().filter(is_float).map(|name| (name.to_owned(), of_kind("float_tensor"))).collect();
    let gradients: Map<_, _> = signature
        .differentiable
        .iter()
        .map(|&name| (name.to_owned(), json!({ "$ref": "#/$defs/float_tensor" })))
        .collect();
    let mut options = loss.options_schema().to_value();
    if let Some(options) = options.as_object_mut() {
        options.retain(|key, _| ["type", "properties", "additionalProperties"].contains(&key.as_str()));
    }
    json!({
        "if": { "properties": { "loss": { "const": loss.name() } } },
        "then": {
            // Integers in place of floats are there to be refused.
            "if": {
                "properties": { "expected": { "anyOf": [{ "required": ["error"] }, { "required": ["rejected"] }] } },
                "required": ["expected"],
            },
            "else": { "properties": { "inputs": { "properties": floats } } },
            "properties": {
                "options": options,
                "inputs": { "properties": inputs, "required": signature.required, "additionalProperties": false },
                "expected": {
                    "properties": { "gradients": { "properties": gradients, "additionalProperties": false } },
                },
            },
        },
    })
}

fn tensor(dtype: Value, element: Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "dtype": dtype,
            "shape": { "$ref": "#/$defs/shape" },
            "data": { "description": "row-major", "type": "array", "items": element },
            "random": { "$ref": "#/$defs/random" },
            "file": {
                "description": "relative to the file of the case; dtype and shape are in it",
                "type": "string",
                "pattern": r"\.(npy|safetensors)$",
            },
            "tensor": { "description": "the name of the tensor in a .safetensors file", "type": "string" },
        },
        "oneOf": [
            { "required": ["dtype", "shape", "data"] },
            { "required": ["dtype", "shape", "random"] },
            { "required": ["file"] },
        ],
        "allOf": [{ "not": { "required": ["file", "data"] } }, { "not": { "required": ["file", "random"] } }],
        "dependentRequired": { "tensor": ["file"] },
        "additionalProperties": false,
    })
}
