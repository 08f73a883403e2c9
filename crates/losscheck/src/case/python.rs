//! A case as Python, for those who want to see what their own PyTorch does with it.

use serde_json::Value;

use super::format::write_tensor;
use super::{Case, Expected};
use crate::loss::{Loss, LossKind};
use crate::tensor::{DType, Tensor};

/// The most numbers that a line of Python is written with.
const MOST_NUMBERS: usize = 200;

/// Returns statements that call PyTorch's loss on a case and print the value and the gradients, all in one line; `None` for a
/// case of hundreds of numbers, and for `adaptive_log_softmax_with_loss`, a class whose parameters are tensors of the case.
pub fn statements(case: &Case) -> Option<String> {
    let numbers: usize = case.inputs.values().map(Tensor::len).sum();
    let function = call(case).filter(|_| numbers <= MOST_NUMBERS)?;
    // PyTorch may take another path for an input that needs no gradient.
    let needs_gradient = |name: &&str| match &case.expected {
        Some(Expected::Answer(answer)) => answer.gradients.is_empty() || answer.gradients.contains_key(*name),
        _ => true,
    };
    let differentiable: Vec<&str> = case.differentiable().filter(needs_gradient).collect();
    let tensors = case.inputs.iter().map(|(name, tensor)| {
        let needs_gradient = differentiable.contains(&name.as_str());
        format!("{name} = {}", literal(tensor, needs_gradient))
    });
    let gradients: Vec<String> = differentiable.iter().map(|name| format!("{name}.grad")).collect();
    let backward = match &case.cotangent {
        _ if gradients.is_empty() => "print(loss)".to_owned(),
        None => format!("loss.backward(torch.ones_like(loss)); print(loss, {})", gradients.join(", ")),
        Some(cotangent) => {
            format!("loss.backward({}); print(loss, {})", literal(cotangent, false), gradients.join(", "))
        }
    };
    let statements = ["import torch".to_owned()].into_iter().chain(tensors);
    let statements = statements.chain([format!("loss = {function}"), backward]);
    Some(statements.collect::<Vec<_>>().join("; "))
}

fn call(case: &Case) -> Option<String> {
    let kind = case.loss.kind();
    let mut arguments: Vec<String> = case.inputs.keys().map(|name| format!("{name}={name}")).collect();
    for (name, value) in options(&case.loss) {
        arguments.push(match (name.as_str(), value.as_str()) {
            ("batch_chunk_size", _) => {
                format!("options=torch.nn.LinearCrossEntropyOptions(batch_chunk_size={value}, chunking_method=None)")
            }
            ("distance_function", Some("manhattan")) => format!("{name}=lambda a, b: (a - b).abs().sum(-1)"),
            ("distance_function", Some("squared_euclidean")) => format!("{name}=lambda a, b: (a - b).square().sum(-1)"),
            (_, Some("Infinity")) => format!("{name}=float(\"inf\")"),
            (_, Some("-Infinity")) => format!("{name}=-float(\"inf\")"),
            _ => match value {
                Value::Bool(true) => format!("{name}=True"),
                Value::Bool(false) => format!("{name}=False"),
                value => format!("{name}={value}"),
            },
        });
    }
    match kind {
        LossKind::AdaptiveLogSoftmaxWithLoss => None,
        // torch.nn.functional has none of that name.
        LossKind::NllLoss2d => Some(format!("torch.nn.functional.nll_loss({})", arguments.join(", "))),
        _ => Some(format!("torch.nn.functional.{}({})", kind.name(), arguments.join(", "))),
    }
}

/// The options that are not PyTorch's defaults.
fn options(loss: &Loss) -> Vec<(String, Value)> {
    let defaults = loss.kind().read_options(Value::Object(serde_json::Map::new()));
    let defaults = defaults.map(|loss| loss.write_options()).unwrap_or_default();
    let Value::Object(own) = loss.write_options() else { return Vec::new() };
    own.into_iter().filter(|(name, value)| defaults.get(name) != Some(value) && !value.is_null()).collect()
}

fn literal(tensor: &Tensor, needs_gradient: bool) -> String {
    let dtype = match tensor.dtype() {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::F32 => "float32",
        DType::F64 => "float64",
        DType::I64 => "int64",
        DType::U8 => "uint8",
    };
    let written = write_tensor(tensor);
    let numbers: Vec<String> = written["data"].as_array().into_iter().flatten().map(number).collect();
    let gradient = if needs_gradient { ", requires_grad=True" } else { "" };
    if tensor.is_empty() {
        return format!("torch.empty({:?}, dtype=torch.{dtype}{gradient})", tensor.shape());
    }
    format!("torch.tensor({}, dtype=torch.{dtype}{gradient})", nested(&numbers, tensor.shape()))
}

/// Returns a number of the golden format as Python writes it.
fn number(written: &Value) -> String {
    match written.as_str() {
        Some("NaN") => "torch.nan".to_owned(),
        Some("Infinity") => "torch.inf".to_owned(),
        Some("-Infinity") => "-torch.inf".to_owned(),
        _ => written.to_string(),
    }
}

/// Returns numbers as lists in lists of these lengths.
fn nested(numbers: &[String], shape: &[usize]) -> String {
    match shape {
        [] => numbers.join(", "),
        [_] => format!("[{}]", numbers.join(", ")),
        [_, inner @ ..] => {
            let each = inner.iter().product();
            let lists: Vec<String> = numbers.chunks(each).map(|numbers| nested(numbers, inner)).collect();
            format!("[{}]", lists.join(", "))
        }
    }
}
