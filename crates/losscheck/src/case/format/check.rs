//! From JSON to cases: what the objects of the golden format have to say.

use std::collections::BTreeMap;
use std::path::Path;

use super::json::{MaybeObject, Members, Object, describe};
use super::names::{takes, unknown_loss, unknown_tensor};
use super::options::read_options;
use super::raw::{MaybeTensor, RawCase, RawExpected, RawTolerance};
use super::tensor::{Context, read_tensor};
use crate::case::{Answer, Case, Expected, ExpectedBy, Tolerance};
use crate::error::{FieldPath, Problem};
use crate::loss::LossKind;
use crate::tensor::{DType, Tensor, Tensors};

/// Checks a case and reads its tensors. Names of files are relative to `folder`.
pub(super) fn read_case(raw: RawCase, expected_by: &ExpectedBy, folder: Option<&Path>) -> Result<Case, Problem> {
    check_id(&raw.id)?;
    if let Some(position) = (1..raw.flags.len()).find(|&position| raw.flags[..position].contains(&raw.flags[position]))
    {
        let message = format!("`{}` stands twice, expected each flag once", raw.flags[position]);
        return Err(Problem::new(FieldPath::from("flags").index(position), message));
    }
    let kind: LossKind = raw.loss.parse().map_err(|_: String| Problem::new("loss", unknown_loss(&raw.loss)))?;
    let Members(options) = raw.options;
    let loss = read_options(kind, options)?;
    let expects_rejection = matches!(
        &raw.expected,
        Some(Object(RawExpected { error: Some(_), .. } | RawExpected { rejected: Some(_), .. }))
    );
    let inputs = read_inputs(raw.inputs, kind, folder, expects_rejection)?;
    let context = Context { folder, ..context_of(&inputs, kind) };
    let cotangent = raw.cotangent.map(|raw| read_cotangent(raw, context)).transpose()?;
    let answers_with_indices = loss.argmax_candidates().is_some();
    let expected = match raw.expected {
        Some(Object(raw)) => Some(read_expected(raw, answers_with_indices, &inputs, context)?),
        None => None,
    };
    if let (Some(Expected::Answer(Answer { value, .. })), Some(cotangent)) = (&expected, &cotangent)
        && value.shape() != cotangent.shape()
    {
        let message =
            format!("expected {:?}, the shape of `expected.value`, found {:?}", value.shape(), cotangent.shape());
        return Err(Problem::new(FieldPath::from("cotangent").key("shape"), message));
    }
    let tolerance = raw.tolerance.map(read_tolerance).transpose()?;
    let (id, flags, note, printed) = (raw.id, raw.flags, raw.note, raw.printed);
    // Without an expectation there is nobody who has it.
    let expected_by = expected.as_ref().map(|_| expected_by.clone()).unwrap_or_default();
    let new = Case::new(id, loss, inputs);
    Ok(Case { flags, note, cotangent, expected, expected_by, tolerance, printed, ..new })
}

fn check_id(id: &str) -> Result<(), Problem> {
    if id.is_empty() {
        return Err(Problem::new("id", "expected a name, found the empty string"));
    }
    if id.chars().any(char::is_control) {
        return Err(Problem::new("id", format!("expected a name without control characters, found {id:?}")));
    }
    Ok(())
}

/// Returns what reading the results of a case depends on, if no tensor is in a file. The dtype to suggest is that of the first
/// tensor, or of another if that holds integers.
pub(super) fn context_of(inputs: &Tensors, loss: LossKind) -> Context<'static> {
    let first = inputs.get(loss.signature().first()).into_iter();
    let mut dtypes = first.chain(inputs.values()).map(Tensor::dtype);
    let likely = dtypes.find(|dtype| dtype.is_float()).unwrap_or(DType::F32);
    Context { loss, folder: None, likely }
}

pub(super) fn read_cotangent(raw: MaybeTensor, context: Context<'_>) -> Result<Tensor, Problem> {
    let path = FieldPath::from("cotangent");
    let tensor = read_tensor(raw, &path, context)?;
    float(&tensor, &path)?;
    Ok(tensor)
}

/// Reads the tensors of a case. Integers in a tensor of floats are for the loss to refuse if the case expects a rejection, and
/// a mistake otherwise.
fn read_inputs(
    raw: Members<MaybeTensor>,
    kind: LossKind,
    folder: Option<&Path>,
    expects_rejection: bool,
) -> Result<Tensors, Problem> {
    let (signature, Members(raw), path) = (kind.signature(), raw, FieldPath::from("inputs"));
    let is_known = |name: &str| signature.required.iter().chain(signature.optional).any(|known| *known == name);
    let given: Vec<&str> = raw.keys().map(String::as_str).collect();
    if let Some(name) = given.iter().find(|name| !is_known(name)) {
        return Err(Problem::new(path.key(name), unknown_tensor(name, kind, &given)));
    }
    if let Some(name) = signature.required.iter().find(|name| !given.contains(name)) {
        return Err(Problem::new(path.key(name), format!("missing, expected a tensor: {}", takes(kind))));
    }
    // The dtype to suggest for what is no tensor is that of the case's other tensors.
    let is_float = |dtype: &DType| dtype.is_float();
    let dtype_of = |raw: &MaybeTensor| match raw {
        MaybeObject::Object(raw) => raw.dtype.as_ref().and_then(|dtype| dtype.parse().ok()).filter(is_float),
        MaybeObject::Other(_) => None,
    };
    let common = raw.values().find_map(dtype_of).unwrap_or(DType::F32);
    let mut inputs = Tensors::new();
    for (name, raw) in raw {
        let path = path.key(&name);
        let may_be_integers = signature.integers.contains(&name.as_str());
        let is_number = signature.numbers.contains(&name.as_str());
        let likely = if may_be_integers && !is_number { DType::I64 } else { common };
        let tensor = read_tensor(raw, &path, Context { loss: kind, folder, likely })?;
        // A target of integers is for the loss to refuse.
        if !may_be_integers && name != "target" && !expects_rejection {
            float(&tensor, &path)?;
        }
        inputs.insert(name, tensor);
    }
    Ok(inputs)
}

