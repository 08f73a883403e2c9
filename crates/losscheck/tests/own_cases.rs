//! Files that somebody else wrote: what they may leave out and add, and how little their dtypes have to agree.

use std::path::Path;

use losscheck::case::format::{self, Goldens};
use losscheck::case::{Case, Expected, ExpectedBy, Tolerance};
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Data, Tensor};
use serde_json::{Value, json};

fn parse(file: &Value) -> Result<Goldens, String> {
    format::parse(Path::new("mine.json"), file.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn tensor(dtype: &str, data: Value) -> Value {
    json!({"dtype": dtype, "shape": [data.as_array().map_or(0, Vec::len)], "data": data})
}

/// A case of `mse_loss`, with more fields or others.
fn case(more: Value) -> Value {
    let mut case = json!({
        "id": "mine",
        "loss": "mse_loss",
        "inputs": {"input": tensor("f32", json!([1, 3])), "target": tensor("f32", json!([2.0, 5.0]))},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        case[name] = value.clone();
    }
    case
}

fn value(dtype: &str, number: Value) -> Value {
    json!({"dtype": dtype, "shape": [], "data": [number]})
}

fn only(file: &Value) -> Case {
    let cases = parse(file).expect("a file in the golden format").cases;
    let [case] = <[Case; 1]>::try_from(cases).expect("one case");
    case
}

fn file(case: Value) -> Value {
    json!({"format": format::FORMAT, "cases": [case]})
}

/// Writes a case and reads it again.
fn again(case: &Case) -> Case {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("again.json");
    format::write(&path, std::slice::from_ref(case)).expect("a writable folder");
    format::read(&path).expect("what was written reads back").cases.remove(0)
}

#[track_caller]
fn assert_the_schema_takes(file: &Value) {
    let schema = jsonschema::validator_for(&format::schema()).expect("a valid schema");
    let errors: Vec<_> = schema.iter_errors(file).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn the_count_may_be_left_out() {
    let file = file(case(json!({})));
    assert_the_schema_takes(&file);
    assert_eq!(only(&file).id, "mine");
}

#[test]
fn the_first_version_of_the_format_is_read() {
    let mut file = file(case(json!({})));
    file["format"] = json!("losscheck-goldens/1");
    file["count"] = json!(1);
    assert_the_schema_takes(&file);
    assert_eq!(only(&file).id, "mine");
}

#[test]
fn a_note_and_a_tolerance_are_read_and_written() {
    for (written, tolerance) in [
        (json!({"digits": 4}), Tolerance::Digits(4)),
        (json!({"digits": 17}), Tolerance::Digits(17)),
        (json!({"relative": 1e-3}), Tolerance::Relative(1e-3)),
        (json!({"relative": 5}), Tolerance::Relative(5.0)),
    ] {
        let file = file(case(json!({"note": "table 2 of the paper", "tolerance": written})));
        assert_the_schema_takes(&file);
        let case = only(&file);
        assert_eq!(case.note.as_deref(), Some("table 2 of the paper"));
        assert_eq!(case.tolerance, Some(tolerance));
        assert_eq!(format!("{:?}", again(&case)), format!("{case:?}"));
    }
    let without = only(&file(case(json!({}))));
    assert_eq!((&without.note, without.tolerance), (&None, None));
    assert_eq!(format!("{:?}", again(&without)), format!("{without:?}"));
}

#[test]
fn a_printed_number_is_read_and_written() {
    let case = only(&file(case(json!({"printed": 0.5}))));
    assert_eq!((case.printed, again(&case).printed), (Some(0.5), Some(0.5)));
}

#[test]
fn a_header_says_whose_expectations_they_are() {
    let expected = case(json!({"expected": {"value": value("f32", json!(2.5))}}));
    let mut pytorchs = file(expected.clone());
    pytorchs["pytorch"] = json!("2.13.0");
    assert_the_schema_takes(&pytorchs);
    let read = parse(&pytorchs).expect("a file in the golden format");
    assert_eq!(read.sources.len(), 1);
    assert_eq!(read.sources[0].file, Path::new("mine.json"));
    assert_eq!(read.sources[0].pytorch.as_deref(), Some("2.13.0"));
    let [case] = <[Case; 1]>::try_from(read.cases).expect("one case");
    assert_eq!(case.expected_by, ExpectedBy::Pytorch("2.13.0".into()));
    assert_eq!(again(&case).expected_by, ExpectedBy::Pytorch("2.13.0".into()));

    let own = file(expected);
    assert_eq!(parse(&own).expect("a file in the golden format").sources[0].pytorch, None);
    let case = only(&own);
    assert_eq!(case.expected_by, ExpectedBy::Author);
    assert_eq!(again(&case).expected_by, ExpectedBy::Author);
}

#[test]
fn cases_of_several_minds_are_written_without_a_version() {
    let case = |pytorch: Option<&str>| {
        let mut file = file(case(json!({"expected": {"value": value("f32", json!(2.5))}})));
        if let Some(pytorch) = pytorch {
            file["pytorch"] = json!(pytorch);
        }
        Case { id: format!("{pytorch:?}"), ..only(&file) }
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cases.json");
    for (others, version) in [(Some("2.13.0"), Some("2.13.0")), (Some("2.12.0"), None), (None, None)] {
        let other = Case { id: "other".to_owned(), ..case(others) };
        format::write(&path, &[case(Some("2.13.0")), other]).expect("a writable folder");
        let read = format::read(&path).expect("what was written reads back");
        assert_eq!(read.sources[0].pytorch.as_deref(), version);
    }
}

#[test]
fn a_rejection_does_not_have_to_be_named() {
    let file = file(case(json!({"expected": {"rejected": true}})));
    assert_the_schema_takes(&file);
    let case = only(&file);
    for case in [&case, &again(&case)] {
        match &case.expected {
            Some(Expected::Rejection { error, message }) => {
                assert_eq!((error.as_str(), message.as_str()), (Expected::ANY_ERROR, ""));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(format::write_case(&case)["expected"], json!({"rejected": true}));
}

#[test]
fn each_tensor_has_a_dtype_of_its_own() {
    let file = file(json!({
        "id": "mixed",
        "loss": "cross_entropy",
        "inputs": {
            "input": {"dtype": "bf16", "shape": [1, 2], "data": [0.5, 0.25]},
            "target": tensor("i64", json!([1])),
            "weight": tensor("f32", json!([0.1, 0.2])),
        },
        "cotangent": value("f64", json!(0.1)),
        "expected": {
            "value": value("f32", json!(0.1)),
            "gradients": {"input": {"dtype": "f16", "shape": [1, 2], "data": [0.5, -0.5]}},
        },
    }));
    assert_the_schema_takes(&file);
    let case = only(&file);
    for case in [&case, &again(&case)] {
        assert_eq!(case.dtype(), DType::BF16);
        let dtypes: Vec<_> = case.inputs.values().map(Tensor::dtype).collect();
        assert_eq!(dtypes, [DType::BF16, DType::I64, DType::F32]);
        assert!(matches!(case.inputs["weight"].data(), Data::F32(weights) if weights == &[0.1, 0.2]));
        assert!(matches!(case.cotangent.as_ref().map(Tensor::data), Some(Data::F64(ones)) if ones == &[0.1]));
        let Some(Expected::Answer(answer)) = &case.expected else { panic!("{:?}", case.expected) };
        assert!(matches!(answer.value.data(), Data::F32(value) if value == &[0.1]));
        assert_eq!(answer.gradients["input"].dtype(), DType::F16);
    }
}

#[test]
fn numbers_that_round_to_the_largest_are_taken_and_those_that_round_to_infinity_are_not() {
    for (dtype, taken, refused) in [
        ("f16", 65519.0, 65520.0),
        ("bf16", 3.39e38, 3.3962e38),
        ("f32", 3.402_823_567_797_336_6e38 * (1.0 - f64::EPSILON), 3.402_823_567_797_337e38),
    ] {
        for sign in [1.0, -1.0] {
            let with = |number: f64| {
                let tensor = tensor(dtype, json!([number * sign, 0]));
                parse(&file(case(json!({"inputs": {"input": tensor, "target": tensor}}))))
            };
            let largest = with(taken).expect("a number within the range").cases[0].inputs["input"].to_f64()[0];
            let of_dtype = dtype.parse::<DType>().expect("a dtype").format().largest;
            assert_eq!(largest, of_dtype * sign, "{dtype}");
            assert!(with(refused).expect_err("too large").contains("within the range"), "{dtype}");
        }
    }
}

/// Whatever the schema refuses, the reader refuses, and these variations both take.
#[test]
fn the_reader_takes_what_the_schema_takes() {
    let flags = json!({"odd_1": {"tests": "a", "why": "b", "upstream": ["https://example.com"]}});
    for (what, file) in [
        ("no cases", json!({"format": format::FORMAT, "cases": []})),
        ("a generator", json!({"format": format::FORMAT, "generator": "me", "cases": []})),
        ("flags", json!({"format": format::FORMAT, "flags": flags, "cases": [case(json!({"flags": ["odd_1"]}))]})),
        ("a free id", file(case(json!({"id": "Straße 7, zweiter Versuch"})))),
        ("an empty note", file(case(json!({"note": ""})))),
        ("options", file(case(json!({"options": {"reduction": "sum"}})))),
        ("a printed number", file(case(json!({"printed": 0.5})))),
        ("a rejection", file(case(json!({"expected": {"error": "ValueError", "message": "x"}})))),
        ("no gradients", file(case(json!({"expected": {"value": value("f32", json!("NaN")), "gradients": {}}})))),
        (
            "random numbers",
            file(case(json!({"inputs": {
                "input": {"dtype": "f16", "shape": [2], "random": {"seed": u64::MAX, "low": -1, "high": 1.5}},
                "target": tensor("u8", json!([0, 255])),
            }}))),
        ),
    ] {
        assert_the_schema_takes(&file);
        assert!(parse(&file).is_ok(), "{what}: {:?}", parse(&file).err());
    }
}

#[test]
fn an_id_that_stands_twice_is_an_error_with_both_places() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let text =
        |id: &str| format!("{{\"format\": \"losscheck-goldens/2\", \"cases\": [\n{}\n]}}", case(json!({"id": id})));
    std::fs::write(path("a.json"), text("one")).expect("a writable folder");
    std::fs::write(path("b.json"), text("one")).expect("a writable folder");
    let error = format::read(folder.path()).expect_err("one id in two files").to_string();
    let expected = format!(
        "{}:2:7: case `one`: `id`: expected an id that no other case has, but it stands in {}, too",
        path("b.json").display(),
        path("a.json").display()
    );
    assert_eq!(error, expected);
}

/// What is wrong with another case goes unnoticed.
#[test]
fn a_case_is_found_by_its_id() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = ["a.json", "b.json"].map(|name| folder.path().join(name));
    let first = r#"{"format": "losscheck-goldens/2", "flags": {"odd": {"tests": "a", "why": "b", "upstream": []}}, "cases": [
{"id": "two", "loss": "no loss", "inputs": {}},
{"id": "one", "loss": "mse_loss", "flags": ["odd"], "inputs": {
  "input": {"dtype": "f32", "shape": [1], "data": [1]},
  "target": {"dtype": "f32", "shape": [1], "data": [2]}}}
]}"#;
    std::fs::write(&files[0], first).expect("a writable folder");
    std::fs::write(&files[1], file(case(json!({"id": "three"}))).to_string()).expect("a writable folder");

    let found = format::find(&files, "one").expect("a readable case").expect("a case");
    assert_eq!((found.cases.len(), found.cases[0].id.as_str()), (1, "one"));
    assert_eq!((found.flags["odd"].tests.as_str(), found.sources[0].file.as_path()), ("a", files[0].as_path()));
    let found = format::find(&files, "three").expect("a readable case").expect("a case");
    assert_eq!(found.cases[0].id, "three");
    assert!(format::find(&files, "four").expect("readable files").is_none());
    let error = format::find(&files, "two").expect_err("an unknown loss").to_string();
    assert!(error.contains("a.json:2:") && error.contains("case `two`: `loss`: unknown loss"), "{error}");

    assert_eq!(format::ids(&files).expect("readable files"), ["two", "one", "three"]);
    let place = |id: &str, field: &str| {
        format::place(&files, id, field).map(|place| place.replace(&files[0].display().to_string(), "a"))
    };
    assert_eq!(place("one", "id").as_deref(), Some("a:3:8"));
    assert_eq!(place("one", "inputs.target").as_deref(), Some("a:5:13"));
    assert_eq!(place("one", "options.margin").as_deref(), Some("a:3:1"));
    assert_eq!(place("four", "id"), None);
}

/// The documentation of `Case::dtype` says so.
#[test]
fn the_first_tensor_of_a_loss_is_the_first_that_it_differentiates() {
    for kind in LossKind::ALL {
        assert_eq!(kind.signature().first(), kind.signature().differentiable[0], "{kind}");
    }
}
