//! Writing the golden format.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::FORMAT;
use super::raw::Special;
use crate::case::{Answer, Case, Expected, ExpectedBy, Tolerance};
use crate::error::DataError;
use crate::files::write_atomically;
use crate::tensor::{Data, Tensor, Tensors};

/// Writes cases in the golden format, whole or not at all.
///
/// The header names a version of PyTorch if every case with an expectation has it from that version. All tensors are written
/// out, those that were read from files of their own as well.
///
/// # Errors
///
/// Returns an error if the file cannot be written.
pub fn write(path: &Path, cases: &[Case]) -> Result<(), DataError> {
    let pytorch = pytorch_of(cases).map(|version| format!("\"pytorch\": {},\n", json!(version))).unwrap_or_default();
    let mut text = format!("{{\n\"format\": \"{FORMAT}\",\n{pytorch}\"count\": {},\n\"cases\": [\n", cases.len());
    let lines: Vec<String> = cases.iter().map(|case| write_case(case).to_string()).collect();
    text.push_str(&lines.join(",\n"));
    text.push_str("\n]\n}\n");
    write_atomically(path, text.as_bytes())
}

/// Returns the version of PyTorch that all expectations of some cases come from, or `None` if there is no such version.
fn pytorch_of(cases: &[Case]) -> Option<&str> {
    let mut versions = cases.iter().filter(|case| case.expected.is_some()).map(|case| match &case.expected_by {
        ExpectedBy::Pytorch(version) => Some(&**version),
        ExpectedBy::Author => None,
    });
    let first = versions.next()??;
    versions.all(|version| version == Some(first)).then_some(first)
}

/// Returns a case in the golden format.
pub fn write_case(case: &Case) -> Value {
    let named = |tensors: &Tensors| -> Value {
        tensors.iter().map(|(name, tensor)| (name.clone(), write_tensor(tensor))).collect::<Map<_, _>>().into()
    };
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(case.id));
    fields.insert("loss".to_owned(), json!(case.loss.kind().name()));
    if let Some(note) = &case.note {
        fields.insert("note".to_owned(), json!(note));
    }
    fields.insert("flags".to_owned(), json!(case.flags));
    fields.insert("options".to_owned(), case.loss.write_options());
    fields.insert("inputs".to_owned(), named(&case.inputs));
    if let Some(cotangent) = &case.cotangent {
        fields.insert("cotangent".to_owned(), write_tensor(cotangent));
    }
    match &case.expected {
        None => {}
        Some(Expected::Answer(Answer { value, gradients })) => {
            let answer = json!({"value": write_tensor(value), "gradients": named(gradients)});
            fields.insert("expected".to_owned(), answer);
        }
        Some(Expected::Rejection { error, .. }) if error == Expected::ANY_ERROR => {
            fields.insert("expected".to_owned(), json!({"rejected": true}));
        }
        Some(Expected::Rejection { error, message }) => {
            fields.insert("expected".to_owned(), json!({"error": error, "message": message}));
        }
    }
    match case.tolerance {
        None => {}
        Some(Tolerance::Digits(digits)) => drop(fields.insert("tolerance".to_owned(), json!({"digits": digits}))),
        Some(Tolerance::Relative(relative)) => {
            drop(fields.insert("tolerance".to_owned(), json!({"relative": relative})));
        }
    }
    if let Some(printed) = case.printed {
        fields.insert("printed".to_owned(), json!(printed));
    }
    fields.into()
}

/// Returns a tensor in the golden format.
pub fn write_tensor(tensor: &Tensor) -> Value {
    let float = |x: f64, finite: Value| match x {
        _ if x.is_nan() => json!(Special::NaN),
        f64::INFINITY => json!(Special::Infinity),
        f64::NEG_INFINITY => json!(Special::MinusInfinity),
        _ => finite,
    };
    let data: Vec<Value> = match tensor.data() {
        Data::F16(data) => data.iter().map(|&x| float(f64::from(x), shortest(f32::from(x)))).collect(),
        Data::BF16(data) => data.iter().map(|&x| float(f64::from(x), shortest(f32::from(x)))).collect(),
        Data::F32(data) => data.iter().map(|&x| float(f64::from(x), shortest(x))).collect(),
        Data::F64(data) => data.iter().map(|&x| float(x, json!(x))).collect(),
        Data::I64(data) => data.iter().map(|x| json!(x)).collect(),
        Data::U8(data) => data.iter().map(|x| json!(x)).collect(),
    };
    json!({"dtype": tensor.dtype().name(), "shape": tensor.shape(), "data": data})
}

/// The shortest decimal that reads back to the same f32, which is what the f64 nearest to it prints.
fn shortest(x: f32) -> Value {
    json!(x.to_string().parse::<f64>().unwrap_or(f64::from(x)))
}
