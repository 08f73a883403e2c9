//! Whatever the golden reader and the losses are given, they answer or say why not.
//!
//! `LOSSCHECK_FUZZ_RUNS` sets how many inputs each gets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;
use losscheck::backend::Backend;
use losscheck::backend::reference::Reference;
use losscheck::case::{Case, format};
use losscheck::data::DataFolder;
use losscheck::judge::oracle;
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Data, Tensor, Tensors};
use serde_json::{Value, json};

fn runs() -> u64 {
    match std::env::var("LOSSCHECK_FUZZ_RUNS") {
        Ok(runs) => runs.parse().expect("LOSSCHECK_FUZZ_RUNS: a number"),
        Err(_) => 1_000_000,
    }
}

/// Small goldens of every loss and of every kind, each as a file.
fn seeds() -> Vec<Vec<u8>> {
    let goldens = DataFolder::shipped().goldens().expect("readable goldens").cases;
    let file = |case: &Case| {
        let case = format::write_case(&Case { flags: vec![], ..case.clone() });
        json!({ "format": format::FORMAT, "cases": [case] }).to_string().into_bytes()
    };
    goldens.iter().step_by(19).map(file).filter(|file| file.len() < 1000).collect()
}

/// Pieces of text at which readers stumble.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "-",
    "1e999",
    "-0.0",
    "NaN",
    "\"NaN\"",
    "18446744073709551616",
    "9223372036854775807",
    "-1",
    "\"shape\":[4294967296,4294967296]",
    "\"random\":{\"seed\":1}",
    "[]",
    "\"id\":\"x\"",
    "\"dtype\":\"i64\"",
    "\u{feff}",
    "é",
];

