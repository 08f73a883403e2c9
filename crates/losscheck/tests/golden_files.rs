//! The stored data: that it is in its format, complete, and not vacuous.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use losscheck::case::format::{self, Goldens};
use losscheck::case::{Answer, Case, Expected};
use losscheck::loss::{Inputs, LossExt, LossKind, Outputs, ValueAndGradients};
use losscheck::tensor::Tensor;
use serde_json::{Map, Value, json};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference_data")
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("a readable folder").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a readable file")).expect("a file in JSON")
}

fn goldens(kind: LossKind) -> Goldens {
    format::read(&data().join(format!("goldens/{}.json", kind.name()))).expect("a file in the golden format")
}

fn answer(case: &Case) -> Option<&Answer> {
    match &case.expected {
        Some(Expected::Answer(answer)) => Some(answer),
        _ => None,
    }
}

fn is_small(case: &Case) -> bool {
    case.inputs.values().all(|tensor| tensor.len() < 1000)
}

#[test]
fn files_hold_to_the_schema() {
    // That the file holds the same is what the next test is about.
    let schema = jsonschema::validator_for(&losscheck::case::format::schema()).expect("a schema");
    let goldens = json_files(&data().join("goldens"));
    let regressions = json_files(&data().join("regressions"));
    for file in goldens.iter().chain(&regressions).chain([&data().join("tutorial.json")]) {
        let instance = read_json(file);
        let errors: Vec<_> = schema.iter_errors(&instance).map(|error| error.to_string()).take(5).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}

#[test]
fn the_schema_is_that_of_the_definitions() {
    let path = data().join("schema.json");
    let text = format!("{:#}\n", losscheck::case::format::schema());
    if std::env::var_os("LOSSCHECK_UPDATE").is_some() {
        fs::write(&path, text).expect("a writable file");
        return;
    }
    let committed = fs::read_to_string(&path).expect("a readable file");
    assert!(
        committed == text,
        "schema.json is out of date: LOSSCHECK_UPDATE=1 cargo test -p losscheck --test golden_files"
    );
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema = jsonschema::validator_for(&read_json(&data().join("schema.json"))).expect("a schema");
    let good = read_json(&data().join("tutorial.json"));
    assert!(schema.is_valid(&good));
    type Break = fn(&mut Value);
    let broken: [(&str, Break); 8] = [
        ("format", |file| file["format"] = json!("losscheck-goldens/3")),
        ("a missing field", |file| drop(file.as_object_mut().and_then(|file| file.remove("cases")))),
        ("an unknown field", |file| file["cases"][0]["atol"] = json!(1e-4)),
        ("an unknown loss", |file| file["cases"][0]["loss"] = json!("hinge_loss")),
        ("an unknown option", |file| file["cases"][0]["options"]["beta2"] = json!(1.0)),
        ("an unknown reduction", |file| file["cases"][0]["options"]["reduction"] = json!("average")),
        ("an unknown dtype", |file| file["cases"][0]["inputs"]["input"]["dtype"] = json!("f8")),
        ("a word among numbers", |file| file["cases"][0]["inputs"]["input"]["data"][0] = json!("nan")),
    ];
    for (what, change) in broken {
        let mut file = good.clone();
        change(&mut file);
        assert!(!schema.is_valid(&file), "{what}");
    }
}

#[test]
fn each_loss_has_a_file_and_each_file_is_a_loss() {
    let files: BTreeSet<_> = json_files(&data().join("goldens"))
        .iter()
        .map(|path| path.file_stem().expect("a file name").to_string_lossy().into_owned())
        .collect();
    let losses: BTreeSet<_> = LossKind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(files, losses);
    for &kind in LossKind::ALL {
        for case in goldens(kind).cases {
            assert_eq!(case.loss.kind(), kind, "{}", case.id);
            let prefix = format!("{}/{}/", kind.name(), case.dtype().name());
            assert!(case.id.starts_with(&prefix), "{} is not of {prefix}", case.id);
        }
    }
}

#[test]
fn there_are_enough_cases_and_most_are_finite() {
    let finite = |tensor: &Tensor| tensor.to_f64().iter().all(|x| x.is_finite());
    for &kind in LossKind::ALL {
        let cases = goldens(kind).cases;
        let least = match kind {
            LossKind::CrossEntropy
            | LossKind::CtcLoss
            | LossKind::GaussianNllLoss
            | LossKind::LinearCrossEntropy
            | LossKind::MultiMarginLoss => 400,
            _ => 150,
        };
        assert!(cases.len() >= least, "{} has {} cases", kind.name(), cases.len());

        let answers: Vec<_> = cases.iter().filter_map(answer).collect();
        let (values, gradients) = (answers.iter().filter(|answer| finite(&answer.value)), &answers);
        let gradients = gradients.iter().filter(|answer| {
            !answer.gradients.is_empty() && answer.gradients.values().all(|g| finite(g) && !g.is_empty())
        });
        let (values, gradients) = (values.count(), gradients.count());
        assert!(values * 2 > cases.len(), "{}: {values} of {} have finite values", kind.name(), cases.len());
        assert!(gradients * 2 > cases.len(), "{}: {gradients} of {} have finite gradients", kind.name(), cases.len());
    }
}

#[test]
fn cotangents_are_not_all_ones() {
    for &kind in LossKind::ALL {
        let all = goldens(kind).cases;
        let with_gradients = all.iter().filter(|case| answer(case).is_some_and(|answer| !answer.gradients.is_empty()));
        let cases: Vec<_> = with_gradients.filter(|case| answer(case).is_some_and(|a| !a.value.is_empty())).collect();
        let telling = cases.iter().filter(|case| {
            case.cotangent.as_ref().is_some_and(|cotangent| cotangent.to_f64().iter().any(|&x| x != 1.0 && x != 0.0))
        });
        let telling = telling.count();
        assert!(telling * 10 > cases.len() * 9, "{}: {telling} of {}", kind.name(), cases.len());
    }
}

/// What the reference answers, as text that tells any two results apart.
fn outcome(case: &Case) -> String {
    match case.loss.evaluate::<f64>(&Inputs::from(case), Outputs::Gradients) {
        Ok(ValueAndGradients { value, gradients }) => format!("{value:?} {gradients:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_option_changes_some_result() {
    for &kind in LossKind::ALL {
        let cases = goldens(kind).cases;
        let small: Vec<_> = cases.iter().filter(|case| is_small(case)).collect();
        let defaults = kind.defaults().write_options();
        for (option, default) in defaults.as_object().expect("options by name") {
            if option == "batch_chunk_size" {
                // A matter of memory alone.
                continue;
            }
            let changed = small.iter().filter(|case| {
                let mut options = case.loss.write_options();
                if options[option] == *default {
                    return false;
                }
                options[option] = default.clone();
                let loss = kind.read_options(options).expect("options that have been written");
                outcome(case) != outcome(&Case { loss, ..(**case).clone() })
            });
            let changed = changed.count();
            assert!(changed >= 10, "{}: `{option}` changes {changed} results", kind.name());
        }
        for name in kind.signature().optional {
            let changed = small.iter().filter(|case| {
                let mut without = (**case).clone();
                without.inputs.remove(*name).is_some() && outcome(case) != outcome(&without)
            });
            let changed = changed.count();
            assert!(changed >= 10, "{}: `{name}` changes {changed} results", kind.name());
        }
    }
}

#[test]
fn every_flag_is_used_and_every_file_has_rejections() {
    for &kind in LossKind::ALL {
        let Goldens { cases, flags, .. } = goldens(kind);
        for flag in flags.keys() {
            assert!(cases.iter().any(|case| case.flags.contains(flag)), "{}: no case has `{flag}`", kind.name());
        }
        assert!(cases.iter().all(|case| !case.flags.is_empty()), "{}: a case has no flag", kind.name());
        let rejected = |case: &&Case| matches!(case.expected, Some(Expected::Rejection { .. }));
        assert!(cases.iter().any(|case| rejected(&case)), "{}: no case is rejected", kind.name());
    }
}

#[test]
fn goldens_survive_writing_and_reading() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for &kind in LossKind::ALL {
        let Goldens { mut cases, flags, sources } = goldens(kind);
        // The large ones, drawn by seed, would be written out in full.
        cases.retain(is_small);
        let written: Vec<_> = cases.iter().map(format::write_case).collect();
        let explained: Map<_, _> = flags
            .into_iter()
            .map(|(name, flag)| (name, json!({"tests": flag.tests, "why": flag.why, "upstream": flag.upstream})))
            .collect();
        let pytorch = sources[0].pytorch.as_ref().expect("the version that answered");
        let file = json!({"format": format::FORMAT, "pytorch": pytorch, "flags": explained, "cases": written});
        let path = folder.path().join(format!("{}.json", kind.name()));
        fs::write(&path, file.to_string()).expect("a writable folder");
        let again = format::read(&path).expect("what has been written reads back").cases;
        assert_eq!(again.len(), cases.len());
        for (case, again) in cases.iter().zip(&again) {
            // Debug output, for NaN and the sign of zero.
            assert_eq!(format!("{case:?}"), format!("{again:?}"), "{}", case.id);
        }
    }
}

/// The numbers are the first five that SplitMix64 gives for the seed 1234567, without their lowest 40 bits.
#[test]
fn a_seed_stands_for_the_numbers_of_split_mix_64() {
    const SPAN: f64 = 16_777_216.0;
    let numbers = [5_873_360.0, 2_913_264.0, 8_928_956.0, 4_177_655.0, 14_923_828.0];
    let from =
        |low: f64| json!({"dtype": "f64", "shape": [5], "random": {"seed": 1234567, "low": low, "high": low + SPAN}});
    let case =
        json!({"id": "mse_loss/f64/seed", "loss": "mse_loss", "inputs": {"input": from(0.0), "target": from(-1.0)}});
    let case = format::case_of(&case).expect("a case in the golden format");
    assert_eq!(case.inputs["input"].to_f64(), numbers);
    assert_eq!(case.inputs["target"].to_f64(), numbers.map(|number| number - 1.0));
}

#[test]
fn shapes_fit() {
    for &kind in LossKind::ALL {
        let cases = goldens(kind).cases;
        let (count, mut refused) = (cases.len(), 0);
        for case in cases {
            let Some(answer) = answer(&case) else { continue };
            let value = match case.loss.evaluate::<f64>(&Inputs::from(&case), Outputs::Value) {
                Ok(evaluation) => evaluation.value,
                Err(error) => {
                    eprintln!("the reference refuses {}: {error}", case.id);
                    refused += 1;
                    continue;
                }
            };
            assert_eq!(answer.value.shape(), value.shape(), "{}", case.id);
            if let Some(cotangent) = &case.cotangent {
                assert_eq!(cotangent.shape(), value.shape(), "{}", case.id);
            }
            let shapes = |tensors: &BTreeMap<String, Tensor>| -> Vec<_> {
                let named = case.differentiable().filter_map(|name| Some((name, tensors.get(name)?.shape().to_vec())));
                named.collect()
            };
            // The large cases have values alone, and some gradients are not PyTorch's to give.
            let expected: Vec<_> =
                shapes(&case.inputs).into_iter().filter(|(name, _)| answer.gradients.contains_key(*name)).collect();
            assert_eq!(shapes(&answer.gradients), expected, "{}", case.id);
        }
        // What the documentation of the reference rules out, and PyTorch's known deviations.
        assert!(refused * 50 < count, "{}: the reference refuses {refused} of {count}", kind.name());
    }
}
