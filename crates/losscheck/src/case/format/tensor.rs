//! From JSON to a tensor: its elements written out, drawn by a seed, or in a file of their own.

use std::path::Path;

use serde_json::Value;

use super::json::{MaybeObject, Object, describe};
use super::names::unknown_dtype;
use super::raw::{MaybeTensor, Random, RawNumber, RawTensor};
use super::tensor_file;
use crate::error::{FieldPath, Problem};
use crate::loss::LossKind;
use crate::tensor::{DType, Data, Tensor};

/// A large tensor is refused rather than allocated from a few bytes of text.
pub(super) const MOST_ELEMENTS: usize = 1 << 24;

/// What reading a tensor depends on besides what is written for it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) loss: LossKind,
    /// The folder that names of files are relative to; `None` for a case that is in no file.
    pub(super) folder: Option<&'a Path>,
    /// The dtype to suggest if something else stands where a tensor is expected.
    pub(super) likely: DType,
}

/// Reads a tensor.
pub(super) fn read_tensor(raw: MaybeTensor, path: &FieldPath, context: Context<'_>) -> Result<Tensor, Problem> {
    let raw = match raw {
        MaybeObject::Object(raw) => raw,
        MaybeObject::Other(other) => return Err(Problem::new(path.clone(), no_tensor(&other, context.likely))),
    };
    match raw {
        RawTensor { dtype, shape, data: None, random: None, file: Some(file), tensor } => {
            let declared = dtype.map(|name| read_dtype(&name, path)).transpose()?;
            tensor_file::read(&file, tensor.as_deref(), path, context).and_then(|read| {
                fits_declaration(&read, declared, shape.as_deref(), path)?;
                Ok(read)
            })
        }
        RawTensor { tensor: Some(_), file: None, .. } => Err(Problem::new(
            path.key("tensor"),
            "expected `file` beside it, which names the file that the tensor is in",
        )),
        RawTensor { dtype, shape, data, random, file: None, tensor: None } => {
            let missing = |name: &str| Problem::new(path.clone(), format!("missing `{name}`, {WHAT_A_TENSOR_HAS}"));
            let dtype = read_dtype(&dtype.ok_or_else(|| missing("dtype"))?, path)?;
            let shape = shape.ok_or_else(|| missing("shape"))?;
            let count = checked_count(&shape, &path.key("shape"))?;
            let data = match (data, random) {
                (Some(numbers), None) if numbers.len() == count => numbers_of(dtype, &numbers, &path.key("data"))?,
                (Some(numbers), None) => {
                    let message = format!("expected {count} elements for shape {shape:?}, found {}", numbers.len());
                    return Err(Problem::new(path.key("data"), message));
                }
                (None, Some(Object(random))) => drawn(&random, dtype, count, &path.key("random"))?,
                (None, None) => return Err(missing("data")),
                (Some(_), Some(_)) => {
                    return Err(Problem::new(path.clone(), "expected either `data` or `random`, found both"));
                }
            };
            Ok(Tensor::new(shape, data).expect("the elements have been counted"))
        }
        _ => Err(Problem::new(path.clone(), "expected one of `data`, `random` and `file`, found more than one")),
    }
}

const WHAT_A_TENSOR_HAS: &str = "expected `dtype`, `shape` and either `data` or `random`; or `file`";

fn read_dtype(name: &str, path: &FieldPath) -> Result<DType, Problem> {
    name.parse().map_err(|_| Problem::new(path.key("dtype"), unknown_dtype(name)))
}

/// Returns the number of elements of a shape.
pub(super) fn checked_count(shape: &[usize], path: &FieldPath) -> Result<usize, Problem> {
    // A dimension of 0 counts as 1, because no array holds [2^40, 0, 2^40] although it has no elements.
    let size = shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim.max(1)));
    if size.is_none_or(|size| size > MOST_ELEMENTS) {
        let message = format!("expected at most {MOST_ELEMENTS} elements, found shape {shape:?}");
        return Err(Problem::new(path.clone(), message));
    }
    Ok(shape.iter().product())
}

/// Checks the dtype and the shape that a case gives beside the name of a file.
fn fits_declaration(
    read: &Tensor,
    dtype: Option<DType>,
    shape: Option<&[usize]>,
    path: &FieldPath,
) -> Result<(), Problem> {
    if let Some(dtype) = dtype.filter(|dtype| *dtype != read.dtype()) {
        let message = format!("expected {}, the dtype in the file, found {dtype}", read.dtype());
        return Err(Problem::new(path.key("dtype"), message));
    }
    if let Some(shape) = shape.filter(|shape| *shape != read.shape()) {
        let message = format!("expected {:?}, the shape in the file, found {shape:?}", read.shape());
        return Err(Problem::new(path.key("shape"), message));
    }
    Ok(())
}