fn mutated(seed: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.usize(1..4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.usize(..bytes.len());
        let end = (at + random.usize(1..40)).min(bytes.len());
        match random.u8(..8) {
            0 => bytes[at] = random.u8(..),
            // Another digit, or another letter.
            1 | 2 => bytes[at] ^= random.u8(..8),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, random.choice(PIECES).expect("a piece").bytes())),
            5 => drop(bytes.splice(at..end, random.choice(PIECES).expect("a piece").bytes())),
            6 => {
                let copy = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn the_golden_reader_takes_or_refuses_any_bytes() {
    let seeds = seeds();
    let (mut taken, mut refused) = (0u64, 0u64);
    for run in 0..runs() {
        let mut random = Rng::with_seed(run);
        let bytes = mutated(&seeds[run as usize % seeds.len()], &mut random);
        match catch_unwind(|| format::parse(Path::new("mutated.json"), &bytes)) {
            Ok(Ok(_)) => taken += 1,
            Ok(Err(error)) => {
                refused += 1;
                assert!(error.to_string().starts_with("mutated.json"), "run {run}: {error} does not name the file");
            }
            Err(_) => panic!("run {run} panicked:\n{}", String::from_utf8_lossy(&bytes)),
        }
    }
    eprintln!("{taken} taken, {refused} refused");
    assert!(taken * 50 > runs() && refused * 2 > runs(), "{taken} taken, {refused} refused: not both");
}

/// No array holds such a shape, though it has no elements.
#[test]
fn a_shape_that_no_array_can_have_is_refused() {
    let tensor = json!({ "dtype": "f32", "shape": [1u64 << 40, 0, 1u64 << 40], "data": [] });
    let case = json!({ "id": "x", "loss": "mse_loss", "inputs": { "input": tensor, "target": tensor } });
    let file = json!({ "format": format::FORMAT, "cases": [case] }).to_string();
    let error = format::parse(Path::new("mine.json"), file.as_bytes()).unwrap_err().to_string();
    let expected = "case `x`: `inputs.input.shape`: expected at most 16777216 elements, found shape [1099511627776, 0, 1099511627776]";
    assert!(error.ends_with(expected), "{error}");
}

fn shape(random: &mut Rng) -> Vec<usize> {
    (0..random.usize(..5)).map(|_| if random.u8(..8) == 0 { 0 } else { random.usize(1..4) }).collect()
}

fn tensor(shape: Vec<usize>, dtype: DType, random: &mut Rng) -> Tensor {
    let mut number = || match random.u8(..8) {
        0 => f64::NAN,
        1 => f64::INFINITY.copysign(random.f64() - 0.5),
        2 => 0.0f64.copysign(random.f64() - 0.5),
        3 => 2f64.powi(random.i32(-1074..1024)),
        4 => f64::from(random.i32(-3..5)),
        5 => [1e300, -1e300, i64::MAX as f64, i64::MIN as f64, 4294967296.0][random.usize(..5)],
        _ => 8.0 * (random.f64() - 0.5),
    };
    let count = shape.iter().product();
    let numbers: Vec<f64> = (0..count).map(|_| number()).collect();
    Tensor::new(shape, Data::rounded(dtype, numbers.into_iter())).expect("as many as the shape asks for")
}

/// Another value for an option, of its own kind more often than not.
fn option(value: &Value, random: &mut Rng) -> Value {
    let integers = [0, 1, -1, 2, 3, i64::MAX, i64::MIN, 1 << 40];
    let floats = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e300, -1e300, 1e-300, 1.0000001];
    match value {
        Value::Bool(_) => json!(random.bool()),
        Value::String(_) if random.u8(..4) == 0 => json!(random.choice(["Infinity", "-Infinity"]).expect("one")),
        Value::String(_) => json!(random.choice(["none", "mean", "sum", "batchmean", "loss", "output"]).expect("one")),
        Value::Number(_) | Value::Null if random.u8(..6) == 0 => {
            json!(random.choice(["Infinity", "-Infinity"]).expect("one"))
        }
        Value::Array(_) => json!((0..random.usize(..4)).map(|_| random.i64(-1..9)).collect::<Vec<_>>()),
        Value::Number(number) if number.is_f64() => json!(random.choice(floats).expect("one")),
        _ => json!(random.choice(integers).expect("one")),
    }
}

/// A case of any shapes, numbers and options.
fn arbitrary(kind: LossKind, random: &mut Rng) -> Case {
    let mut loss = kind.defaults();
    let defaults = loss.write_options();
    for (name, value) in defaults.as_object().into_iter().flatten() {
        if random.u8(..3) == 0 {
            // A value of the wrong kind is the reader's to refuse.
            loss = loss.with_option(name, option(value, random)).unwrap_or(loss);
        }
    }
    let signature = kind.signature();
    let dtype = *random.choice(&DType::FLOATS).expect("a dtype");
    let common = shape(random);
    let mut inputs = Tensors::new();
    let optional = signature.optional.iter().filter(|_| random.bool()).copied().collect::<Vec<_>>();
    for name in signature.required.iter().copied().chain(optional) {
        let mut own = common.clone();
        match random.u8(..4) {
            0 => own = shape(random),
            1 if !own.is_empty() => drop(own.remove(random.usize(..own.len()))),
            _ => {}
        }
        let may_be_integers = signature.integers.contains(&name) || name == "target";
        let dtype = if may_be_integers && random.u8(..4) > 0 {
            random.choice([DType::I64, DType::U8]).expect("one")
        } else {
            dtype
        };
        inputs.insert(name.to_owned(), tensor(own, dtype, random));
    }
    let cotangent = random.bool().then(|| {
        let own = if random.bool() { Vec::new() } else { common };
        tensor(own, dtype, random)
    });
    Case { cotangent, ..Case::new("", loss, inputs) }
}

#[test]
fn every_loss_takes_or_refuses_any_shapes_numbers_and_options() {
    let mut taken = 0u64;
    for run in 0..runs() {
        let mut random = Rng::with_seed(run);
        let kind = LossKind::ALL[run as usize % LossKind::ALL.len()];
        let case = arbitrary(kind, &mut random);
        let answered = catch_unwind(AssertUnwindSafe(|| {
            drop(Reference.evaluate(&case));
            oracle::evaluate(&case).is_ok()
        }));
        match answered {
            Ok(answered) => taken += u64::from(answered),
            Err(_) => panic!("run {run} panicked: {}", format::write_case(&case)),
        }
    }
    eprintln!("{taken} of {} taken", runs());
    assert!(taken * 20 > runs(), "only {taken} taken");
}
