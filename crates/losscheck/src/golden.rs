//! The golden format: strict reading, with errors that name file, case and field; and writing.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::case::{Answer, Case, Expected, Tensors};
use crate::loss::LossKind;
use crate::tensor::{DType, Data, Tensor};

/// The version of the format.
pub const FORMAT: &str = "losscheck-goldens/1";

/// What is wrong with a data file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {place}{message}", file = file.display())]
pub struct DataError {
    file: PathBuf,
    place: String,
    message: String,
}

impl DataError {
    /// An error about a file as a whole.
    pub fn new(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: String::new(), message: message.into() }
    }

    fn in_case(file: &Path, case: &str, problem: Problem) -> Self {
        let field = if problem.field.is_empty() { String::new() } else { format!("`{}`: ", problem.field) };
        Self { file: file.to_owned(), place: format!("case `{case}`: {field}"), message: problem.message }
    }
}

/// What is wrong with a field of a case.
struct Problem {
    field: String,
    message: String,
}

impl Problem {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile<'a> {
    format: String,
    #[serde(default, rename = "generator")]
    _generator: Option<String>,
    #[serde(default, rename = "pytorch")]
    _pytorch: Option<String>,
    count: usize,
    #[serde(default)]
    flags: BTreeMap<String, Flag>,
    #[serde(borrow)]
    cases: Vec<&'a RawValue>,
}

/// What a category of cases is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// What its cases test.
    pub tests: String,
    /// Why that is worth a test.
    pub why: String,
    /// The upstream issues behind it.
    pub upstream: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    id: String,
    loss: String,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    options: Map<String, Value>,
    inputs: BTreeMap<String, RawTensor>,
    #[serde(default)]
    cotangent: Option<RawTensor>,
    #[serde(default)]
    expected: Option<RawExpected>,
    #[serde(default)]
    printed: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    value: Option<RawTensor>,
    #[serde(default)]
    gradients: BTreeMap<String, RawTensor>,
    error: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTensor {
    dtype: String,
    shape: Vec<usize>,
    data: Option<Vec<RawNumber>>,
    random: Option<Random>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"")]
enum RawNumber {
    Integer(i64),
    Float(f64),
    Special(Special),
}

#[derive(Clone, Copy, Deserialize, Serialize)]
enum Special {
    NaN,
    Infinity,
    #[serde(rename = "-Infinity")]
    MinusInfinity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    seed: u64,
    low: f64,
    high: f64,
}

/// A large tensor is refused rather than allocated from a few bytes of text.
const MOST_ELEMENTS: usize = 1 << 24;

/// Cases, with the flags that explain their categories.
#[derive(Clone, Debug, Default)]
pub struct Goldens {
    /// The cases, in the order of the files.
    pub cases: Vec<Case>,
    /// The categories by name.
    pub flags: BTreeMap<String, Flag>,
}

/// Reads a file, or every `.json` file directly in a folder.
///
/// # Errors
///
/// Where a file cannot be read or is not in the golden format, or an id stands twice.
pub fn read(path: &Path) -> Result<Goldens, DataError> {
    let mut goldens = Goldens::default();
    let mut ids = HashSet::new();
    let files = files(path)?;
    let contents: Vec<_> = files.par_iter().map(|file| read_file(file)).collect();
    for (file, contents) in files.iter().zip(contents) {
        let (cases, flags) = contents?;
        for case in &cases {
            if !ids.insert(case.id.clone()) {
                return Err(DataError::in_case(file, &case.id, Problem::new("id", "duplicate, expected a unique id")));
            }
        }
        goldens.cases.extend(cases);
        goldens.flags.extend(flags);
    }
    Ok(goldens)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error: std::io::Error| DataError::new(path, format!("cannot be read: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(DataError::new(path, "has no .json file, expected at least one in the golden format"));
    }
    files.sort();
    Ok(files)
}

fn read_file(file: &Path) -> Result<(Vec<Case>, BTreeMap<String, Flag>), DataError> {
    let bytes = fs::read(file).map_err(|error| DataError::new(file, format!("cannot be read: {error}")))?;
    parse(file, &bytes)
}

/// The cases and flags of a file that holds these bytes.
///
/// # Errors
///
/// Where they are not in the golden format.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Vec<Case>, BTreeMap<String, Flag>), DataError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        DataError::new(file, format!("is not UTF-8 at byte {}, expected UTF-8 JSON", error.valid_up_to()))
    })?;
    let raw: RawFile<'_> = from_json(text).map_err(|Problem { field, message }| {
        let field = if field.is_empty() { field } else { format!("`{field}`: ") };
        DataError::new(file, format!("{field}{message}"))
    })?;
    if raw.format != FORMAT {
        return Err(DataError::new(file, format!("`format` is `{}`, expected `{FORMAT}`", raw.format)));
    }
    if raw.count != raw.cases.len() {
        let message = format!("`count` is {}, expected {}, the number of cases", raw.count, raw.cases.len());
        return Err(DataError::new(file, message));
    }
    let read = |text: &&RawValue| {
        let case: RawCase = from_json(text.get())?;
        match case.flags.iter().find(|flag| !raw.flags.contains_key(*flag)) {
            Some(flag) => Err(Problem::new("flags", format!("`{flag}` is not explained under `flags` of the file"))),
            None => read_case(case),
        }
    };
    let cases: Vec<Result<Case, Problem>> = raw.cases.par_iter().map(read).collect();
    let named = |(position, case): (usize, Result<Case, Problem>)| {
        case.map_err(|problem| DataError::in_case(file, &name_of(raw.cases[position].get(), position), problem))
    };
    let cases = cases.into_iter().enumerate().map(named).collect::<Result<_, _>>()?;
    Ok((cases, raw.flags))
}

