//! What `check` says about cases that other people wrote, through the built binary.
//!
//! The files are in the folder of the name of this test. Their numbers are our own; right values were computed from the
//! documented formulas with 60 digits.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// One run of `losscheck` on a file of the folder.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn losscheck(verb: &[&str], file: &str, options: &[&str]) -> Ran {
    let path = Path::new("tests/own_cases").join(file).with_extension("json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_losscheck"));
    let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(verb).arg("--data").arg(path).args(options);
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn check(file: &str, options: &[&str]) -> Ran {
    losscheck(&["check"], file, options)
}

fn report(file: &str, options: &[&str]) -> Value {
    serde_json::from_str(&check(file, &[options, &["--format", "json"]].concat()).stdout).expect("the output is JSON")
}

/// Returns the cases on which a column of a report differs in a way that is not known.
fn failing(report: &Value, backend: &str) -> Vec<String> {
    let all = report["differences"].as_array().into_iter().flatten().filter(|it| it["backend"] == backend);
    let failing = all.flat_map(|it| it["failing"].as_array().into_iter().flatten());
    let mut cases: Vec<String> =
        failing.filter_map(|it| it["case"].as_str()?.rsplit('/').next().map(str::to_owned)).collect();
    cases.dedup();
    cases
}

#[test]
fn each_file_gets_its_verdict() {
    const STRICT: &[&str] = &["--strict"];
    // candle-nn gives 0 for a small loss, which is near enough at scale only.
    const STRICT_ON_REFERENCE: &[&str] = &["--strict", "--backend", "reference"];
    // The file, the options, the exit code, and the cases whose expectation differs.
    let verdicts: [(&str, &[&str], i32, &[&str]); 23] = [
        ("weighted_mean", &[], 0, &[]),
        ("weighted_mean", STRICT, 0, &[]),
        ("digits_without_tolerance", &[], 1, &["four_digits"]),
        ("wrong_last_digit", &[], 1, &["four_digits"]),
        ("offset_right", &[], 0, &[]),
        ("offset_wrong", &[], 0, &[]),
        ("offset_wrong", STRICT, 1, &["off_by_a_half"]),
        ("confident_right", &[], 0, &[]),
        ("confident_right", STRICT_ON_REFERENCE, 0, &[]),
        ("confident_negative", &[], 0, &[]),
        ("confident_negative", STRICT, 1, &["negative"]),
        ("class_axis_last_expected", &[], 1, &["class_axis_last"]),
        ("bad_data", &[], 2, &[]),
        ("rejected", &[], 0, &[]),
        ("not_rejected", &[], 1, &["good"]),
        ("bf16_logits", &[], 0, &[]),
        ("nan_in_ignored_row", &[], 0, &[]),
        ("bce_wrong_gradient", &[], 1, &["wrong"]),
        ("scalar_margins", &[], 0, &[]),
        ("f16_vocabulary", &[], 0, &[]),
        ("f16_infinity", &[], 1, &["vocabulary"]),
        // PyTorch's column and that of the author are two.
        ("of_pytorch", &[], 1, &[]),
        ("of_pytorch", STRICT, 1, &[]),
    ];
    for (file, options, code, differ) in verdicts {
        let ran = check(file, options);
        assert_eq!(ran.code, Some(code), "{file} {options:?}\n{}{}", ran.stdout, ran.stderr);
        let report = report(file, options);
        assert_eq!(failing(&report, "expected"), differ, "{file} {options:?}");
        assert_eq!(report["passed"], code == 0, "{file} {options:?}");
    }
}

#[test]
fn what_the_author_expects_is_no_answer_of_pytorch() {
    let own = report("digits_without_tolerance", &[]);
    assert_eq!(own["columns"][0]["backend"], "expected");
    assert_eq!(own["columns"][1]["backend"], "reference");
    let of_pytorch = report("of_pytorch", &[]);
    assert_eq!(of_pytorch["columns"][0]["backend"], "pytorch");
    assert_eq!(failing(&of_pytorch, "pytorch"), ["wrong"]);
    for (backend, file) in [("expected", "not_rejected"), ("pytorch", "of_pytorch")] {
        let ran = losscheck(
            &["show", if file == "of_pytorch" { "mse_loss/f32/wrong" } else { "mse_loss/f32/good" }],
            file,
            &[],
        );
        assert!(ran.stdout.lines().any(|line| line.starts_with(backend)), "{}", ran.stdout);
    }
}

