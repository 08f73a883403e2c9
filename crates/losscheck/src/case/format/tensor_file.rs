//! Tensors in files of their own: NumPy's `.npy`, and `.safetensors`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;
use serde_json::Value;

use super::json::shortened;
use super::names::{list, unknown};
use super::tensor::{Context, checked_count};
use crate::error::{FieldPath, Problem};
use crate::loss::LossKind;
use crate::tensor::{Data, Tensor};

/// The largest header of a `.safetensors` file, as the format has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// Reads the tensor of a name from a file, or the only one if the file has no names.
///
/// # Errors
///
/// Returns an error if the file cannot be read, holds no such tensor, or holds it in a dtype that the loss does not take.
pub(super) fn read(
    name: &str,
    tensor: Option<&str>,
    path: &FieldPath,
    context: Context<'_>,
) -> Result<Tensor, Problem> {
    let failed = |message: String| Problem::new(path.key("file"), message);
    let Some(folder) = context.folder else {
        return Err(failed(
            "expected `data`, because this case is not in a file that the name could be relative to".into(),
        ));
    };
    let source = Source { file: folder.join(name), path, loss: context.loss };
    match (Path::new(name).extension().and_then(|extension| extension.to_str()), tensor) {
        (Some("npy"), None) => source.read_npy(),
        (Some("npy"), Some(_)) => Err(Problem::new(
            path.key("tensor"),
            "expected no name of a tensor, because a .npy file holds a single one",
        )),
        (Some("safetensors"), tensor) => source.read_safetensors(tensor),
        _ => Err(failed(format!("expected the name of a .npy or .safetensors file, found {:?}", shortened(name)))),
    }
}

/// A file of tensors, and the field that names it.
struct Source<'a> {
    file: PathBuf,
    path: &'a FieldPath,
    loss: LossKind,
}