/// Checks that a tensor holds floating-point numbers.
fn float(tensor: &Tensor, path: &FieldPath) -> Result<(), Problem> {
    if tensor.dtype().is_float() {
        return Ok(());
    }
    let message = format!("expected f16, bf16, f32 or f64, found {}", tensor.dtype());
    Err(Problem::new(path.key("dtype"), message))
}

pub(super) fn read_expected(
    raw: RawExpected,
    answers_with_indices: bool,
    inputs: &Tensors,
    context: Context<'_>,
) -> Result<Expected, Problem> {
    let path = FieldPath::from("expected");
    match raw {
        RawExpected { value: Some(value), gradients, error: None, message: None, rejected: None } => {
            let value_path = path.key("value");
            let likely = if answers_with_indices { DType::I64 } else { context.likely };
            let value = read_tensor(value, &value_path, Context { likely, ..context })?;
            if !answers_with_indices {
                float(&value, &value_path)?;
            } else if value.dtype() != DType::I64 {
                let message = format!("expected i64, because the loss answers with classes, found {}", value.dtype());
                return Err(Problem::new(value_path.key("dtype"), message));
            }
            let Members(gradients) = gradients.unwrap_or_default();
            let gradients = read_gradients(gradients, &path.key("gradients"), inputs, context)?;
            Ok(Expected::Answer(Answer { value, gradients }))
        }
        RawExpected { value: None, gradients: None, error: Some(error), message: Some(message), rejected: None } => {
            if !is_error_class(&error) {
                let message = format!(
                    "expected the class of Python's exception, such as `ValueError`, found {error:?}: to expect a rejection \
                     without naming one, write {{\"rejected\": true}}"
                );
                return Err(Problem::new(path.key("error"), message));
            }
            if message.is_empty() {
                return Err(Problem::new(path.key("message"), "expected the text of the exception, found nothing"));
            }
            Ok(Expected::Rejection { error, message })
        }
        RawExpected { value: None, gradients: None, error: None, message: None, rejected: Some(true) } => {
            Ok(Expected::any_rejection())
        }
        RawExpected { value: None, gradients: None, error: None, message: None, rejected: Some(false) } => {
            let message = "expected true, found false: to expect an answer, write `value` and `gradients`";
            Err(Problem::new(path.key("rejected"), message))
        }
        _ => Err(Problem::new(
            path,
            "expected either `value` and `gradients`, or `error` and `message`, or {\"rejected\": true}",
        )),
    }
}

/// Returns whether a name can be that of an error class: letters, the first of them large, and `Error` at the end.
fn is_error_class(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.strip_suffix("Error").is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_alphabetic()))
        && name != "Error"
}

fn read_gradients(
    raw: BTreeMap<String, MaybeTensor>,
    path: &FieldPath,
    inputs: &Tensors,
    context: Context<'_>,
) -> Result<Tensors, Problem> {
    let differentiable = context.loss.signature().differentiable;
    let mut gradients = Tensors::new();
    for (name, raw) in raw {
        let path = path.key(&name);
        let input = inputs.get(&name).filter(|input| input.dtype().is_float());
        let Some(input) = input.filter(|_| differentiable.contains(&name.as_str())) else {
            return Err(Problem::new(path, "expected the name of a differentiable input of the case"));
        };
        let gradient = read_tensor(raw, &path, Context { likely: input.dtype(), ..context })?;
        float(&gradient, &path)?;
        if gradient.shape() != input.shape() {
            let message =
                format!("expected {:?}, the shape of `inputs.{name}`, found {:?}", input.shape(), gradient.shape());
            return Err(Problem::new(path.key("shape"), message));
        }
        gradients.insert(name, gradient);
    }
    Ok(gradients)
}

fn read_tolerance(raw: MaybeObject<RawTolerance>) -> Result<Tolerance, Problem> {
    const EXPECTED: &str = "expected either {\"digits\": 4} or {\"relative\": 1e-3}, with a number of your own";
    let path = FieldPath::from("tolerance");
    let raw = match raw {
        MaybeObject::Object(raw) => raw,
        MaybeObject::Other(other) => {
            return Err(Problem::new(path, format!("{EXPECTED}, found {}", describe(&other))));
        }
    };
    match raw {
        RawTolerance { digits: Some(digits), relative: None } if (1..=Tolerance::MOST_DIGITS).contains(&digits) => {
            Ok(Tolerance::Digits(digits))
        }
        RawTolerance { digits: Some(digits), relative: None } => {
            let message = format!("expected a number of digits from 1 to {}, found {digits}", Tolerance::MOST_DIGITS);
            Err(Problem::new(path.key("digits"), message))
        }
        RawTolerance { digits: None, relative: Some(relative) } if relative > 0.0 && relative.is_finite() => {
            Ok(Tolerance::Relative(relative))
        }
        RawTolerance { digits: None, relative: Some(relative) } => {
            Err(Problem::new(path.key("relative"), format!("expected a positive number, found {relative:?}")))
        }
        RawTolerance { digits: Some(_), relative: Some(_) } => {
            Err(Problem::new(path, format!("{EXPECTED}, found both")))
        }
        RawTolerance { digits: None, relative: None } => Err(Problem::new(path, format!("{EXPECTED}, found neither"))),
    }
}
