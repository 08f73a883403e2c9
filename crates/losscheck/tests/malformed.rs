//! What people write by mistake, and the whole of what the reader says to it. The JSON Schema has to refuse it, too, if it can.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use losscheck::case::format;

static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&format::schema()).expect("a valid schema"));

/// Asserts that the reader refuses a file with this message.
#[track_caller]
fn the_reader_says(file: &str, message: &str) {
    let error = format::parse(Path::new("mine.json"), file.as_bytes()).expect_err("a malformed file");
    assert_eq!(error.to_string(), message);
}

/// Asserts that the schema refuses a file, and the reader with this message.
#[track_caller]
fn both_refuse(file: &str, message: &str) {
    the_reader_says(file, message);
    // A number beyond the range of f64 is none to serde_json, which reads the instance for the schema.
    if let Ok(instance) = serde_json::from_str(file) {
        assert!(!SCHEMA.is_valid(&instance), "the schema takes it");
    } else {
        assert!(message.contains("the range of f64"), "expected JSON");
    }
}

/// Asserts that the reader refuses a file with this message, for a reason that a schema cannot express.
#[track_caller]
fn the_reader_refuses(file: &str, message: &str) {
    the_reader_says(file, message);
    let instance = serde_json::from_str(file).expect("JSON");
    assert!(SCHEMA.is_valid(&instance), "the schema refuses it as well");
}

/// Asserts that the reader refuses a text that is not JSON, with this message.
#[track_caller]
fn no_json(file: &str, message: &str) {
    the_reader_says(file, message);
    assert!(serde_json::from_str::<serde_json::Value>(file).is_err(), "it is JSON");
}

#[test]
fn a_bare_nan() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1.5, NaN]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    no_json(
        file,
        r#"mine.json:5:71: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a JSON value, found NaN: write "NaN""#,
    );
}

#[test]
fn a_bare_infinity() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [Infinity, 1]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    no_json(
        file,
        r#"mine.json:5:66: case `mse_loss/f32/mine`: `inputs.input.data[0]`: expected a JSON value, found Infinity: write "Infinity""#,
    );
}

#[test]
fn a_bare_negative_infinity() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, -Infinity]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    no_json(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a JSON value, found -Infinity: write "-Infinity""#,
    );
}

#[test]
fn a_bare_nan_in_a_case_whose_id_comes_later() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"loss": "mse_loss", "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [nan, 1]}}, "id": "late"}
  ]
}
"#;
    no_json(
        file,
        r#"mine.json:4:86: case number 1: `inputs.input.data[0]`: expected a JSON value, found nan: write "NaN""#,
    );
}

#[test]
fn pythons_none() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "cotangent": None,
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    no_json(
        file,
        r#"mine.json:4:66: case `mse_loss/f32/mine`: `cotangent`: expected a JSON value, found None: write null, or leave the field out"#,
    );
}

#[test]
fn words_and_numbers_of_other_languages() {
    for (word, instead) in [
        ("True", "true"),
        ("False", "false"),
        (".5", "a digit before the decimal point"),
        ("-.5", "a digit before the decimal point"),
        ("+1", "the number without the plus sign"),
        ("1.", "a digit after the decimal point"),
    ] {
        let file = format!(
            r#"{{"format": "losscheck-goldens/2", "cases": [{{"id": "mine", "loss": "mse_loss", "note": {word}}}]}}"#
        );
        let message =
            format!("mine.json:1:88: case `mine`: `note`: expected a JSON value, found {word}: write {instead}");
        no_json(&file, &message);
    }
}

#[test]
fn pythons_quotes() {
    let file = r#"{'format': 'losscheck-goldens/2', 'cases': []}"#;
    no_json(file, r#"mine.json:1:2: expected a JSON value, found 'format': write strings in double quotes"#);
}

#[test]
fn a_name_without_quotes() {
    let file = r#"{format: "losscheck-goldens/2", "cases": []}"#;
    no_json(file, r#"mine.json:1:2: expected the name of a field in double quotes"#);
}

#[test]
fn a_bare_nan_in_another_list_than_that_of_the_cases() {
    let file = r#"{"format": "losscheck-goldens/2", "generator": [1, NaN], "cases": []}"#;
    no_json(file, r#"mine.json:1:52: `generator[1]`: expected a JSON value, found NaN: write "NaN""#);
}

/// The error is at the second of the two bytes of the letter; columns count letters.
#[test]
fn an_escape_with_a_letter_that_is_not_ascii() {
    let file = r#"{"format": "losscheck-goldens/2", "generator": "\u12ü", "cases": []}"#;
    no_json(file, r#"mine.json:1:53: `generator`: invalid escape"#);
}

#[test]
fn a_comma_too_many() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2,]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    no_json(
        file,
        r#"mine.json:5:71: case `mse_loss/f32/mine`: `inputs.input.data`: expected another element after the comma, found the end of the list or object: remove the comma"#,
    );
}

#[test]
fn two_commas() {
    let file = r#"{"format": "losscheck-goldens/2", "generator": [1,, 2], "cases": []}"#;
    no_json(file, r#"mine.json:1:51: `generator[1]`: expected a JSON value"#);
}

#[test]
fn a_number_beyond_f64() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f64", "shape": [2], "data": [1, 1e999]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number within the range of f64, or "Infinity" or "-Infinity""#,
    );
}

#[test]
fn a_misspelt_nan() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, "nan"]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number, "NaN", "Infinity" or "-Infinity", found "nan": write "NaN""#,
    );
}