impl Source<'_> {
    fn problem(&self, message: impl std::fmt::Display) -> Problem {
        Problem::new(self.path.key("file"), format!("{}: {message}", self.file.display()))
    }

    fn open(&self) -> Result<BufReader<File>, Problem> {
        match File::open(&self.file) {
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_dir()) => {
                Err(self.problem("is a folder, expected a file"))
            }
            Ok(file) => Ok(BufReader::new(file)),
            Err(error) => Err(self.problem(format!("cannot be read: {error}; names are relative to the case's file"))),
        }
    }

    fn read_npy(&self) -> Result<Tensor, Problem> {
        let damaged =
            |error: &dyn std::fmt::Display| self.problem(format!("is no .npy file that can be read: {error}"));
        let mut file = self.open()?;
        let NpyHeader { descr, fortran_order, shape } = NpyHeader::read(&mut file).map_err(|error| damaged(&error))?;
        let count = checked_count(&shape, &self.path.key("file"))?;
        let descr = descr.as_str().unwrap_or("of a structure");
        let (order, dtype) = descr.split_at_checked(1).unwrap_or_default();
        let is_big_endian = order == ">";
        // As many bytes as the elements have; more may follow.
        let size = dtype.get(1..).and_then(|size| size.parse().ok()).unwrap_or(1).min(8);
        let mut bytes = Vec::new();
        file.take(size * count as u64).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        let data = match dtype {
            "f2" => Data::F16(numbers(&bytes, is_big_endian, f16::from_le_bytes)),
            "f4" => Data::F32(numbers(&bytes, is_big_endian, f32::from_le_bytes)),
            "f8" => Data::F64(numbers(&bytes, is_big_endian, f64::from_le_bytes)),
            "i8" => Data::I64(numbers(&bytes, is_big_endian, i64::from_le_bytes)),
            "u1" => Data::U8(bytes),
            "i4" if self.takes_i32() => {
                Data::I64(numbers(&bytes, is_big_endian, |bytes| i32::from_le_bytes(bytes).into()))
            }
            _ => return Err(self.wrong_dtype(numpy_name(descr), "the array")),
        };
        if data.len() != count {
            let message = format!("holds {} elements, expected {count} for its shape {shape:?}", data.len());
            return Err(self.problem(message));
        }
        let data = if fortran_order { to_row_major(&data, &shape) } else { data };
        Ok(Tensor::new(shape, data).expect("the elements have been counted"))
    }

    fn read_safetensors(&self, tensor: Option<&str>) -> Result<Tensor, Problem> {
        let damaged =
            |error: &dyn std::fmt::Display| self.problem(format!("is no .safetensors file that can be read: {error}"));
        let mut file = self.open()?;
        // The header and then one tensor: the whole file may be much larger.
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|error| damaged(&error))?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            return Err(damaged(&"its header is too long"));
        }
        let mut header = Vec::new();
        (&mut file).take(length).read_to_end(&mut header).map_err(|error| damaged(&error))?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(&error))?;
        let mut names = metadata.offset_keys();
        names.sort();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let holds = format!("the file holds {}", list(&names));
        let Some(tensor) = tensor else {
            return Err(Problem::new(
                self.path.key("tensor"),
                format!("missing, expected the name of a tensor: {holds}"),
            ));
        };
        let Some(info) = metadata.info(tensor) else {
            return Err(Problem::new(
                self.path.key("tensor"),
                format!("{} {holds}", unknown(&format!("tensor {tensor:?}"), tensor, &names)),
            ));
        };
        let shape = info.shape.clone();
        checked_count(&shape, &self.path.key("file"))?;
        let (start, end) = info.data_offsets;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(8 + length + start as u64)).map_err(|error| damaged(&error))?;
        file.take((end - start) as u64).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        let data = match info.dtype {
            Dtype::F16 => Data::F16(numbers(&bytes, false, f16::from_le_bytes)),
            Dtype::BF16 => Data::BF16(numbers(&bytes, false, bf16::from_le_bytes)),
            Dtype::F32 => Data::F32(numbers(&bytes, false, f32::from_le_bytes)),
            Dtype::F64 => Data::F64(numbers(&bytes, false, f64::from_le_bytes)),
            Dtype::I64 => Data::I64(numbers(&bytes, false, i64::from_le_bytes)),
            Dtype::U8 => Data::U8(bytes),
            Dtype::I32 if self.takes_i32() => {
                Data::I64(numbers(&bytes, false, |bytes| i32::from_le_bytes(bytes).into()))
            }
            other => return Err(self.wrong_dtype(format!("{other:?}").to_lowercase(), &format!("tensor {tensor:?}"))),
        };
        Tensor::new(shape, data).ok_or_else(|| self.problem("ends before the tensor does"))
    }

    /// Returns whether PyTorch takes integers of 32 bits for this loss with the result that it gives for those of 64 bits. The
    /// losses over classes refuse them.
    fn takes_i32(&self) -> bool {
        matches!(self.loss, LossKind::CtcLoss | LossKind::AdaptiveLogSoftmaxWithLoss)
    }

    fn wrong_dtype(&self, found: String, which: &str) -> Problem {
        let expected =
            if self.takes_i32() { "f16, bf16, f32, f64, i64, i32 or u8" } else { "f16, bf16, f32, f64, i64 or u8" };
        let instead = match found.as_str() {
            "i8" | "i16" | "i32" | "u16" | "u32" | "u64" => ": convert it to 64-bit signed integers before it is saved",
            "bool" => ": convert it to u8, or to the dtype of the input, before it is saved",
            _ => "",
        };
        self.problem(format!("{which} has dtype {found}, expected {expected}{instead}"))
    }
}

/// What an `.npy` file says before its elements.
///
/// [NumPy's documentation](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) defines it. The crates that
/// read it panic if the product of the shape overflows, and bring a parser generator for one line of text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NpyHeader {
    /// The byte order and the dtype, `<f4` for example. For elements with fields it is a list.
    descr: Value,
    /// Whether the first index varies fastest from an element to the next.
    fortran_order: bool,
    shape: Vec<usize>,
}

