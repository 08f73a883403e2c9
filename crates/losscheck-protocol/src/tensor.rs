//! Tensors in messages: a dtype, a shape, and the elements as the bits of memory or as numbers.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use half::{bf16, f16};
use losscheck::case::format;
use losscheck::tensor::{DType, Data, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How the elements of tensors are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The elements in row-major order, little-endian, in base64: exact for every number.
    #[default]
    Bits,
    /// A list of numbers, as in golden files: for people to read.
    Data,
}

/// Writes a tensor.
#[must_use]
pub fn write(tensor: &Tensor, encoding: Encoding) -> Value {
    match encoding {
        Encoding::Data => format::write_tensor(tensor),
        Encoding::Bits => {
            let bits = BASE64_STANDARD.encode(bytes(tensor.data()));
            json!({"dtype": tensor.dtype().name(), "shape": tensor.shape(), "bits": bits})
        }
    }
}

fn bytes(data: &Data) -> Vec<u8> {
    match data {
        Data::F16(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::BF16(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::F32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::F64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::I64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::U8(data) => data.clone(),
    }
}

/// A tensor whose elements are bits.
#[derive(Deserialize)]
struct InBits {
    dtype: String,
    shape: Vec<usize>,
    bits: String,
}

/// Reads a tensor in either encoding.
///
/// # Errors
///
/// Returns an error that says what was expected if it is neither.
pub fn read(value: &Value) -> Result<Tensor, String> {
    if value.get("bits").is_none() {
        return format::tensor_of(value);
    }
    let InBits { dtype, shape, bits } = InBits::deserialize(value).map_err(|error| error.to_string())?;
    let dtype: DType = dtype.parse().map_err(|message| format!("`dtype`: {message}"))?;
    let bytes = BASE64_STANDARD.decode(bits).map_err(|error| format!("`bits`: expected base64: {error}"))?;
    let data = elements(dtype, &bytes);
    let wrong = |expected: String| format!("`bits`: expected {expected}, found {} bytes", bytes.len());
    let data = data.ok_or_else(|| wrong(format!("whole elements of {dtype}")))?;
    Tensor::new(shape.clone(), data).ok_or_else(|| wrong(format!("the elements of shape {shape:?} in {dtype}")))
}

/// The elements, unless the last one is not whole.
fn elements(dtype: DType, bytes: &[u8]) -> Option<Data> {
    fn each<const N: usize, T>(bytes: &[u8], of: fn([u8; N]) -> T) -> Option<Vec<T>> {
        let (whole, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| whole.iter().copied().map(of).collect())
    }
    Some(match dtype {
        DType::F16 => Data::F16(each(bytes, f16::from_le_bytes)?),
        DType::BF16 => Data::BF16(each(bytes, bf16::from_le_bytes)?),
        DType::F32 => Data::F32(each(bytes, f32::from_le_bytes)?),
        DType::F64 => Data::F64(each(bytes, f64::from_le_bytes)?),
        DType::I64 => Data::I64(each(bytes, i64::from_le_bytes)?),
        DType::U8 => Data::U8(bytes.to_vec()),
    })
}