/// The id of a case that may be broken elsewhere, or else its number.
fn name_of(text: &str, position: usize) -> String {
    let id = serde_json::from_str::<Value>(text).ok().and_then(|case| Some(case.get("id")?.as_str()?.to_owned()));
    id.unwrap_or_else(|| format!("number {}", position + 1))
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
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

/// Reads one case, as [`write_case`] writes it.
///
/// # Errors
///
/// Where it is not in the golden format, with the field.
pub fn case_of(value: &Value) -> Result<Case, String> {
    from_json::<RawCase>(&value.to_string())
        .and_then(read_case)
        .map_err(|Problem { field, message }| if field.is_empty() { message } else { format!("`{field}`: {message}") })
}

fn read_case(raw: RawCase) -> Result<Case, Problem> {
    let kind: LossKind = raw.loss.parse().map_err(|message: String| Problem::new("loss", message))?;
    let loss = serde_path_to_error::deserialize::<_, Value>(Value::Object(raw.options))
        .map_err(|error| error.into_inner())
        .and_then(|options| kind.read_options(options))
        .map_err(|error| Problem::new("options", error.to_string()))?;

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
    let value_dtype = if loss.contenders().is_some() { DType::I64 } else { dtype };
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
    Ok(Case { id: raw.id, loss, flags: raw.flags, inputs, cotangent, expected, printed: raw.printed })
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
    let count = raw.shape.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
    let count = count.filter(|&count| count <= MOST_ELEMENTS).ok_or_else(|| {
        let message = format!("{:?}, expected at most {MOST_ELEMENTS} elements", raw.shape);
        Problem::new(format!("{field}.shape"), message)
    })?;
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
    let float = |number: &RawNumber| match *number {
        RawNumber::Integer(x) => x as f64,
        RawNumber::Float(x) => x,
        RawNumber::Special(Special::NaN) => f64::NAN,
        RawNumber::Special(Special::Infinity) => f64::INFINITY,
        RawNumber::Special(Special::MinusInfinity) => f64::NEG_INFINITY,
    };
    let integer = |(position, number): (usize, &RawNumber)| match *number {
        RawNumber::Integer(x) => Ok(x),
        _ => Err(Problem::new(format!("{field}[{position}]"), format!("expected an integer for {}", dtype.name()))),
    };
    Ok(match dtype {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => Data::rounded(dtype, numbers.iter().map(float)),
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

impl Random {
    /// SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    fn elements(&self, dtype: DType, count: usize) -> Data {
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

/// Writes cases in the golden format, whole or not at all.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write(path: &Path, cases: &[Case]) -> Result<(), DataError> {
    let mut text = format!("{{\n\"format\": \"{FORMAT}\",\n\"count\": {},\n\"cases\": [\n", cases.len());
    let lines: Vec<String> = cases.iter().map(|case| write_case(case).to_string()).collect();
    text.push_str(&lines.join(",\n"));
    text.push_str("\n]\n}\n");
    write_atomically(path, text.as_bytes())
}

/// Writes beside the file, then renames, so that no reader sees half of it.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let unwritable = |error: std::io::Error| DataError::new(path, format!("cannot be written: {error}"));
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(unwritable)
}

/// A case in the golden format.
pub fn write_case(case: &Case) -> Value {
    let named = |tensors: &Tensors| -> Value {
        tensors.iter().map(|(name, tensor)| (name.clone(), write_tensor(tensor))).collect::<Map<_, _>>().into()
    };
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(case.id));
    fields.insert("loss".to_owned(), json!(case.loss.kind().name()));
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
        Some(Expected::Rejection { error, message }) => {
            fields.insert("expected".to_owned(), json!({"error": error, "message": message}));
        }
    }
    if let Some(printed) = case.printed {
        fields.insert("printed".to_owned(), json!(printed));
    }
    fields.into()
}

/// A tensor in the golden format.
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