impl NpyHeader {
    fn read(file: &mut impl Read) -> io::Result<Self> {
        /// NumPy itself refuses to read longer ones.
        const LONGEST: u32 = 10_000;
        let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message);
        let mut start = [0; 8];
        file.read_exact(&mut start)?;
        let [magic @ .., major, _] = start;
        if magic != *b"\x93NUMPY" {
            return Err(invalid("it does not start as one"));
        }
        let length = if major == 1 {
            let mut length = [0; 2];
            file.read_exact(&mut length)?;
            u16::from_le_bytes(length).into()
        } else {
            let mut length = [0; 4];
            file.read_exact(&mut length)?;
            u32::from_le_bytes(length)
        };
        if length > LONGEST {
            return Err(invalid("its header is too long"));
        }
        let mut text = String::new();
        let read = file.take(length.into()).read_to_string(&mut text)?;
        if read < length as usize {
            return Err(invalid("its header ends too early"));
        }
        serde_json::from_str(&python_to_json(&text)).map_err(|_| invalid("its header is not as NumPy writes it"))
    }
}

/// Returns a dictionary of Python, as NumPy prints it, as JSON. Only texts that hold brackets or commas themselves do not
/// survive, which the names of plain dtypes do not.
fn python_to_json(text: &str) -> String {
    let text = text.replace('\'', "\"").replace('(', "[").replace(')', "]");
    let text = text.replace("False", "false").replace("True", "true");
    let mut json = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(',') {
        json.push_str(before);
        // Python allows a comma after the last element.
        if !after.trim_start().starts_with([']', '}']) {
            json.push(',');
        }
        rest = after;
    }
    json + rest
}

/// Returns the numbers that bytes hold. `number` takes them with the lowest first.
fn numbers<T, const N: usize>(bytes: &[u8], is_big_endian: bool, number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let each = |mut bytes: [u8; N]| {
        if is_big_endian {
            bytes.reverse();
        }
        number(bytes)
    };
    bytes.as_chunks().0.iter().copied().map(each).collect()
}

/// Returns our name for a dtype of NumPy, or NumPy's own if we have none.
fn numpy_name(descr: &str) -> String {
    match descr.trim_start_matches(['<', '>', '=', '|']) {
        "b1" => "bool",
        "i1" => "i8",
        "i2" => "i16",
        "i4" => "i32",
        "u2" => "u16",
        "u4" => "u32",
        "u8" => "u64",
        // What NumPy saves of ml_dtypes.bfloat16 does not tell it from other types.
        "V2" => "V2 (bytes without a type; a .safetensors file can hold bf16)",
        other => return other.escape_debug().to_string(),
    }
    .to_owned()
}

/// Returns elements in row-major order that are given in column-major order.
fn to_row_major(data: &Data, shape: &[usize]) -> Data {
    fn reordered<T: Copy>(data: &[T], shape: &[usize]) -> Vec<T> {
        let mut index = vec![0; shape.len()];
        let mut reordered = Vec::with_capacity(data.len());
        while reordered.len() < data.len() {
            let position = index.iter().zip(shape).rev().fold(0, |position, (&index, &dim)| position * dim + index);
            reordered.extend(data.get(position));
            for (index, &dim) in index.iter_mut().zip(shape).rev() {
                *index += 1;
                if *index < dim {
                    break;
                }
                *index = 0;
            }
        }
        reordered
    }
    match data {
        Data::F16(data) => Data::F16(reordered(data, shape)),
        Data::BF16(data) => Data::BF16(reordered(data, shape)),
        Data::F32(data) => Data::F32(reordered(data, shape)),
        Data::F64(data) => Data::F64(reordered(data, shape)),
        Data::I64(data) => Data::I64(reordered(data, shape)),
        Data::U8(data) => Data::U8(reordered(data, shape)),
    }
}