#[test]
fn bad_data_is_listed_and_the_other_cases_are_judged() {
    let ran = check("bad_data", &[]);
    let lines = [
        "cross_entropy/f32/class_axis_last: `inputs.target`: `target` has shape [1, 3], expected [1, 2]",
        "cross_entropy/f32/float_labels: `inputs.target`: `target` has shape [2], expected [2, 3]",
        "cross_entropy/f32/minus_one: `inputs.target`: `target` holds the index -1 at row 1",
        "cross_entropy/f32/smoothing: `options.label_smoothing`: ",
        "mse_loss/f32/cotangent: `cotangent`: ",
    ];
    for line in lines {
        assert!(ran.stdout.contains(line), "no `{line}` in\n{}", ran.stdout);
    }
    assert!(ran.stderr.starts_with("error: bad data: 5 cases"), "{}", ran.stderr);
    let report = report("bad_data", &[]);
    assert_eq!((&report["cases"], report["bad"].as_array().map(Vec::len)), (&1.into(), Some(5)));
    assert_eq!(report["columns"][0]["losses"][0]["agree"], 1, "the good case is judged");
    assert_eq!(report["bad"][1]["field"], "inputs.target");
    let place = report["bad"][1]["place"].as_str().expect("a place");
    assert!(place.contains("bad_data") && place.split(':').count() == 3, "{place}");
    assert!(ran.stdout.contains(&format!("{place}: cross_entropy/f32/float_labels")), "{}", ran.stdout);
}

#[test]
fn what_is_not_rejected_is_shown_with_its_value() {
    let message = "the case expects a rejection, but the loss has a value for its inputs and options: ";
    let ran = check("not_rejected", &[]);
    assert!(ran.stdout.contains(message), "{}", ran.stdout);
}

#[test]
fn every_failing_case_is_named() {
    let report = report("garbage", &[]);
    let failing = failing(&report, "expected");
    assert_eq!(failing, (12..36).map(|classes| format!("{classes}_classes")).collect::<Vec<_>>());
    // Two differences for each case, of which the table shows twenty.
    let ran = check("garbage", &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("      cross_entropy/f32/12_classes: value[0]: -1.75e1"), "{}", ran.stdout);
    assert!(ran.stdout.contains("and 28 more (--format json lists all)"), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("      cross_entropy/f32/")).count(), 20);
}

#[test]
fn every_known_case_is_named() {
    let named =
        "candle, known as pytorch/cross_entropy/ignored_row: 1 case\n      cross_entropy/f32/nan_in_ignored_row\n";
    let ran = check("nan_in_ignored_row", &[]);
    assert!(ran.stdout.contains(named), "{}", ran.stdout);
    let known = &report("nan_in_ignored_row", &["--backend", "candle"])["known"][0];
    assert_eq!(known["known_of"], "pytorch");
    assert_eq!(known["covered"][0], "cross_entropy/f32/nan_in_ignored_row");
}

#[test]
fn an_answer_of_an_older_pytorch_is_said_to_be_one() {
    let current = check("older_slope", &[]);
    assert_eq!(current.code, Some(1));
    assert!(current.stdout.contains("as PyTorch up to 2.13.0"), "{}", current.stdout);
    let report = report("older_slope", &[]);
    assert_eq!(report["differences"][0]["failing"][0]["as_pytorch_up_to"], "2.13.0");

    // Judged by that version, the expectation is right, and the current slope is wrong.
    let older = self::report("older_slope", &["--pytorch", "2.13.0", "--backend", "reference"]);
    assert!(failing(&older, "expected").is_empty(), "{older}");
    assert_eq!(failing(&older, "reference"), ["equal_scores"]);
}

#[test]
fn a_version_without_answers_is_named() {
    let Ran { code, stderr, .. } = check("older_slope", &["--pytorch", "2.3.0"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("has no answers of PyTorch 2.3.0, but those of 2.15.0, 2.14.1"), "{stderr}");
}

#[test]
fn errors_are_given_at_scale_and_in_plain_ulps() {
    let ran = check("confident_negative", &["--strict"]);
    assert!(ran.stdout.contains(" ULPs at scale, ") && ran.stdout.contains(" plain)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("judged by plain ULPs"), "{}", ran.stdout);
    let command = "losscheck show cross_entropy/f32/negative --data tests/own_cases/confident_negative.json --strict";
    assert!(ran.stdout.contains(command), "{}", ran.stdout);
    let report = report("confident_negative", &["--strict"]);
    let difference = &report["differences"][0];
    let number = |name: &str| difference[name].as_f64().expect("a number");
    assert!(number("worst_ulps") < 8.0 && number("worst_plain_ulps") > 1e6, "{difference}");

    let show =
        |options: &[&str]| losscheck(&["show", "cross_entropy/f32/negative"], "confident_negative", options).stdout;
    let verdict = |stdout: &str| stdout.lines().find(|line| line.starts_with("expected ")).map(str::to_owned);
    assert!(verdict(&show(&[])).is_some_and(|line| line.ends_with("agrees")), "{}", show(&[]));
    assert!(verdict(&show(&["--strict"])).is_some_and(|line| line.ends_with("differs")), "{}", show(&["--strict"]));
    assert!(show(&[]).contains("(plain "), "{}", show(&[]));
}