#[test]
fn infinities_by_other_names() {
    for (word, name) in
        [("inf", "Infinity"), ("+Infinity", "Infinity"), ("-inf", "-Infinity"), ("-INFINITY", "-Infinity")]
    {
        let file = format!(
            r#"{{
  "format": "losscheck-goldens/2",
  "cases": [
    {{"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {{"input": {{"dtype": "f32", "shape": [2], "data": [1, "{word}"]}},
                "target": {{"dtype": "f32", "shape": [2], "data": [0, 0]}}}}}}
  ]
}}
"#
        );
        let message = format!(
            r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number, "NaN", "Infinity" or "-Infinity", found "{word}": write "{name}""#
        );
        both_refuse(&file, &message);
    }
}

#[test]
fn a_number_in_quotes() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, "2.5"]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number, "NaN", "Infinity" or "-Infinity", found "2.5": write the number without quotes"#,
    );
}

#[test]
fn a_word_among_numbers() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, "two"]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number, "NaN", "Infinity" or "-Infinity", found "two""#,
    );
}

#[test]
fn a_null_among_numbers() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, null]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number, "NaN", "Infinity" or "-Infinity", found null, which some programs write for a number that JSON does not have: write the string instead"#,
    );
}

#[test]
fn nested_lists() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2, 2], "data": [[1, 2], [3, 4]]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[0]`: expected a number, "NaN", "Infinity" or "-Infinity", found a list: write all elements in one flat list in row-major order; `shape` says how they are arranged"#,
    );
}

#[test]
fn a_list_for_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "ctc_loss/f32/mine", "loss": "ctc_loss",
     "inputs": {"log_probs": {"dtype": "f32", "shape": [2, 1, 2], "data": [-0.7, -0.7, -0.7, -0.7]}, "targets": {"dtype": "i64", "shape": [1, 1], "data": [1]},
                "input_lengths": [2],
                "target_lengths": [1]}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:6:34: case `ctc_loss/f32/mine`: `inputs.input_lengths`: expected a tensor, found a list: write {"dtype": "i64", "shape": [1], "data": [2]}"#,
    );
}

#[test]
fn nested_lists_for_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": [[1, 2.5], [3, 4]],
                "target": {"dtype": "f64", "shape": [2, 2], "data": [0, 0, 0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected a tensor, found a list: write {"dtype": "f64", "shape": [2, 2], "data": [1, 2.5, 3, 4]}"#,
    );
}

#[test]
fn a_long_list_for_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": [1, 2, 3, 4, 5, 6, 7, 8, 9],
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected a tensor, found a list: write {"dtype": "f32", "shape": [...], "data": [...]}"#,
    );
}

#[test]
fn a_number_for_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "gaussian_nll_loss/bf16/mine", "loss": "gaussian_nll_loss",
     "inputs": {"input": {"dtype": "bf16", "shape": [2], "data": [1, 2]}, "target": {"dtype": "bf16", "shape": [2], "data": [1, 2]}, "var": 1.0}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:141: case `gaussian_nll_loss/bf16/mine`: `inputs.var`: expected a tensor, found the number 1.0: write {"dtype": "bf16", "shape": [], "data": [1.0]}"#,
    );
}

#[test]
fn a_list_for_the_object_of_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": ["f32", [1], [1.0], null],
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected a tensor, found a list: write {"dtype": "f32", "shape": [...], "data": [...]}"#,
    );
}

#[test]
fn null_for_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": null,
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected a tensor, found null: leave the field out if there is none, or write {"dtype": "f32", "shape": [...], "data": [...]}"#,
    );
}

#[test]
fn a_string_for_a_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": "input.npy",
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected a tensor, found the string "input.npy": write {"file": "input.npy"}"#,
    );
}

#[test]
fn null_for_an_option() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "cross_entropy/f32/mine", "loss": "cross_entropy", "options": {"ignore_index": null},
     "inputs": {"input": {"dtype": "f32", "shape": [1, 2], "data": [1, 2]}, "target": {"dtype": "i64", "shape": [1], "data": [1]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:91: case `cross_entropy/f32/mine`: `options.ignore_index`: expected an integer, found null: leave the option out for PyTorch's default, -100"#,
    );
}

#[test]
fn a_string_for_an_integer_option() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "nll_loss", "options": {"ignore_index": "-100"}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:65: case `x`: `options.ignore_index`: expected an integer, found the string "-100""#,
    );
}

#[test]
fn a_number_for_an_option_of_words() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "options": {"reduction": 1},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:78: case `mse_loss/f32/mine`: `options.reduction`: expected "none", "mean" or "sum", found the number 1"#,
    );
}

#[test]
fn an_unknown_reduction() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "options": {"reduction": "average"},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:78: case `mse_loss/f32/mine`: `options.reduction`: expected "none", "mean" or "sum", found the string "average""#,
    );
}

#[test]
fn a_number_for_a_switch() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "ctc_loss", "options": {"zero_infinity": 1}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:66: case `x`: `options.zero_infinity`: expected true or false, found the number 1"#,
    );
}

#[test]
fn a_string_for_a_number_that_may_be_infinite() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "triplet_margin_loss", "options": {"p": "inf"}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:65: case `x`: `options.p`: expected a number, "Infinity" or "-Infinity", found the string "inf": write "Infinity""#,
    );
}

#[test]
fn a_number_for_an_option_that_is_a_list() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "adaptive_log_softmax_with_loss", "options": {"cutoffs": 3}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:82: case `x`: `options.cutoffs`: expected a list of at most 4 integers that are not negative, found the number 3"#,
    );
}

#[test]
fn a_negative_number_for_an_option_that_may_be_null() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "linear_cross_entropy", "options": {"batch_chunk_size": -1}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:81: case `x`: `options.batch_chunk_size`: expected an integer that is not negative or null, found the number -1"#,
    );
}

#[test]
fn a_misspelt_option() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "cross_entropy", "options": {"label_smooting": 0.1}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:72: case `x`: `options.label_smooting`: unknown option, did you mean `label_smoothing`? `cross_entropy` takes ignore_index, label_smoothing and reduction"#,
    );
}

#[test]
fn an_unknown_option() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "options": {"size_average": true},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:81: case `mse_loss/f32/mine`: `options.size_average`: unknown option. `mse_loss` takes reduction"#,
    );
}

#[test]
fn a_tensor_among_the_options() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "cross_entropy", "options": {"weight": [1, 2]}, "inputs": {}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:64: case `x`: `options.weight`: expected an option, found a tensor of `cross_entropy`: write it under `inputs`"#,
    );
}

#[test]
fn logits() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "cross_entropy/f32/mine", "loss": "cross_entropy",
     "inputs": {"logits": {"dtype": "f32", "shape": [1, 2], "data": [1, 2]}, "target": {"dtype": "i64", "shape": [1], "data": [1]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:27: case `cross_entropy/f32/mine`: `inputs.logits`: unknown tensor, did you mean `input`? `cross_entropy` takes input and target, and optionally weight"#,
    );
}

#[test]
fn labels() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "cross_entropy/f32/mine", "loss": "cross_entropy",
     "inputs": {"logits": {"dtype": "f32", "shape": [1, 2], "data": [1, 2]},
                "labels": {"dtype": "i64", "shape": [1], "data": [1]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:6:27: case `cross_entropy/f32/mine`: `inputs.labels`: unknown tensor, did you mean `target`? `cross_entropy` takes input and target, and optionally weight"#,
    );
}

#[test]
fn a_misspelt_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "tagret": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:6:27: case `mse_loss/f32/mine`: `inputs.tagret`: unknown tensor, did you mean `target`? `mse_loss` takes input and target, and optionally weight"#,
    );
}

#[test]
fn the_target_of_ctc() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "ctc_loss", "inputs": {"target": {"dtype": "i64", "shape": [1], "data": [1]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:58: case `x`: `inputs.target`: unknown tensor, did you mean `targets`? `ctc_loss` takes log_probs, targets, input_lengths and target_lengths"#,
    );
}

#[test]
fn a_tensor_that_nothing_resembles() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "temperature": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:6:32: case `mse_loss/f32/mine`: `inputs.temperature`: unknown tensor. `mse_loss` takes input and target, and optionally weight"#,
    );
}

#[test]
fn a_missing_tensor() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "linear_cross_entropy",
     "inputs": {"input": {"dtype": "f32", "shape": [1, 2], "data": [1, 2]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:16: case `x`: `inputs.linear_weight`: missing, expected a tensor: `linear_cross_entropy` takes input, linear_weight and target, and optionally linear_bias and weight"#,
    );
}

#[test]
fn float32() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "float32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `mse_loss/f32/mine`: `inputs.input.dtype`: unknown dtype `float32`, did you mean `f32`? The dtypes are f16, bf16, f32, f64, i64, u8"#,
    );
}

#[test]
fn torch_float64() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "torch.float64", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `mse_loss/f32/mine`: `inputs.input.dtype`: unknown dtype `torch.float64`, did you mean `f64`? The dtypes are f16, bf16, f32, f64, i64, u8"#,
    );
}

#[test]
fn half() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "half", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `mse_loss/f32/mine`: `inputs.input.dtype`: unknown dtype `half`, did you mean `f16`? The dtypes are f16, bf16, f32, f64, i64, u8"#,
    );
}

#[test]
fn bfloat16() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "bfloat16", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `mse_loss/f32/mine`: `inputs.input.dtype`: unknown dtype `bfloat16`, did you mean `bf16`? The dtypes are f16, bf16, f32, f64, i64, u8"#,
    );
}

#[test]
fn int64() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "int64", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `mse_loss/f32/mine`: `inputs.input.dtype`: unknown dtype `int64`, did you mean `i64`? The dtypes are f16, bf16, f32, f64, i64, u8"#,
    );
}

#[test]
fn an_unknown_dtype() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f8", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `mse_loss/f32/mine`: `inputs.input.dtype`: unknown dtype `f8`, expected one of f16, bf16, f32, f64, i64, u8"#,
    );
}

#[test]
fn a_class_for_a_loss() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "MSELoss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:41: case `mse_loss/f32/mine`: `loss`: unknown loss `MSELoss`, did you mean `mse_loss`?"#,
    );
}

#[test]
fn a_class_with_its_module() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "torch.nn.BCEWithLogitsLoss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:41: case `mse_loss/f32/mine`: `loss`: unknown loss `torch.nn.BCEWithLogitsLoss`, did you mean `binary_cross_entropy_with_logits`?"#,
    );
}

#[test]
fn a_loss_without_its_last_word() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:41: case `mse_loss/f32/mine`: `loss`: unknown loss `mse`, did you mean `mse_loss`?"#,
    );
}

#[test]
fn a_misspelt_loss() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "cros_entropy",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:41: case `mse_loss/f32/mine`: `loss`: unknown loss `cros_entropy`, did you mean `cross_entropy`?"#,
    );
}

#[test]
fn an_unknown_loss() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "focal",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:41: case `mse_loss/f32/mine`: `loss`: unknown loss `focal`, expected one of adaptive_log_softmax_with_loss, binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss, cross_entropy, ctc_loss, gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div, l1_loss, linear_cross_entropy, margin_ranking_loss, mse_loss, multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss, nll_loss, nll_loss2d, poisson_nll_loss, smooth_l1_loss, soft_margin_loss, triplet_margin_loss, triplet_margin_with_distance_loss"#,
    );
}

#[test]
fn a_number_beyond_f32() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 1e39]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:69: case `mse_loss/f32/mine`: `inputs.input.data[1]`: expected a number within the range of f32, whose largest is 3.4028235e38, found 1e39: write "Infinity" if that is meant"#,
    );
}

#[test]
fn a_number_beyond_f16() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f16", "shape": [2], "data": [-65520, 1]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:66: case `mse_loss/f32/mine`: `inputs.input.data[0]`: expected a number within the range of f16, whose largest is 65504.0, found -65520: write "-Infinity" if that is meant"#,
    );
}

#[test]
fn a_number_beyond_bf16() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "bf16", "shape": [2], "data": [3.4e38, 1]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:67: case `mse_loss/f32/mine`: `inputs.input.data[0]`: expected a number within the range of bf16, whose largest is 3.3895314e38, found 3.4e38: write "Infinity" if that is meant"#,
    );
}

#[test]
fn a_number_beyond_u8() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "nll_loss", "inputs": {"input": {"dtype": "f32", "shape": [1, 2], "data": [1, 2]}, "target": {"dtype": "u8", "shape": [1], "data": [256]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:157: case `x`: `inputs.target.data[0]`: expected a number within the range of u8, which is 0 to 255, found 256"#,
    );
}

#[test]
fn random_numbers_beyond_f32() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "random": {"seed": 1, "low": -1, "high": 1e39}},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:98: case `mse_loss/f32/mine`: `inputs.input.random.high`: expected a number within the range of f32, whose largest is 3.4028235e38, found 1e39"#,
    );
}

#[test]
fn random_integers_beyond_their_dtype() {
    for (dtype, high, range, found) in
        [("u8", "257", "0 to 255", "257.0"), ("i64", "1e19", "-2^63 to 2^63 - 1", "1e19")]
    {
        let file = format!(
            r#"{{
  "format": "losscheck-goldens/2",
  "cases": [
    {{"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {{"input": {{"dtype": "f32", "shape": [2], "data": [1, 2]}},
                "target": {{"shape": [2], "random": {{"high": {high}, "seed": 1, "low": 0}}, "dtype": "{dtype}"}}}}}}
  ]
}}
"#
        );
        let message = format!(
            "mine.json:6:61: case `mse_loss/f32/mine`: `inputs.target.random.high`: expected a number within the range of {dtype}, which is {range}, found {found}"
        );
        the_reader_refuses(&file, &message);
    }
}

#[test]
fn random_numbers_with_too_wide_a_range() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f64/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f64", "shape": [2], "random": {"seed": 1, "low": -1e308, "high": 1e308}},
                "target": {"dtype": "f64", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:67: case `mse_loss/f64/mine`: `inputs.input.random`: expected `high` - `low` within the range of f64"#,
    );
}

#[test]
fn a_label_that_is_no_integer() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "nll_loss", "inputs": {"input": {"dtype": "f32", "shape": [1, 2], "data": [1, 2]}, "target": {"dtype": "i64", "shape": [1], "data": [1.5]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:158: case `x`: `inputs.target.data[0]`: expected an integer, because the dtype is i64, found 1.5"#,
    );
}

#[test]
fn too_few_elements() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:65: case `mse_loss/f32/mine`: `inputs.input.data`: expected 2 elements for shape [2], found 1"#,
    );
}

#[test]
fn too_many_elements_to_allocate() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [65536, 65536], "random": {"seed": 1, "low": 0, "high": 1}},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:52: case `mse_loss/f32/mine`: `inputs.input.shape`: expected at most 16777216 elements, found shape [65536, 65536]"#,
    );
}

/// The first shape may be read, but not with a single element.
#[test]
fn as_many_elements_as_may_be_allocated_and_one_more() {
    let file = |shape: &str| {
        format!(
            r#"{{
  "format": "losscheck-goldens/2",
  "cases": [
    {{"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {{"input": {{"dtype": "f32", "shape": {shape}, "data": [1]}},
                "target": {{"dtype": "f32", "shape": [2], "data": [0, 0]}}}}}}
  ]
}}
"#
        )
    };
    the_reader_refuses(
        &file("[4096, 4096]"),
        r#"mine.json:5:74: case `mse_loss/f32/mine`: `inputs.input.data`: expected 16777216 elements for shape [4096, 4096], found 1"#,
    );
    the_reader_refuses(
        &file("[16777217]"),
        r#"mine.json:5:52: case `mse_loss/f32/mine`: `inputs.input.shape`: expected at most 16777216 elements, found shape [16777217]"#,
    );
}

#[test]
fn a_tensor_without_a_shape() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: missing `shape`, expected `dtype`, `shape` and either `data` or `random`; or `file`"#,
    );
}

#[test]
fn a_tensor_without_elements() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: missing `data`, expected `dtype`, `shape` and either `data` or `random`; or `file`"#,
    );
}

#[test]
fn a_tensor_with_both_kinds_of_elements() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [1], "data": [1], "random": {"seed": 1, "low": 0, "high": 1}},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected either `data` or `random`, found both"#,
    );
}

#[test]
fn a_number_for_a_shape() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": 2, "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(file, r#"mine.json:5:52: case `mse_loss/f32/mine`: `inputs.input.shape`: expected a list, found 2"#);
}

#[test]
fn a_negative_dimension() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [-1], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:53: case `mse_loss/f32/mine`: `inputs.input.shape[0]`: expected an integer that is not negative, found -1"#,
    );
}

#[test]
fn integers_for_the_input() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "huber_loss/f32/mine", "loss": "huber_loss",
     "inputs": {"input": {"dtype": "i64", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:36: case `huber_loss/f32/mine`: `inputs.input.dtype`: expected f16, bf16, f32 or f64, found i64"#,
    );
}

#[test]
fn an_unknown_field() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "reduction": "mean",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:66: case `mse_loss/f32/mine`: `reduction`: unknown field `reduction`, expected one of `id`, `loss`, `note`, `flags`, `options`, `inputs`, `cotangent`, `expected`, `tolerance`, `printed`"#,
    );
}

#[test]
fn a_name_that_stands_twice() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "input": {"dtype": "f32", "shape": [2], "data": [1, 2]}, "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:5:16: case `mse_loss/f32/mine`: `inputs`: `input` stands twice, expected each name once"#,
    );
}

#[test]
fn a_list_for_a_case() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    ["mse_loss", {}]
  ]
}
"#;
    both_refuse(file, r#"mine.json:4:5: case number 1: expected an object, found a list"#);
}

#[test]
fn a_list_for_the_inputs() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "mse_loss", "inputs": []}
  ]
}
"#;
    both_refuse(file, r#"mine.json:4:47: case `x`: `inputs`: expected an object, found a list"#);
}

#[test]
fn an_empty_id() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(file, r#"mine.json:4:12: case ``: `id`: expected a name, found the empty string"#);
}

#[test]
fn an_id_with_a_line_break() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "a\nb", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(file, r#"mine.json:4:12: case `a\nb`: `id`: expected a name without control characters, found "a\nb""#);
}

#[test]
fn a_flag_that_stands_twice() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "flags": {"odd": {"tests": "a", "why": "b", "upstream": []}},
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "flags": ["odd", "odd"],
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:70: case `mse_loss/f32/mine`: `flags[1]`: `odd` stands twice, expected each flag once"#,
    );
}

#[test]
fn a_flag_that_nothing_explains() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "flags": ["odd"],
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:4:63: case `mse_loss/f32/mine`: `flags[0]`: expected a flag that `flags` of the file explains, found `odd`"#,
    );
}

#[test]
fn an_upper_case_flag() {
    let file = r#"{"format": "losscheck-goldens/2", "flags": {"Odd": {"tests": "a", "why": "b", "upstream": []}}, "cases": []}"#;
    both_refuse(
        file,
        r#"mine.json:1:52: `flags.Odd`: expected a name of lower-case letters and digits in words joined by _"#,
    );
}

#[test]
fn a_flag_without_a_reason() {
    let file = r#"{"format": "losscheck-goldens/2", "flags": {"odd": {"tests": "a", "why": "", "upstream": []}}, "cases": []}"#;
    both_refuse(file, r#"mine.json:1:74: `flags.odd.why`: expected a text, found the empty string"#);
}

#[test]
fn an_address_without_a_scheme() {
    let file = r#"{"format": "losscheck-goldens/2", "flags": {"odd": {"tests": "a", "why": "b", "upstream": ["pytorch/pytorch#1"]}}, "cases": []}"#;
    both_refuse(
        file,
        r#"mine.json:1:92: `flags.odd.upstream[0]`: expected an address that starts with https://, found "pytorch/pytorch#1""#,
    );
}

#[test]
fn an_address_that_stands_twice() {
    let file = r#"{"format": "losscheck-goldens/2", "flags": {"odd": {"tests": "a", "why": "b", "upstream": ["https://a.org", "https://a.org"]}}, "cases": []}"#;
    both_refuse(
        file,
        r#"mine.json:1:109: `flags.odd.upstream[1]`: "https://a.org" stands twice, expected each address once"#,
    );
}

#[test]
fn a_list_for_the_object_of_a_flag() {
    let file = r#"{"format": "losscheck-goldens/2", "flags": {"odd": ["a", "b", []]}, "cases": []}"#;
    both_refuse(file, r#"mine.json:1:52: `flags.odd`: expected an object, found a list"#);
}

#[test]
fn a_bare_list_of_cases() {
    let file = r#"[{"id": "x", "loss": "mse_loss"}]"#;
    both_refuse(
        file,
        r#"mine.json:1:1: expected an object, found a list: write {"format": "losscheck-goldens/2", "cases": [...]}"#,
    );
}

#[test]
fn no_format() {
    let file = r#"{
  "cases": []
}
"#;
    both_refuse(file, r#"mine.json:1:1: `format`: missing, expected "losscheck-goldens/2""#);
}

#[test]
fn a_later_format() {
    let file = r#"{
  "format": "losscheck-goldens/3",
  "author": "me",
  "cases": []
}
"#;
    both_refuse(
        file,
        r#"mine.json:2:13: `format`: expected `losscheck-goldens/2` or `losscheck-goldens/1`, found `losscheck-goldens/3`"#,
    );
}

#[test]
fn a_wrong_count() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "count": 7,
  "cases": []
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:3:12: `count`: expected 0, the number of cases, found 7: it may be left out"#,
    );
}

#[test]
fn a_nightly_pytorch() {
    let file = r#"{"format": "losscheck-goldens/2", "pytorch": "2.13.0+cpu", "cases": []}"#;
    both_refuse(
        file,
        r#"mine.json:1:46: `pytorch`: expected a version of PyTorch such as `2.15.0`, found "2.13.0+cpu": it says that the expected results are PyTorch's, so leave it out if they are your own"#,
    );
}

#[test]
fn null_for_the_generator() {
    let file = r#"{"format": "losscheck-goldens/2", "generator": null, "cases": []}"#;
    both_refuse(file, r#"mine.json:1:48: `generator`: expected a string, found null"#);
}

#[test]
fn an_empty_generator() {
    let file = r#"{"format": "losscheck-goldens/2", "generator": "", "cases": []}"#;
    both_refuse(file, r#"mine.json:1:48: `generator`: expected a name, found the empty string"#);
}

#[test]
fn null_for_the_expectation() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": null,
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:65: case `mse_loss/f32/mine`: `expected`: expected an object, found null: leave the field out if there is none"#,
    );
}

#[test]
fn a_value_that_is_a_number() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"value": 2.5},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:75: case `mse_loss/f32/mine`: `expected.value`: expected a tensor, found the number 2.5: write {"dtype": "f32", "shape": [], "data": [2.5]}"#,
    );
}

#[test]
fn a_value_of_classes_that_is_a_list() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "adaptive_log_softmax_with_loss", "expected": {"value": [1, 0]},
     "options": {"in_features": 1, "n_classes": 2, "cutoffs": [1], "result": "predict"},
     "inputs": {"input": {"dtype": "f32", "shape": [2, 1], "data": [1, 2]},
                "head.weight": {"dtype": "f32", "shape": [2, 1], "data": [1, 2]},
                "tail.0.0.weight": {"dtype": "f32", "shape": [0, 1], "data": []},
                "tail.0.1.weight": {"dtype": "f32", "shape": [1, 0], "data": []}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:81: case `x`: `expected.value`: expected a tensor, found a list: write {"dtype": "i64", "shape": [2], "data": [1, 0]}"#,
    );
}

/// The dtype that is suggested is that of the input that it is the gradient of.
#[test]
fn a_gradient_that_is_a_list() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "x", "loss": "mse_loss", "expected": {"gradients": {"target": [1, 2]}, "value": {"dtype": "bf16", "shape": [], "data": [1]}},
     "inputs": {"input": {"dtype": "bf16", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f64", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:74: case `x`: `expected.gradients.target`: expected a tensor, found a list: write {"dtype": "f64", "shape": [2], "data": [1, 2]}"#,
    );
}

#[test]
fn a_value_and_an_error() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"value": {"dtype": "f32", "shape": [], "data": [1]}, "error": "ValueError"},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:65: case `mse_loss/f32/mine`: `expected`: expected either `value` and `gradients`, or `error` and `message`, or {"rejected": true}"#,
    );
}

#[test]
fn an_error_without_a_message() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"error": "ValueError"},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:65: case `mse_loss/f32/mine`: `expected`: expected either `value` and `gradients`, or `error` and `message`, or {"rejected": true}"#,
    );
}

#[test]
fn an_error_that_is_no_class() {
    for error in ["any", "Any", "valueError", "Value1Error", "Error"] {
        let file = format!(
            r#"{{
  "format": "losscheck-goldens/2",
  "cases": [
    {{"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {{"error": "{error}", "message": "x"}},
     "inputs": {{"input": {{"dtype": "f32", "shape": [2], "data": [1, 2]}},
                "target": {{"dtype": "f32", "shape": [2], "data": [0, 0]}}}}}}
  ]
}}
"#
        );
        let message = format!(
            "mine.json:4:75: case `mse_loss/f32/mine`: `expected.error`: expected the class of Python's exception, such as `ValueError`, found \"{error}\": to expect a rejection without naming one, write {{\"rejected\": true}}"
        );
        both_refuse(&file, &message);
    }
}

#[test]
fn an_error_with_an_empty_message() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"error": "ValueError", "message": ""},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:100: case `mse_loss/f32/mine`: `expected.message`: expected the text of the exception, found nothing"#,
    );
}

#[test]
fn an_expectation_that_is_not_rejected() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"rejected": false},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:78: case `mse_loss/f32/mine`: `expected.rejected`: expected true, found false: to expect an answer, write `value` and `gradients`"#,
    );
}

#[test]
fn a_value_of_integers() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"value": {"dtype": "u8", "shape": [], "data": [1]}},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:85: case `mse_loss/f32/mine`: `expected.value.dtype`: expected f16, bf16, f32 or f64, found u8"#,
    );
}

#[test]
fn a_gradient_of_no_input() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"value": {"dtype": "f32", "shape": [], "data": [1]}, "gradients": {"weight": {"dtype": "f32", "shape": [1], "data": [1]}}},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:143: case `mse_loss/f32/mine`: `expected.gradients.weight`: expected the name of a differentiable input of the case"#,
    );
}

#[test]
fn a_gradient_of_another_shape() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "expected": {"value": {"dtype": "f32", "shape": [], "data": [1]}, "gradients": {"input": {"dtype": "f32", "shape": [1], "data": [1]}}},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:4:168: case `mse_loss/f32/mine`: `expected.gradients.input.shape`: expected [2], the shape of `inputs.input`, found [1]"#,
    );
}

#[test]
fn a_cotangent_of_another_shape() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "cotangent": {"dtype": "f32", "shape": [1], "data": [1]}, "expected": {"value": {"dtype": "f32", "shape": [], "data": [1]}},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    the_reader_refuses(
        file,
        r#"mine.json:4:92: case `mse_loss/f32/mine`: `cotangent.shape`: expected [], the shape of `expected.value`, found [1]"#,
    );
}

#[test]
fn a_cotangent_of_integers() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "cotangent": {"dtype": "i64", "shape": [], "data": [1]},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:76: case `mse_loss/f32/mine`: `cotangent.dtype`: expected f16, bf16, f32 or f64, found i64"#,
    );
}

#[test]
fn both_kinds_of_tolerance() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": {"digits": 4, "relative": 1e-3},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:66: case `mse_loss/f32/mine`: `tolerance`: expected either {"digits": 4} or {"relative": 1e-3}, with a number of your own, found both"#,
    );
}

#[test]
fn no_kind_of_tolerance() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": {},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:66: case `mse_loss/f32/mine`: `tolerance`: expected either {"digits": 4} or {"relative": 1e-3}, with a number of your own, found neither"#,
    );
}

#[test]
fn a_tolerance_of_no_digits() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": {"digits": 0},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:77: case `mse_loss/f32/mine`: `tolerance.digits`: expected a number of digits from 1 to 17, found 0"#,
    );
}

#[test]
fn a_tolerance_of_too_many_digits() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": {"digits": 18},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:77: case `mse_loss/f32/mine`: `tolerance.digits`: expected a number of digits from 1 to 17, found 18"#,
    );
}

#[test]
fn a_negative_tolerance() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": {"relative": -1e-3},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:79: case `mse_loss/f32/mine`: `tolerance.relative`: expected a positive number, found -0.001"#,
    );
}

#[test]
fn a_tolerance_of_0() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": {"relative": 0},
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:79: case `mse_loss/f32/mine`: `tolerance.relative`: expected a positive number, found 0.0"#,
    );
}

#[test]
fn a_tolerance_that_is_a_number() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "tolerance": 1e-3,
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:4:66: case `mse_loss/f32/mine`: `tolerance`: expected either {"digits": 4} or {"relative": 1e-3}, with a number of your own, found the number 0.001"#,
    );
}

#[test]
fn a_note_that_is_a_list() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss", "note": ["a"],
     "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 2]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(file, r#"mine.json:4:61: case `mse_loss/f32/mine`: `note`: expected a string, found a list"#);
}

#[test]
fn a_name_of_a_tensor_without_a_file() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"dtype": "f32", "shape": [1], "data": [1], "tensor": "a"},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:80: case `mse_loss/f32/mine`: `inputs.input.tensor`: expected `file` beside it, which names the file that the tensor is in"#,
    );
}

#[test]
fn a_file_of_another_kind() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"file": "input.pt"},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:35: case `mse_loss/f32/mine`: `inputs.input.file`: expected the name of a .npy or .safetensors file, found "input.pt""#,
    );
}

#[test]
fn a_file_beside_elements() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse_loss",
     "inputs": {"input": {"file": "input.npy", "dtype": "f32", "shape": [1], "data": [1]},
                "target": {"dtype": "f32", "shape": [2], "data": [0, 0]}}}
  ]
}
"#;
    both_refuse(
        file,
        r#"mine.json:5:26: case `mse_loss/f32/mine`: `inputs.input`: expected one of `data`, `random` and `file`, found more than one"#,
    );
}

#[test]
fn text_after_the_end() {
    let file = r#"{"format": "losscheck-goldens/2", "cases": []} {}"#;
    no_json(file, r#"mine.json:1:48: expected the end of the file after the JSON value, found more text"#);
}

#[test]
fn half_a_file() {
    let file = r#"{
  "format": "losscheck-goldens/2",
  "cases": [
    {"id": "mse_loss/f32/mine", "loss": "mse"#;
    no_json(
        file,
        r#"mine.json:4:44: case `mse_loss/f32/mine`: `loss`: expected the end of a string, found the end of the file"#,
    );
}

#[test]
fn files_that_end_between_their_parts() {
    for (file, message) in [
        ("", "mine.json:1:1: expected a JSON value, found the end of the file"),
        (r#"{"format":"#, "mine.json:1:10: `format`: expected a JSON value, found the end of the file"),
        (
            r#"{"format": "losscheck-goldens/2", "cases": ["#,
            "mine.json:1:44: `cases`: expected the end of a list, found the end of the file",
        ),
        (
            r#"{"format": "losscheck-goldens/2", "cases": [{"id": "x""#,
            "mine.json:1:54: case `x`: expected the end of an object, found the end of the file",
        ),
    ] {
        no_json(file, message);
    }
}
