//! The committed reports are what the program writes, as far as that does not depend on the machine.

use std::fs;

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::data::DataFolder;
use losscheck::loss::{LossKind, Output};
use losscheck::run::accuracy::{AccuracyRun, InputSet, Key, Measure, Results, Row, SWEEPS, Shard};
use losscheck::tensor::DType;
use losscheck_cli::report::{ACCURACY, VERSIONS, WITNESSES, accuracy_page, conformance, reports, versions_page};

const REWRITE: &str = "`losscheck report` writes it again";

fn committed(name: &str) -> String {
    fs::read_to_string(reports().join(name)).unwrap_or_else(|error| panic!("reports/{name}: {error}"))
}

fn results() -> Results {
    Results::read(&reports().join(ACCURACY)).expect("committed results")
}

#[test]
fn the_page_of_accuracy_is_that_of_the_results() {
    let results = results();
    assert_eq!(results.to_text(), committed(ACCURACY), "reports/{ACCURACY}: {REWRITE}");
    let (page, witnesses) = accuracy_page(&results);
    assert!(page == committed("accuracy.md"), "reports/accuracy.md: {REWRITE}");
    let folder = tempfile::tempdir().expect("a folder");
    losscheck::case::format::write(&folder.path().join(WITNESSES), &witnesses).expect("a writable folder");
    let text = fs::read_to_string(folder.path().join(WITNESSES)).expect("what was written");
    assert!(text == committed(WITNESSES), "reports/{WITNESSES}: {REWRITE}");
}

#[test]
fn the_page_on_versions_is_that_of_the_overlays() {
    let page = versions_page(&DataFolder::shipped()).expect("readable overlays").expect("several versions");
    assert!(page == committed(VERSIONS), "reports/{VERSIONS}: {REWRITE}");
}

fn is_as_recorded(measure: &Measure, output: Output) -> bool {
    let Some(witness) = &measure.witness else { return true };
    let Some(case) = &witness.case else { return true };
    let Outcome::Answer(answer) = Reference.evaluate(case) else { return false };
    let actual = answer.output(output).and_then(|part| part.to_f64().get(witness.at).copied());
    actual.is_some_and(|actual| actual == witness.actual || actual.is_nan() && witness.actual.is_nan())
}

#[test]
fn the_reference_answers_to_every_witness_as_the_results_say() {
    let results = results();
    let rows = results.rows.0.iter().filter(|(key, _)| key.backend == "reference");
    let mut count = 0;
    for (key, Row { plain, scaled }) in rows {
        count += 1;
        for measure in [Some(plain), scaled.as_ref()].into_iter().flatten() {
            assert!(is_as_recorded(measure, key.output), "{key:?}: another answer than in reports/{ACCURACY}");
        }
    }
    assert!(count >= 400, "only {count} rows");
}

#[test]
fn every_slice_of_f32_is_there() {
    let results = results();
    for slice in SWEEPS {
        for backend in ["reference", "candle", "tch"] {
            let of_slice = |key: &Key| {
                (key.inputs, key.dtype, key.backend.as_str()) == (InputSet::Every(slice.name), DType::F32, backend)
            };
            let command = "losscheck accuracy --exhaustive --dtype f32 --loss LOSS, then losscheck report";
            let name = slice.name;
            assert!(results.rows.0.keys().any(of_slice), "every {name} in f32 is missing on {backend}: {command}");
        }
    }
}

#[test]
fn the_rows_of_the_reference_can_be_measured_again() {
    let committed = results();
    let plan = AccuracyRun {
        losses: vec![LossKind::HuberLoss, LossKind::SoftMarginLoss, LossKind::NllLoss],
        dtypes: DType::FLOATS.to_vec(),
        budget: committed.made.budget,
        exhaustive: false,
        shard: Shard::ALL,
    };
    let measured = plan.run(&[&Reference], None, |_| ()).expect("nothing is read or written");
    assert!(measured.rows.0.len() >= 50, "only {} rows", measured.rows.0.len());
    let text = |row: Option<&Row>| serde_json::to_string(&row).expect("rows are plain data");
    for (key, row) in &measured.rows.0 {
        assert_eq!(text(Some(row)), text(committed.rows.0.get(key)), "{key:?}: {REWRITE}");
    }
}

#[test]
fn the_page_of_conformance_is_that_of_the_goldens() {
    let page = conformance(&DataFolder::shipped(), &[Box::new(Reference)]).expect("readable data");
    assert!(page.passed, "`losscheck check` says what differs");
    let committed = committed("conformance.md");
    for (name, section) in &page.sections {
        assert!(committed.contains(section), "reports/conformance.md, section of {name}: {REWRITE}");
    }
    // Loss, cases, PyTorch, reference; the other libraries' numbers may depend on the processor.
    let cells = |text: &str| -> Vec<Vec<String>> {
        let lines = text.lines().filter(|line| line.starts_with('|'));
        lines
            .map(|line| line.split(" | ").take(4).map(|cell| cell.trim_matches([' ', '|']).to_owned()).collect())
            .collect()
    };
    assert_eq!(cells(&page.matrix), cells(&committed), "reports/conformance.md: {REWRITE}");
}
