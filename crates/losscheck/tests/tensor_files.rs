//! Tensors in files of their own.
//!
//! NumPy 2.4.6 wrote `data/numpy`, where `rows` is `[[1.5, -2, nan], [inf, -0.0, 0.1]]`: for example
//! `numpy.save("fortran_f64.npy", numpy.asfortranarray(rows))`. `fortran_3d_i64.npy` holds 0 to 23 in shape (2, 3, 4).

use std::fs;
use std::path::{Path, PathBuf};

use half::bf16;
use losscheck::case::{Case, format};
use losscheck::tensor::{Data, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

fn numpy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/numpy")
}

/// Reads a file of one case in a folder.
fn read(folder: &Path, case: &Value) -> Result<Case, String> {
    let file = json!({"format": format::FORMAT, "cases": [case]}).to_string();
    let read = format::parse(&folder.join("mine.json"), file.as_bytes()).map_err(|error| error.to_string())?;
    Ok(read.cases.into_iter().next().expect("one case"))
}

fn mse(input: Value) -> Value {
    json!({"id": "mine", "loss": "mse_loss", "inputs": {"input": input, "target": input}})
}

/// Reads a tensor of floats.
fn input(folder: &Path, input: Value) -> Result<Tensor, String> {
    Ok(read(folder, &mse(input))?.inputs.remove("input").expect("the input"))
}

/// Reads a tensor of labels.
fn labels(file: &str, loss: &str, name: &str) -> Result<Tensor, String> {
    let scores = json!({"dtype": "f32", "shape": [2, 1, 3], "data": [0, 0, 0, 0, 0, 0]});
    let one = json!({"dtype": "i64", "shape": [1], "data": [1]});
    let inputs = match loss {
        "ctc_loss" => json!({"log_probs": scores, "targets": one, "input_lengths": one, "target_lengths": one}),
        _ => json!({"input": scores, "target": one}),
    };
    let mut case = json!({"id": "mine", "loss": loss, "inputs": inputs});
    case["inputs"][name] = json!({"file": file});
    Ok(read(&numpy(), &case)?.inputs.remove(name).expect("the labels"))
}

/// What the error says after the name of the case's file and before that of the tensor's.
#[track_caller]
fn assert_fails(result: Result<Tensor, String>, folder: &Path, expected: &str) {
    let error = result.expect_err("a tensor that cannot be read");
    let folder = format!("{}/", folder.display());
    let error = error.replace(&folder, "");
    let (_, error) = error.split_once("case `mine`: ").expect("the name of the case");
    assert_eq!(error, expected);
}

const ROWS: [f64; 6] = [1.5, -2.0, f64::NAN, f64::INFINITY, -0.0, 0.1];

/// Asserts that a tensor holds [`ROWS`], the last number rounded. Debug output tells -0.0 from 0.0.
#[track_caller]
fn assert_is_rows(tensor: &Tensor, last: f64) {
    assert_eq!(tensor.shape(), [2, 3]);
    let rows = [&ROWS[..5], &[last]].concat();
    assert_eq!(format!("{:?}", tensor.to_f64()), format!("{rows:?}"));
}

#[test]
fn arrays_that_numpy_saved_are_read() {
    let of = |file: &str| input(&numpy(), json!({ "file": file })).expect("a readable array");
    let f32 = of("c_f32.npy");
    assert!(matches!(f32.data(), Data::F32(_)));
    assert_is_rows(&f32, 0.1f32.into());
    assert_is_rows(&of("big_endian_f32.npy"), 0.1f32.into());
    let f64 = of("fortran_f64.npy");
    assert!(matches!(f64.data(), Data::F64(_)));
    assert_is_rows(&f64, 0.1);
    let f16 = of("c_f16.npy");
    assert!(matches!(f16.data(), Data::F16(_)));
    assert_is_rows(&f16, 0.099_975_585_937_5);
    let scalar = of("scalar_f64.npy");
    assert_eq!((scalar.shape(), scalar.to_f64()), (&[][..], vec![0.1]));
    let empty = of("empty_f32.npy");
    assert_eq!((empty.shape(), empty.len()), (&[2, 0][..], 0));
}