/// Returns the message for something else where a tensor is expected, with the tensor that it may stand for.
fn no_tensor(other: &Value, likely: DType) -> String {
    /// More elements than these are not written out in a message.
    const SHORT: usize = 8;
    let instead = shape_of(other).filter(|shape| shape.iter().product::<usize>() <= SHORT).map(|shape| {
        let mut elements = Vec::new();
        flatten(other, &mut elements);
        format!("{{\"dtype\": \"{likely}\", \"shape\": {shape:?}, \"data\": [{}]}}", elements.join(", "))
    });
    let file = other.as_str().filter(|name| name.ends_with(".npy")).map(|name| format!("{{\"file\": {name:?}}}"));
    let instead =
        instead.or(file).unwrap_or_else(|| format!("{{\"dtype\": \"{likely}\", \"shape\": [...], \"data\": [...]}}"));
    let or = if other.is_null() { "leave the field out if there is none, or " } else { "" };
    format!("expected a tensor, found {}: {or}write {instead}", describe(other))
}

/// Returns the shape of a number or of lists of numbers, if these are equally long.
fn shape_of(value: &Value) -> Option<Vec<usize>> {
    match value {
        Value::Number(_) => Some(Vec::new()),
        Value::Array(elements) => {
            let inner = elements.first().map_or(Some(Vec::new()), shape_of)?;
            let are_alike = elements.iter().all(|element| shape_of(element).as_ref() == Some(&inner));
            are_alike.then(|| [vec![elements.len()], inner].concat())
        }
        _ => None,
    }
}

fn flatten(value: &Value, elements: &mut Vec<String>) {
    match value {
        Value::Array(inner) => inner.iter().for_each(|value| flatten(value, elements)),
        other => elements.push(other.to_string()),
    }
}

fn drawn(random: &Random, dtype: DType, count: usize, path: &FieldPath) -> Result<Data, Problem> {
    for (name, bound) in [("low", random.low), ("high", random.high)] {
        if is_beyond(bound, dtype) {
            return Err(Problem::new(path.key(name), beyond(&format!("{bound:?}"), dtype)));
        }
    }
    if !(random.high - random.low).is_finite() {
        return Err(Problem::new(path.clone(), "expected `high` - `low` within the range of f64"));
    }
    Ok(random.elements(dtype, count))
}

/// Returns whether a dtype can hold a finite number neither exactly nor rounded.
fn is_beyond(number: f64, dtype: DType) -> bool {
    match dtype {
        DType::I64 => !(i64::MIN as f64..=i64::MAX as f64).contains(&number),
        // The upper bound of random integers is excluded.
        DType::U8 => !(0.0..=256.0).contains(&number),
        float => {
            let rounded = Data::rounded(float, [number].into_iter()).to_f64();
            number.is_finite() && rounded.iter().any(|rounded| rounded.is_infinite())
        }
    }
}

fn beyond(number: &str, dtype: DType) -> String {
    if dtype.is_float() {
        // For 16 bits, too, the shortest decimal of the largest number is that of f32.
        let largest = dtype.format().largest;
        let largest = if dtype == DType::F64 { format!("{largest:?}") } else { format!("{:?}", largest as f32) };
        format!("expected a number within the range of {dtype}, whose largest is {largest}, found {number}")
    } else {
        let range = if dtype == DType::U8 { "0 to 255" } else { "-2^63 to 2^63 - 1" };
        format!("expected a number within the range of {dtype}, which is {range}, found {number}")
    }
}

fn numbers_of(dtype: DType, numbers: &[RawNumber], path: &FieldPath) -> Result<Data, Problem> {
    let integer = |(position, number): (usize, &RawNumber)| match *number {
        RawNumber::Integer(x) => Ok(x),
        other => {
            let message = format!("expected an integer, because the dtype is {dtype}, found {other}");
            Err(Problem::new(path.index(position), message))
        }
    };
    Ok(match dtype {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
            let largest = dtype.format().largest;
            let is_beyond = |number: &RawNumber| number.to_f64().abs() > largest && is_beyond(number.to_f64(), dtype);
            if let Some(position) = numbers.iter().position(is_beyond) {
                let number = numbers[position];
                let infinity = if number.to_f64() < 0.0 { "\"-Infinity\"" } else { "\"Infinity\"" };
                let message = format!("{}: write {infinity} if that is meant", beyond(&number.to_string(), dtype));
                return Err(Problem::new(path.index(position), message));
            }
            Data::rounded(dtype, numbers.iter().map(|number| number.to_f64()))
        }
        DType::I64 => Data::I64(numbers.iter().enumerate().map(integer).collect::<Result<_, _>>()?),
        DType::U8 => Data::U8(
            numbers
                .iter()
                .enumerate()
                .map(|(position, number)| {
                    let integer = integer((position, number))?;
                    u8::try_from(integer)
                        .map_err(|_| Problem::new(path.index(position), beyond(&integer.to_string(), dtype)))
                })
                .collect::<Result<_, _>>()?,
        ),
    })
}
