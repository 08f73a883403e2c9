//! From JSON to cases: what the objects of the golden format have to say.

use std::collections::BTreeMap;

use serde_json::Value;

use super::raw::{RawCase, RawExpected, RawNumber, RawTensor};
use crate::case::{Answer, Case, Expected};
use crate::error::Problem;
use crate::loss::LossKind;
use crate::tensor::{DType, Data, Tensor, Tensors};

/// A large tensor is refused rather than allocated from a few bytes of text.
const MOST_ELEMENTS: usize = 1 << 24;

/// Checks a case and reads its tensors.
pub(super) fn read_case(raw: RawCase) -> Result<Case, Problem> {
    let kind: LossKind = raw.loss.parse().map_err(|message: String| Problem::new("loss", message))?;
    let loss =
        kind.read_options(Value::Object(raw.options)).map_err(|error| Problem::new("options", error.to_string()))?;

    let signature = kind.signature();
    let inputs = tensors(raw.inputs, "inputs")?;
    for name in signature.required {
        if !inputs.contains_key(*name) {
            return Err(Problem::new(format!("inputs.{name}"), format!("missing, expected a tensor for {}", raw.loss)));
        }
    }
    for name in inputs.keys() {
        if !signature.required.iter().chain(signature.optional).any(|known| known == name) {
            let names = [signature.required, signature.optional].concat().join(", ");
            return Err(Problem::new(format!("inputs.{name}"), format!("unknown, expected one of {names}")));
        }
    }
    let dtype = inputs[signature.first()].dtype();
    for (name, tensor) in &inputs {
        let fits = if tensor.dtype().is_float() {
            tensor.dtype() == dtype
        } else {
            // A target of integers is for the loss to refuse.
            signature.integers.contains(&name.as_str()) || name == "target"
        };
        if !fits {
            let expected = if name == signature.first() { "f32 or f64" } else { dtype.name() };
            let message = format!("`{}`, expected {expected}", tensor.dtype().name());
            return Err(Problem::new(format!("inputs.{name}.dtype"), message));
        }
    }
    let cotangent = raw.cotangent.map(|raw| tensor(raw, "cotangent")).transpose()?;
    let expected = raw.expected.map(|raw| read_expected(raw, signature.differentiable, &inputs)).transpose()?;
    let of_results = match &expected {
        Some(Expected::Answer(answer)) => Some(("expected.value", &answer.value)),
        _ => None,
    };
    let value_dtype = if loss.argmax_candidates().is_some() { DType::I64 } else { dtype };
    let of_value = of_results.into_iter().map(|(field, value)| (field, value, value_dtype));
    for (field, result, dtype) in of_value.chain(cotangent.as_ref().map(|tensor| ("cotangent", tensor, dtype))) {
        if result.dtype() != dtype {
            let message = format!("`{}`, expected {}", result.dtype().name(), dtype.name());
            return Err(Problem::new(format!("{field}.dtype"), message));
        }
    }
    if let (Some(("expected.value", value)), Some(cotangent)) = (of_results, &cotangent)
        && value.shape() != cotangent.shape()
    {
        let message = format!("{:?}, expected {:?}, that of the value", cotangent.shape(), value.shape());
        return Err(Problem::new("cotangent.shape", message));
    }
    let new = Case::new(raw.id, loss, inputs);
    Ok(Case { flags: raw.flags, cotangent, expected, printed: raw.printed, ..new })
}

fn read_expected(raw: RawExpected, differentiable: &[&str], inputs: &Tensors) -> Result<Expected, Problem> {
    match raw {
        RawExpected { value: Some(value), gradients, error: None, message: None } => {
            let value = tensor(value, "expected.value")?;
            let gradients = tensors(gradients, "expected.gradients")?;
            for (name, gradient) in &gradients {
                let field = format!("expected.gradients.{name}");
                let input = inputs.get(name).filter(|input| input.dtype().is_float());
                let Some(input) = input.filter(|_| differentiable.contains(&name.as_str())) else {
                    return Err(Problem::new(field, "not a differentiable input of the case"));
                };
                if gradient.shape() != input.shape() {
                    let message = format!("{:?}, expected {:?}, that of the input", gradient.shape(), input.shape());
                    return Err(Problem::new(format!("{field}.shape"), message));
                }
                if gradient.dtype() != input.dtype() {
                    let message = format!("`{}`, expected {}", gradient.dtype().name(), input.dtype().name());
                    return Err(Problem::new(format!("{field}.dtype"), message));
                }
            }
            Ok(Expected::Answer(Answer { value, gradients }))
        }
        RawExpected { value: None, gradients, error: Some(error), message } if gradients.is_empty() => {
            Ok(Expected::Rejection { error, message: message.unwrap_or_default() })
        }
        _ => Err(Problem::new("expected", "expected either `value` and `gradients`, or `error` and `message`")),
    }
}

fn tensors(raw: BTreeMap<String, RawTensor>, field: &str) -> Result<Tensors, Problem> {
    raw.into_iter()
        .map(|(name, raw)| {
            let tensor = tensor(raw, &format!("{field}.{name}"))?;
            Ok((name, tensor))
        })
        .collect()
}

fn tensor(raw: RawTensor, field: &str) -> Result<Tensor, Problem> {
    let dtype: DType = raw.dtype.parse().map_err(|message: String| Problem::new(format!("{field}.dtype"), message))?;
    // A dimension of 0 counts as 1, because no array holds [2^40, 0, 2^40] although it has no elements.
    let size = raw.shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim.max(1)));
    if size.is_none_or(|size| size > MOST_ELEMENTS) {
        let message = format!("{:?}, expected at most {MOST_ELEMENTS} elements", raw.shape);
        return Err(Problem::new(format!("{field}.shape"), message));
    }
    let count = raw.shape.iter().product();
    let data = match (raw.data, raw.random) {
        (Some(numbers), None) if numbers.len() == count => numbers_of(dtype, &numbers, &format!("{field}.data"))?,
        (Some(numbers), None) => {
            let message = format!("{} elements, expected {count} for shape {:?}", numbers.len(), raw.shape);
            return Err(Problem::new(format!("{field}.data"), message));
        }
        (None, Some(random)) => random.elements(dtype, count),
        _ => return Err(Problem::new(field, "expected either `data` or `random`")),
    };
    Ok(Tensor::new(raw.shape, data).expect("the elements have been counted"))
}

fn numbers_of(dtype: DType, numbers: &[RawNumber], field: &str) -> Result<Data, Problem> {
    let integer = |(position, number): (usize, &RawNumber)| match *number {
        RawNumber::Integer(x) => Ok(x),
        _ => Err(Problem::new(format!("{field}[{position}]"), format!("expected an integer for {}", dtype.name()))),
    };
    Ok(match dtype {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
            Data::rounded(dtype, numbers.iter().map(|number| number.to_f64()))
        }
        DType::I64 => Data::I64(numbers.iter().enumerate().map(integer).collect::<Result<_, _>>()?),
        DType::U8 => Data::U8(
            numbers
                .iter()
                .enumerate()
                .map(|(position, number)| {
                    u8::try_from(integer((position, number))?)
                        .map_err(|_| Problem::new(format!("{field}[{position}]"), "expected 0 to 255 for u8"))
                })
                .collect::<Result<_, _>>()?,
        ),
    })
}