#[test]
fn labels_that_numpy_saved_are_read() {
    let i64 = labels("labels_i64.npy", "cross_entropy", "target").expect("labels");
    assert!(matches!(i64.data(), Data::I64(labels) if labels == &[2, 0]));
    let u8 = labels("labels_u8.npy", "cross_entropy", "target").expect("labels");
    assert!(matches!(u8.data(), Data::U8(labels) if labels == &[2, 0]));
    let deep = labels("fortran_3d_i64.npy", "cross_entropy", "target").expect("labels");
    assert_eq!(deep.shape(), [2, 3, 4]);
    assert!(matches!(deep.data(), Data::I64(labels) if labels.iter().copied().eq(0..24)));
}

/// As PyTorch does: the losses over classes refuse 32-bit labels, `ctc_loss` takes them.
#[test]
fn integers_of_32_bits_are_taken_if_pytorch_takes_them() {
    let i32 = labels("labels_i32.npy", "ctc_loss", "targets").expect("labels");
    assert!(matches!(i32.data(), Data::I64(labels) if labels == &[2, 0]));
    assert_fails(
        labels("labels_i32.npy", "cross_entropy", "target"),
        &numpy(),
        "`inputs.target.file`: labels_i32.npy: the array has dtype i32, expected f16, bf16, f32, f64, i64 or u8: convert it \
         to 64-bit signed integers before it is saved",
    );
    assert_fails(
        labels("labels_bool.npy", "ctc_loss", "targets"),
        &numpy(),
        "`inputs.targets.file`: labels_bool.npy: the array has dtype bool, expected f16, bf16, f32, f64, i64, i32 or u8: \
         convert it to u8, or to the dtype of the input, before it is saved",
    );
}

#[test]
fn labels_are_no_scores() {
    let with_expectation = |expected: Value| {
        let target = json!({"dtype": "i64", "shape": [1], "data": [1]});
        let inputs = json!({"input": {"file": "labels_i64.npy"}, "target": target});
        let mut case = json!({"id": "mine", "loss": "nll_loss", "inputs": inputs});
        if !expected.is_null() {
            case["expected"] = expected;
        }
        Ok(read(&numpy(), &case)?.inputs.remove("input").expect("the input"))
    };
    assert_fails(
        with_expectation(Value::Null),
        &numpy(),
        "`inputs.input.dtype`: expected f16, bf16, f32 or f64, found i64",
    );
    with_expectation(json!({"rejected": true})).expect("integers that are to be refused");
}

#[test]
fn a_dtype_and_a_shape_beside_the_file_are_checked() {
    let of = |more: Value| {
        let mut tensor = json!({"file": "c_f32.npy"});
        for (name, value) in more.as_object().into_iter().flatten() {
            tensor[name] = value.clone();
        }
        input(&numpy(), tensor)
    };
    assert_is_rows(&of(json!({"dtype": "f32", "shape": [2, 3]})).expect("what the file holds"), 0.1f32.into());
    assert_fails(
        of(json!({"dtype": "f64"})),
        &numpy(),
        "`inputs.input.dtype`: expected f32, the dtype in the file, found f64",
    );
    assert_fails(
        of(json!({"shape": [3, 2]})),
        &numpy(),
        "`inputs.input.shape`: expected [2, 3], the shape in the file, found [3, 2]",
    );
    assert_fails(
        of(json!({"tensor": "input"})),
        &numpy(),
        "`inputs.input.tensor`: expected no name of a tensor, because a .npy file holds a single one",
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = input(&numpy(), json!({"file": "logits.npy"})).expect_err("no such file");
    assert!(error.contains("`inputs.input.file`"), "{error}");
    assert!(error.contains(&numpy().join("logits.npy").display().to_string()), "{error}");
    assert!(error.contains("cannot be read"), "{error}");
    assert!(error.contains("names are relative to the case's file"), "{error}");
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("input.npy")).expect("a writable folder");
    assert_fails(
        input(folder.path(), json!({"file": "input.npy"})),
        folder.path(),
        "`inputs.input.file`: input.npy: is a folder, expected a file",
    );
}

