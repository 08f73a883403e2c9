//! What other versions of PyTorch answer: the overlays, the slope at a kink, and what changed from one to the next.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use losscheck::backend::{Outcome, PytorchVersion, SlopeAtKink};
use losscheck::case::format::{case_of, schema};
use losscheck::case::python::statements;
use losscheck::case::versions::Answers;
use losscheck::case::{Answer, Case, Expected};
use losscheck::data::DataFolder;
use losscheck::judge::judge;
use losscheck::judge::oracle;
use losscheck::judge::verdict::Verdict;
use losscheck::loss::{LossKind, LossKindExt, Output};
use losscheck::run::drift::notes::Notes;
use losscheck::run::drift::{Change, Kind, changes};
use losscheck::run::older;
use losscheck::tensor::{DType, Tensors};
use losscheck_reference::Real;
use serde_json::{Value, json};

/// The goldens, and what all versions answer to them, the newest first.
static STORED: LazyLock<(Vec<Case>, Vec<Answers>)> = LazyLock::new(|| {
    let data = DataFolder::shipped();
    let goldens = data.goldens().expect("readable goldens").cases;
    let oldest = *data.versions().expect("readable versions").last().expect("a version");
    let answers = data.answers_down_to(oldest, &goldens).expect("readable overlays");
    (goldens, answers)
});

static CHANGES: LazyLock<Vec<Change>> = LazyLock::new(|| changes(&STORED.0, &STORED.1));

fn of(version: &str) -> &'static Answers {
    let version: PytorchVersion = version.parse().expect("a version");
    STORED.1.iter().find(|answers| answers.version == version).expect("a stored version")
}

fn golden(id: &str) -> &'static Case {
    STORED.0.iter().find(|golden| golden.id == id).expect("a golden")
}

