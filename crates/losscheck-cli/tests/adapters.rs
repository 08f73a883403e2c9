//! What the program says about adapters, which answer a file or run, through the built binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::data::DataFolder;
use losscheck::loss::LossKind;
use losscheck_protocol::tensor::{Encoding, write};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The loss with the fewest goldens.
const LOSS: LossKind = LossKind::MultilabelMarginLoss;

fn losscheck(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_losscheck"));
    let Output { status, stdout, stderr } = command.current_dir(folder).args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// The replies of the reference to the cases in a file, each passed through `change`.
fn answers(folder: &Path, change: impl Fn(usize, Value) -> Value) -> String {
    let cases = DataFolder::shipped().goldens_of(&[LOSS]).expect("the goldens").cases;
    let asked = fs::read_to_string(folder.join("cases.jsonl")).expect("the export");
    let mut lines = asked.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let greeting = lines.next().expect("a hello");
    let hello = json!({"hello": {
        "protocol": 1, "name": "mine", "libraries": {"mine": "1.0"}, "losses": {LOSS.name(): {}},
        "cases": greeting["hello"]["cases"],
    }});
    let mut replies = vec![hello.to_string()];
    for question in lines.filter_map(|mut line| line.get_mut("case").map(Value::take)) {
        let n = question["n"].as_u64().expect("a number") as usize;
        assert_eq!(question["id"], json!(cases[n].id));
        let reply = match Reference.evaluate(&cases[n]) {
            Outcome::Answer(answer) => {
                let gradients = answer.gradients.iter().map(|(name, of)| (name.clone(), write(of, Encoding::Bits)));
                let gradients: Map<String, Value> = gradients.collect();
                json!({"answer": {"n": n, "value": write(&answer.value, Encoding::Bits), "gradients": gradients}})
            }
            Outcome::Rejection(message) => json!({"rejected": {"n": n, "message": message}}),
            other => panic!("{other:?}"),
        };
        replies.push(change(n, reply).to_string());
    }
    replies.join("\n") + "\n"
}

#[test]
fn answers_are_judged_like_those_of_any_backend() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path();
    let (code, _, stderr) = losscheck(path, &["export", "--loss", LOSS.name(), "--out", "cases.jsonl"]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    let (code, printed, _) = losscheck(path, &["export", "--loss", LOSS.name()]);
    assert!(code == Some(0) && printed == fs::read_to_string(path.join("cases.jsonl")).expect("the export"));

    let judge = |text: &str, arguments: &[&str]| {
        fs::write(path.join("answers.jsonl"), text).expect("a file to write");
        losscheck(path, &[&["judge", "answers.jsonl", "--loss", LOSS.name()], arguments].concat())
    };
    let right = answers(path, |_, reply| reply);
    let (code, stdout, stderr) = judge(&right, &[]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("mine 1.0") && stdout.contains("no unexplained difference"), "{stdout}");

    // One wrong number is one difference, with its case.
    let wrong = answers(path, |n, mut reply| {
        if n == 0 {
            reply = json!({"answer": {"n": 0, "value": {"dtype": "f32", "shape": [], "data": [42]}}});
        }
        reply
    });
    let (code, stdout, _) = judge(&wrong, &["--format", "json"]);
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(code, Some(1));
    assert_eq!(report["differences"][0]["backend"], "mine");
    assert_eq!(report["differences"][0]["cases"], 1, "{stdout}");
    assert_eq!(report["known_command"], format!("losscheck judge answers.jsonl --known --loss {}", LOSS.name()));

    // What is not answered has failed, and what is unsupported is a gap.
    let count = right.lines().count() - 1;
    let (code, stdout, _) = judge(right.lines().next().expect("a hello"), &[]);
    assert!(code == Some(1) && stdout.contains(&format!("{count} cases, worst: failed")), "{stdout}");
    let (code, stdout, _) = judge(&answers(path, |n, _| json!({"unsupported": {"n": n, "why": "nothing"}})), &[]);
    assert!(code == Some(0), "{stdout}");

    for (text, message) in [
        (
            right.replace("\"name\":\"mine\"", "\"name\":\"candle\""),
            "answers.jsonl: line 1: `name`: `candle` is the name",
        ),
        (right.replace("\"protocol\":1", "\"protocol\":2"), "answers.jsonl: line 1: `protocol`: expected 1, found 2"),
        (right.replacen("\"n\":", "\"n\":-", 1), "answers.jsonl: line 2: expected a message of the protocol"),
    ] {
        let (code, _, stderr) = judge(&text, &[]);
        assert!(code == Some(2) && stderr.contains(message), "{stderr}");
    }
    let (code, _, stderr) = losscheck(path, &["judge", "nowhere.jsonl"]);
    assert!(code == Some(2) && stderr.contains("nowhere.jsonl: cannot be read"), "{stderr}");
    let (code, _, stderr) = losscheck(path, &["judge", "answers.jsonl", "--loss", "mse_loss"]);
    assert!(code == Some(2) && stderr.contains("answers to other cases"), "{stderr}");
}

/// An adapter that has all its answers ready: `cat` writes them, in the order in which the cases are asked.
#[test]
fn an_adapter_that_runs_is_a_column_of_every_command() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path();
    let loss = ["--loss", LOSS.name()];
    losscheck(path, &[&["export", "--out", "cases.jsonl"][..], &loss].concat());
    fs::write(path.join("answers.jsonl"), answers(path, |_, reply| reply)).expect("a file to write");
    let count = DataFolder::shipped().goldens_of(&[LOSS]).expect("the goldens").cases.len();

    let live = ["--adapter", "mine=cat answers.jsonl"];
    let (code, stdout, stderr) = losscheck(path, &[&["check", "--record", "record.jsonl"][..], &loss, &live].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("mine 1.0") && stdout.contains(&format!("{count} cases in 2 columns")), "{stdout}");
    assert!(stdout.contains(&format!("--known --adapter 'mine=cat answers.jsonl' --loss {}", LOSS.name())), "{stdout}");
    // The record is judged as the run was.
    let (code, again, stderr) = losscheck(path, &[&["judge", "record.jsonl"][..], &loss].concat());
    assert_eq!(code, Some(0), "{again}{stderr}");
    assert_eq!(again.lines().take(5).collect::<Vec<_>>(), stdout.lines().take(5).collect::<Vec<_>>());

    // Compared with the reference, a wrong answer is the one difference.
    let wrong = answers(path, |n, reply| match n {
        0 => json!({"answer": {"n": 0, "value": {"dtype": "f32", "shape": [], "data": [42]}}}),
        _ => reply,
    });
    fs::write(path.join("wrong.jsonl"), wrong).expect("a file to write");
    let live = ["--adapter", "mine=cat wrong.jsonl", "--backend", "reference", "--against", "reference"];
    let (code, stdout, _) = losscheck(path, &[&["check", "--format", "json"][..], &loss, &live].concat());
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &report["differences"][0]["cases"]), (Some(1), &json!(1)), "{stdout}");
    assert_eq!(report["columns"].as_array().map(Vec::len), Some(2), "{stdout}");

    // The file that lists adapters.
    let listed = "[adapters.mine]\ncommand = [\"cat\", \"answers.jsonl\"]\nlimits = { case = 5 }\n";
    fs::write(path.join("losscheck.toml"), listed).expect("a file to write");
    let (code, stdout, stderr) = losscheck(path, &[&["check"][..], &loss].concat());
    assert!(code == Some(0) && stdout.contains("reference") && stdout.contains("mine 1.0"), "{stdout}{stderr}");
    for (text, message) in [
        ("[adapters.mine]\n", "missing field `command`"),
        ("[adapters.mine]\ncommand = 1\n", "expected a string or a list of strings"),
        ("[adapters.mine]\ncommand = \"cat\"\nlimit = 1\n", "unknown field `limit`"),
        ("[adapters.candle]\ncommand = \"cat\"\n", "`candle` is the name of another column"),
        ("[adapters.mine]\ncommand = \"cat\"\nlimits = { case = -1 }\n", "`limits.case`"),
    ] {
        fs::write(path.join("losscheck.toml"), text).expect("a file to write");
        let (code, _, stderr) = losscheck(path, &[&["check"][..], &loss].concat());
        assert!(code == Some(2) && stderr.contains("losscheck.toml") && stderr.contains(message), "{text}: {stderr}");
    }
    fs::remove_file(path.join("losscheck.toml")).expect("the file");

    let shipped = || fs::read(DataFolder::shipped().regressions_folder().join(format!("{}.json", LOSS.name()))).ok();
    let before = shipped();
    for (arguments, message) in [
        (&["check", "--adapter", "mine=cat nothing.jsonl"][..], "adapter mine: `cat nothing.jsonl` does not start"),
        (&["check", "--adapter", "mine"], "write --adapter mine='COMMAND'"),
        (&["check", "--adapter", "tch-cli=nothing-of-that-name"], "cannot be started"),
        (&["check", "--adapter", "reference=cat"], "`reference` is the name of another column"),
        (&["check", "--adapter", "mine='cat"], "whose quotes are not closed"),
        (&["check", "--against", "torch"], "--against torch: expected one of reference"),
        (&["check", "--record", "new.jsonl"], "--record takes the answers of one adapter"),
        (&["fuzz", "--cases", "10", "--adapter", "mine=cat answers.jsonl"], "adapter mine was stopped"),
    ] {
        let (code, _, stderr) = losscheck(path, &[arguments, &loss].concat());
        assert!(code == Some(2) && stderr.contains(message), "{arguments:?}: {stderr}");
    }
    assert!(shipped() == before && !path.join("regressions").exists());
}

#[test]
fn smoke_tells_what_an_adapter_does_wrong() {
    let folder = TempDir::new().expect("a temporary folder");
    let hello = json!({"hello": {"protocol": 1, "name": "mine", "losses": {LOSS.name(): {}}}});
    fs::write(folder.path().join("hello.jsonl"), format!("{hello}\n")).expect("a file to write");
    let (code, stdout, stderr) = losscheck(folder.path(), &["smoke", "mine=cat hello.jsonl"]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("ended with exit code 0") && stdout.contains("losscheck show "), "{stdout}");
    assert!(stdout.contains("--adapter 'mine=cat hello.jsonl'"), "{stdout}");
}