/// A folder with `batch.safetensors`, as the crate writes it.
fn batch() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bf16: Vec<u8> = [0.5f32, -1.0].iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect();
    let f32: Vec<u8> = [0.1f32, f32::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
    let i32: Vec<u8> = [3i32, -1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let views = [
        ("logits", Dtype::BF16, vec![1, 2], &bf16),
        ("weight", Dtype::F32, vec![2], &f32),
        ("labels", Dtype::I32, vec![2], &i32),
    ];
    let views = views.map(|(name, dtype, shape, data)| (name, TensorView::new(dtype, shape, data).expect("a tensor")));
    let bytes = safetensors::serialize(views, None).expect("bytes");
    fs::write(folder.path().join("batch.safetensors"), bytes).expect("a writable folder");
    folder
}

#[test]
fn tensors_of_a_safetensors_file_are_read_by_name() {
    let folder = batch();
    let of = |name: &str| input(folder.path(), json!({"file": "batch.safetensors", "tensor": name}));
    let logits = of("logits").expect("a tensor");
    assert_eq!(logits.shape(), [1, 2]);
    assert!(matches!(logits.data(), Data::BF16(data) if data == &[bf16::from_f32(0.5), bf16::from_f32(-1.0)]));
    let weight = of("weight").expect("a tensor");
    assert!(matches!(weight.data(), Data::F32(data) if data[0] == 0.1 && data[1].is_nan()));
    assert_fails(
        of("labels"),
        folder.path(),
        "`inputs.input.file`: batch.safetensors: tensor \"labels\" has dtype i32, expected f16, bf16, f32, f64, i64 or u8: \
         convert it to 64-bit signed integers before it is saved",
    );
}

/// The labels are neither the first nor the last tensor of the file.
#[test]
fn labels_of_32_bits_in_a_safetensors_file_are_taken_if_pytorch_takes_them() {
    let folder = batch();
    let one = json!({"dtype": "i64", "shape": [1], "data": [1]});
    let inputs = json!({
        "log_probs": {"dtype": "f32", "shape": [2, 1, 3], "data": [0, 0, 0, 0, 0, 0]},
        "targets": {"file": "batch.safetensors", "tensor": "labels"},
        "input_lengths": one,
        "target_lengths": one,
    });
    let case = read(folder.path(), &json!({"id": "mine", "loss": "ctc_loss", "inputs": inputs})).expect("labels");
    assert!(matches!(case.inputs["targets"].data(), Data::I64(labels) if labels == &[3, -1]));
}

#[test]
fn the_names_in_a_safetensors_file_are_listed() {
    let folder = batch();
    assert_fails(
        input(folder.path(), json!({"file": "batch.safetensors", "tensor": "logit"})),
        folder.path(),
        "`inputs.input.tensor`: unknown tensor \"logit\", did you mean `logits`? the file holds labels, logits and weight",
    );
    assert_fails(
        input(folder.path(), json!({"file": "batch.safetensors"})),
        folder.path(),
        "`inputs.input.tensor`: missing, expected the name of a tensor: the file holds labels, logits and weight",
    );
}

#[test]
fn damaged_files_are_errors() {
    let folder = batch();
    let good = fs::read(folder.path().join("batch.safetensors")).expect("the file");
    let array = fs::read(numpy().join("c_f32.npy")).expect("the file");
    for (name, bytes) in [("damaged.safetensors", good), ("damaged.npy", array)] {
        let tensor =
            if name.ends_with("npy") { json!({"file": name}) } else { json!({"file": name, "tensor": "weight"}) };
        for length in 0..bytes.len() {
            fs::write(folder.path().join(name), &bytes[..length]).expect("a writable folder");
            // The tensor that is read does not stand at the end of the .safetensors file.
            if let Err(error) = input(folder.path(), tensor.clone()) {
                assert!(error.contains(name), "{error}");
            } else {
                assert!(name.ends_with("safetensors") && length + 8 > bytes.len() - 8, "{length} of {}", bytes.len());
            }
        }
        for position in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[position] ^= 1 << (position % 8);
            fs::write(folder.path().join(name), &bytes).expect("a writable folder");
            // Whether it can be read or not, nothing panics.
            let _ = input(folder.path(), tensor.clone());
        }
    }
}