/// The files of all overlays.
fn overlays() -> Vec<PathBuf> {
    let folder = DataFolder::shipped().versions_folder();
    let folders = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = files.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn read_json(path: &PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a readable file")).expect("JSON")
}

/// The schema of the overlays, as `reference_data/versions/schema.json` holds it. It is not in the library, because nothing there needs it.
fn overlay_schema() -> Value {
    let names: Vec<_> = LossKind::ALL.iter().map(|loss| loss.name()).collect();
    let Value::Object(mut definitions) = schema()["$defs"].take() else { return Value::Null };
    definitions.retain(|name, _| !["flag", "explanation", "case", "any_rejection"].contains(&name.as_str()));
    // Some of the older versions say nothing but the class.
    definitions["rejection"]["properties"]["message"] = json!({ "type": "string" });
    let lacking = |what: &str, of: &[&str]| json!({ "description": what, "enum": of });
    let version = json!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The overlays of losscheck",
        "description": "What a version of PyTorch answers to the goldens of a loss otherwise than the next newer version. See \
            README.md in the folder above.",
        "type": "object",
        "properties": {
            "format": { "const": "losscheck-version/1" },
            "generator": { "description": "who wrote the file", "type": "string", "minLength": 1 },
            "pytorch": version,
            "newer": version,
            "loss": { "description": "PyTorch's functional name, as in the name of the file", "enum": names },
            "groups": {
                "description": "cases without an answer, or without gradients, for the same reason",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "answer": lacking("what is lacking", &["no_loss", "no_option", "no_kernel", "no_gradient"]),
                        "dtype": { "enum": DType::FLOATS.map(DType::name) },
                        "has": { "description": "a tensor that the cases have", "type": "string" },
                        "message": { "description": "PyTorch's", "type": "string" },
                        "except": { "type": "array", "items": { "type": "string" }, "uniqueItems": true },
                    },
                    "required": ["answer"],
                    "additionalProperties": false,
                },
            },
            "answers": {
                "description": "cases with an answer of their own; they are in no group",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": { "type": "string" },
                        "cotangent": {
                            "description": "of the answer, where the golden has none",
                            "$ref": "#/$defs/float_tensor",
                        },
                        "expected": { "oneOf": [{ "$ref": "#/$defs/answer" }, { "$ref": "#/$defs/rejection" }] },
                        "answer": lacking(
                            "what is lacking",
                            &["no_loss", "no_option", "no_kernel", "no_gradient", "crashes", "undefined"],
                        ),
                        "message": { "description": "PyTorch's", "type": "string" },
                    },
                    "required": ["id"],
                    "anyOf": [{ "required": ["expected"] }, { "required": ["answer"] }],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["format", "generator", "pytorch", "newer", "loss"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

#[test]
fn versions_are_read_and_ordered() {
    let version = |text: &str| text.parse::<PytorchVersion>();
    assert_eq!(version("2.15.0+cpu"), Ok(PytorchVersion::new(2, 15, 0)));
    assert!(version("2.9.1").expect("a version") < version("2.10.0").expect("a version"));
    assert_eq!(PytorchVersion::CURRENT.to_string(), "2.15.0");
    for wrong in ["2.15", "2.15.0.1", "2.x.0", "", "2.15.-1", "2..0"] {
        assert!(version(wrong).is_err(), "{wrong}");
    }
    assert_eq!(PytorchVersion::new(2, 13, 1).slope_at_kink(), SlopeAtKink::One);
    assert_eq!(PytorchVersion::new(2, 14, 0).slope_at_kink(), SlopeAtKink::Zero);
}

#[test]
fn the_goldens_are_of_the_current_version() {
    let goldens = DataFolder::shipped().goldens().expect("readable goldens");
    for source in goldens.sources {
        assert_eq!(source.pytorch, Some(PytorchVersion::CURRENT.to_string()), "{}", source.file.display());
    }
}

#[test]
fn overlays_hold_to_their_schema_and_to_their_names() {
    let schema = jsonschema::validator_for(&overlay_schema()).expect("a schema");
    let data = DataFolder::shipped();
    let versions = data.versions().expect("readable versions");
    let mut total = 0;
    for file in overlays() {
        let (content, shown) = (read_json(&file), file.display());
        total += fs::metadata(&file).expect("a file").len();
        let folder = file.parent().and_then(|folder| folder.file_name()).expect("a folder");
        let version: PytorchVersion = folder.to_string_lossy().parse().expect("a version");
        let newer = versions.iter().rev().find(|other| **other > version).expect("a newer version");
        assert_eq!(content["pytorch"], version.to_string(), "{shown}");
        assert_eq!(content["newer"], newer.to_string(), "{shown}");
        let stem = file.file_stem().expect("a name").to_string_lossy();
        if stem == "version" {
            continue;
        }
        assert_eq!(content["loss"], *stem, "{shown}");
        let errors: Vec<_> = schema.iter_errors(&content).map(|error| error.to_string()).take(3).collect();
        assert!(errors.is_empty(), "{shown}: {errors:?}");
    }
    assert!(total < 10 << 20, "the overlays have {total} bytes");
}

#[test]
fn the_schema_of_overlays_is_that_of_the_definitions() {
    let path = DataFolder::shipped().versions_folder().join("schema.json");
    let text = format!("{:#}\n", overlay_schema());
    if std::env::var_os("LOSSCHECK_UPDATE").is_some() {
        fs::write(&path, &text).expect("a writable file");
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|found| found == text),
        "schema.json is out of date: LOSSCHECK_UPDATE=1 cargo test -p losscheck --test versions"
    );
}

#[test]
fn a_margin_of_0_had_slope_1_between_equal_scores() {
    let id = "margin_ranking_loss/f32/kink/margin=0.0/none";
    let gradient = |case: &Case| match &case.expected {
        Some(Expected::Answer(answer)) => answer.gradients["input1"].to_f64(),
        _ => panic!("{id} has no answer"),
    };
    let (current, older) = (golden(id), of("2.13.0").case(golden(id)));
    let turned = gradient(current).into_iter().zip(gradient(&older)).filter(|(x, y)| *x == 0.0 && *y != 0.0);
    assert!(turned.count() > 0);
    assert!(of("2.14.1").changed(current).is_none(), "the change came with 2.14");
}

#[test]
fn every_loss_with_a_kink_is_judged_by_the_slope_of_a_version() {
    let kinks = STORED.0.iter().filter(|golden| golden.flags.iter().any(|flag| flag == "hinge_kink"));
    let mut losses = BTreeSet::new();
    for golden in kinks {
        let older = of("2.13.0").case(golden);
        let differs = |case: &Case, slope| {
            let Some(Expected::Answer(answer)) = &case.expected else { panic!("{} has no answer", case.id) };
            let verdict = judge(
                &Case { expected: None, ..case.clone() },
                &oracle::evaluate_with(case, slope),
                &Outcome::Answer(answer.clone()),
            );
            matches!(verdict, Verdict::Differs { .. })
        };
        assert!(!differs(golden, SlopeAtKink::Zero), "{} by its own slope", golden.id);
        assert!(!differs(&older, SlopeAtKink::One), "{} of 2.13.0 by its own slope", golden.id);
        if of("2.13.0").changed(golden).is_some() {
            assert!(differs(golden, SlopeAtKink::One), "{} by the older slope", golden.id);
            assert!(differs(&older, SlopeAtKink::Zero), "{} of 2.13.0 by the current slope", golden.id);
            losses.insert(golden.loss.kind());
        }
    }
    let all: BTreeSet<LossKind> = LossKind::ALL.iter().copied().filter(|loss| loss.has_kink()).collect();
    assert_eq!(losses, all);
}

/// An answer to a case of one's own, right but for the slope at its kink.
#[test]
fn an_answer_with_the_older_slope_is_as_pytorch_up_to_2_13() {
    let numbers = |numbers: &[f64]| json!({"dtype": "f32", "shape": [numbers.len()], "data": numbers});
    let case = case_of(&json!({
        "id": "mine", "loss": "margin_ranking_loss", "options": {"reduction": "sum"},
        "inputs": {"input1": numbers(&[0.5, 1.0]), "input2": numbers(&[0.5, 2.0]), "target": numbers(&[1.0, 1.0])}
    }));
    let case = case.expect("a case");
    let answer = |slope: f64| {
        let tensor = |x: [f64; 2]| case.inputs["input1"].with_elements(x.into_iter()).expect("two numbers");
        let gradients = Tensors::from([
            ("input1".to_owned(), tensor([-slope, -1.0])),
            ("input2".to_owned(), tensor([slope, 1.0])),
            ("target".to_owned(), tensor([0.0, 1.0])),
        ]);
        Outcome::Answer(Answer { value: case.inputs["input1"].scalar(1.0), gradients })
    };
    let differs = |slope| matches!(judge(&case, &oracle::evaluate(&case), &answer(slope)), Verdict::Differs { .. });
    assert!(!differs(0.0));
    assert!(differs(1.0));
    let version = |slope| older::agrees_with(&case, &answer(slope), &older::of_slope());
    assert_eq!(version(1.0), Some(PytorchVersion::new(2, 13, 0)));
    assert_eq!(version(0.5), None);
}

#[test]
fn the_exact_slope_is_a_convention_at_0_alone() {
    for golden in
        STORED.0.iter().filter(|golden| golden.loss.kind().has_kink() && golden.dtype() == DType::F32).step_by(97)
    {
        let (Ok(current), Ok(older)) = (oracle::evaluate(golden), oracle::evaluate_with(golden, SlopeAtKink::One))
        else {
            continue;
        };
        for ((output, current), (_, older)) in current.results.outputs().zip(older.results.outputs()) {
            let same = current.iter().zip(older).all(|(x, y)| x.to_f64() == y.to_f64() || x.is_nan() && y.is_nan());
            assert!(same || output != Output::Value, "{}: the value", golden.id);
        }
    }
}

#[test]
fn a_change_has_its_kind_its_first_version_and_a_small_case() {
    let slopes: BTreeSet<LossKind> = CHANGES
        .iter()
        .filter(|change| change.kind == Kind::Slope && change.since == PytorchVersion::new(2, 14, 1))
        .map(|change| change.loss)
        .collect();
    let all: BTreeSet<LossKind> = LossKind::ALL.iter().copied().filter(|loss| loss.has_kink()).collect();
    assert_eq!(slopes, all);
    let find = |loss, kind| CHANGES.iter().find(|change| change.loss == loss && change.kind == kind);
    let new_loss = find(LossKind::LinearCrossEntropy, Kind::Loss).expect("a new loss");
    assert_eq!(new_loss.since, PytorchVersion::new(2, 13, 0));
    let ranking = find(LossKind::MarginRankingLoss, Kind::Slope).expect("another slope");
    assert!(statements(&ranking.witness).expect("a function").contains("margin_ranking_loss(input1=input1"));
}

#[test]
fn notes_are_about_changes() {
    let notes = Notes::read(&DataFolder::shipped()).expect("readable notes");
    assert_eq!(notes.idle(&CHANGES), Vec::<String>::new(), "notes about changes that are not there");
}

#[test]
fn mistakes_in_an_overlay_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = DataFolder(folder.path().to_owned());
    let older = folder.path().join("versions/2.14.1");
    fs::create_dir_all(&older).expect("a folder");
    let goldens = [golden("margin_ranking_loss/f32/kink/margin=0.0/none").clone()];
    let message = |line: &str| {
        let head = r#""format": "losscheck-version/1", "generator": "me", "pytorch": "2.14.1", "newer": "2.15.0", "loss": "margin_ranking_loss""#;
        let file = older.join("margin_ranking_loss.json");
        fs::write(file, format!("{{\n{head},\n{line}\n}}\n")).expect("a writable file");
        data.answers(PytorchVersion::new(2, 14, 1), &goldens).expect_err("a mistake").to_string()
    };
    let id = &goldens[0].id;
    for (line, expected) in [
        (
            r#""answers": [{"id": "no/such"}]"#.to_owned(),
            "3:20: case `no/such`: `id`: expected the id of a golden of the loss",
        ),
        (format!(r#""answers": [{{"id": "{id}"}}]"#), "`expected`: missing, expected an answer, or `answer`"),
        (format!(r#""answers": [{{"id": "{id}", "answer": "asleep"}}]"#), "`answer`: unknown variant `asleep`"),
        (
            r#""groups": [{"answer": "no_kernel", "dtype": "float16"}]"#.to_owned(),
            "`groups[0].dtype`: expected a dtype such as f16",
        ),
        (r#""answer": []"#.to_owned(), "unknown field `answer`"),
    ] {
        let found = message(&line);
        assert!(found.contains(expected), "{line}: {found}");
    }
    let unknown = data.answers(PytorchVersion::new(2, 1, 0), &goldens).expect_err("an unknown version").to_string();
    assert!(unknown.contains("has no answers of PyTorch 2.1.0, but those of 2.15.0, 2.14.1"), "{unknown}");
}