#[test]
fn a_header_that_numpy_does_not_write_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (header, expected) in [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }", "expected at most"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "its header is not as NumPy writes it"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "holds 2 elements, expected 3 for its shape [3]"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "has dtype of a structure"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "has dtype c8"),
        ("{'descr': '', 'fortran_order': False, 'shape': (2,), }", "has dtype , expected"),
        ("{'descr': '<f4'}", "its header is not as NumPy writes it"),
    ] {
        let length = u16::try_from(header.len()).expect("a short header").to_le_bytes();
        let bytes = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &[0; 8]].concat();
        fs::write(folder.path().join("array.npy"), bytes).expect("a writable folder");
        let error = input(folder.path(), json!({"file": "array.npy"})).expect_err(header);
        assert!(error.contains("`inputs.input.file`"), "{error}");
        assert!(error.contains(expected), "{header}: {error}");
    }
}

#[test]
fn a_header_may_be_as_long_as_its_format_allows_and_no_longer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
        input(folder.path(), json!({ "file": name })).err()
    };
    // Version 2 of the format, whose length has four bytes.
    let array = |length: u32, header: &str| {
        let bytes = [b"\x93NUMPY\x02\x00", &length.to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
        error("array.npy", &bytes)
    };
    let padded = |length: usize| format!("{:length$}", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }");
    assert_eq!(array(10_000, &padded(10_000)), None);
    let too_long = array(10_001, &padded(10_001)).expect("a header that is too long");
    assert!(too_long.ends_with("its header is too long"), "{too_long}");
    let too_short = array(100, &padded(60)).expect("a header that is too short");
    assert!(too_short.ends_with("its header ends too early"), "{too_short}");

    let tensors =
        |length: u64| error("batch.safetensors", &[&length.to_le_bytes()[..], b"{}"].concat()).expect("no tensor");
    assert!(tensors(100_000_001).ends_with("its header is too long"), "{}", tensors(100_000_001));
    assert!(tensors(100_000_000).ends_with("the file holds nothing"), "{}", tensors(100_000_000));
}

#[test]
fn a_case_that_is_in_no_file_has_its_elements_with_it() {
    let error = format::case_of(&mse(json!({"file": "c_f32.npy"}))).expect_err("no folder");
    let expected =
        "`inputs.input.file`: expected `data`, because this case is not in a file that the name could be relative to";
    assert_eq!(error, expected);
}

#[test]
fn a_case_is_written_with_the_elements_of_its_files() {
    let case = read(&numpy(), &mse(json!({"file": "scalar_f64.npy"}))).expect("a case");
    let written = format::write_case(&case);
    assert_eq!(written["inputs"]["input"], json!({"dtype": "f64", "shape": [], "data": [0.1]}));
}

#[test]
fn the_schema_takes_tensors_in_files() {
    let schema = jsonschema::validator_for(&format::schema()).expect("a valid schema");
    for (tensor, is_valid) in [
        (json!({"file": "a.npy"}), true),
        (json!({"file": "../a.npy", "dtype": "f32", "shape": [2]}), true),
        (json!({"file": "a.safetensors", "tensor": "logits"}), true),
        (json!({"file": "a.pt"}), false),
        (json!({"file": "a.npy", "data": [1]}), false),
        (json!({"file": "a.npy", "dtype": "f32", "shape": [1], "data": [1]}), false),
        (json!({"tensor": "logits", "dtype": "f32", "shape": [1], "data": [1]}), false),
    ] {
        let file = json!({"format": format::FORMAT, "cases": [mse(tensor.clone())]});
        assert_eq!(schema.is_valid(&file), is_valid, "{tensor}");
    }
}
