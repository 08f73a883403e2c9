//! Every command of the README works for somebody who has installed nothing but Rust.
//!
//! The commands are the lines of the README's `sh` blocks and the commands in its text. Each of them needs a rule in [`check`];
//! the test fails if a new command has none.
//!
//! - `cargo run --release -- ARGUMENTS`: the program that cargo has built for this test runs with these arguments, with an
//!   empty environment and in a temporary folder. Further arguments keep it from taking long and from writing into the
//!   repository; see [`bounds`].
//! - `cargo run --release --bin bench-report`: a program of losscheck-benches, whose test `report` runs it with the arguments
//!   of the README.
//! - `cargo bench`: `.ci/run` runs it with the same arguments, in its quick mode and without the tools that our scripts
//!   install.
//! - `scripts/test` and other scripts that take long: `.ci/run` runs them.
//! - `cargo test`: this test is a part of it. A filter has to be the name of a loss.
//! - `scripts/bench-frameworks` downloads gigabytes, so that the test only asks it for its `--help`. It needs Python, which
//!   `cargo test` does not, so the test does this with the feature `tch`, whose libtorch comes through Python, too.
//! - Arguments that the text mentions without a command: the help of the program, or a script, mentions them as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const VERBS: [&str; 12] = [
    "check",
    "list",
    "show",
    "fuzz",
    "metamorphic",
    "mutants",
    "accuracy",
    "drift",
    "export",
    "judge",
    "smoke",
    "report",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the commands of a page in Markdown, and the arguments that its text names by themselves.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, part) in page.split("```").enumerate() {
        if place % 2 == 0 {
            let spans = part.split('`').skip(1).step_by(2);
            let is_command = |span: &&str| {
                span.contains(' ') || ["--", "cargo", "scripts/", ".ci/"].iter().any(|start| span.starts_with(start))
            };
            found.extend(spans.filter(is_command).map(str::to_owned));
        } else if let Some(lines) = part.strip_prefix("sh\n") {
            let command = |line: &str| line.split(" # ").next().unwrap_or_default().trim().to_owned();
            found.extend(lines.lines().map(command).filter(|command| !command.is_empty()));
        }
    }
    found
}

/// Checks that a command works, in a folder in which those before it have run.
fn check(command: &str, folder: &Path) -> Result<(), String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        [argument, ..] if argument.starts_with("--") => knows(argument),
        ["cargo", "run", "--release", "--bin", "bench-report", ..] => Ok(()),
        ["cargo", "run", "--release", rest @ ..] => {
            let rest = rest.strip_prefix(&["--features", "tch"]).unwrap_or(rest);
            match rest.split_first() {
                None => program(&[], folder),
                Some((&"--", arguments)) => program(arguments, folder),
                Some(_) => Err("expected `--` before the program's arguments".to_owned()),
            }
        }
        ["cargo", "bench", rest @ ..] => is_in_ci(&[&[".ci/bench"], rest].concat()),
        ["cargo", "test"] => Ok(()),
        ["cargo", "test", loss] => {
            let goldens = repository().join("reference_data/goldens").join(loss).with_extension("json");
            if goldens.exists() { Ok(()) } else { Err(format!("`{loss}`, expected the name of a loss")) }
        }
        ["scripts/bench-frameworks"] => prints_its_help("scripts/bench-frameworks"),
        [script, ..] if script.starts_with("scripts/") => is_in_ci(&words),
        _ => Err("expected a command with a rule in tests/readme_commands.rs, found none for it".to_owned()),
    }
}

/// Checks that the help of the program, of one of its verbs or of a script names an argument.
fn knows(argument: &str) -> Result<(), String> {
    let verbs = [&[][..]].into_iter().chain(VERBS.iter().map(std::slice::from_ref));
    let helps = verbs.map(|verb| {
        let output = Command::new(env!("CARGO_BIN_EXE_losscheck")).args(verb).arg("--help").env_clear().output();
        String::from_utf8_lossy(&output.expect("the program runs").stdout).into_owned()
    });
    let scripts = ["scripts/instructions", "scripts/regenerate-goldens"].into_iter().map(read);
    let is_argument = |word: &str| word.trim_end_matches([',', '.']) == argument;
    if helps.chain(scripts).any(|text| text.split_whitespace().any(is_argument)) {
        Ok(())
    } else {
        Err("expected an argument that the help of the program or of a script names".to_owned())
    }
}

/// Checks that `.ci/run` has a step with this command, by itself or with `--check`.
fn is_in_ci(command: &[&str]) -> Result<(), String> {
    let steps = read(".ci/run");
    let mut steps = steps.lines().filter_map(|line| line.strip_prefix("step ")).map(|step| step.split_whitespace());
    let is_it = |step: std::str::SplitWhitespace<'_>| {
        let words: Vec<&str> = step.collect();
        words == command || words.split_last() == Some((&"--check", command))
    };
    if steps.any(is_it) { Ok(()) } else { Err(format!("expected the line `step {}` in .ci/run", command.join(" "))) }
}

fn prints_its_help(script: &str) -> Result<(), String> {
    if cfg!(not(feature = "tch")) {
        return Ok(());
    }
    let mut command = Command::new(repository().join(script));
    command
        .arg("--help")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LOSSCHECK_FRAMEWORKS_PYTHON", "python3");
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() && text.starts_with("usage: ") { Ok(()) } else { Err(text) }
}

/// The folder of reference data with few goldens.
const SMALL: &str = "small";

/// Returns the arguments that keep a verb from taking long or from writing into the repository. They replace those of the
/// README, but for a loss that it chooses.
fn bounds(verb: Option<&str>) -> Option<&'static [[&'static str; 2]]> {
    Some(match verb {
        None | Some("check") => &[["--reference-data", SMALL]],
        Some("list" | "show") => &[],
        Some("fuzz" | "metamorphic") => &[["--cases", "24"], ["--seed", "1"], ["--out", "regressions"]],
        Some("drift") => &[["--loss", "mse_loss"]],
        Some("mutants") => &[["--loss", "mse_loss"], ["--cases", "1"]],
        Some("accuracy") => {
            &[["--loss", "mse_loss"], ["--dtype", "f64"], ["--samples", "4"], ["--restarts", "1"], ["--steps", "2"]]
        }
        Some("report") => &[["--reference-data", SMALL], ["--out", "reports"]],
        Some(_) => return None,
    })
}

/// Runs the program with bounded arguments.
fn program(arguments: &[&str], folder: &Path) -> Result<(), String> {
    let verb = arguments.first().copied();
    let mut bounded = arguments.to_vec();
    for &[flag, value] in bounds(verb).ok_or("expected a verb of the program")? {
        match bounded.iter().position(|argument| *argument == flag) {
            None => bounded.extend([flag, value]),
            Some(_) if flag == "--loss" => {}
            // The program refuses a flag without a value.
            Some(place) => bounded.get_mut(place + 1).into_iter().for_each(|given| *given = value),
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_losscheck"));
    let output = command.args(&bounded).current_dir(folder).env_clear().env("HOME", folder).output();
    let output = output.map_err(|error| error.to_string())?;
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    if output.status.success() && stderr.is_empty() && !stdout.is_empty() {
        Ok(())
    } else {
        let found = output.status;
        Err(format!("`losscheck {}` ended with {found}, expected 0:\n{stdout}{stderr}", bounded.join(" ")))
    }
}

/// The folder in which the commands run, with the files that the README takes for granted.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let small = folder.path().join(SMALL);
    fs::create_dir_all(small.join("goldens")).expect("a writable folder");
    let write = |file: PathBuf, text: String| fs::write(file, text).expect("a writable folder");
    for golden in ["goldens/mse_loss.json", "goldens/cross_entropy.json"] {
        let text = read(&format!("reference_data/{golden}"));
        let mut file: serde_json::Value = serde_json::from_str(&text).expect("a golden file");
        file["cases"].as_array_mut().expect("cases").truncate(1);
        file["count"] = 1.into();
        write(small.join(golden), file.to_string());
    }
    let tutorial = read("reference_data/tutorial.json");
    write(small.join("tutorial.json"), tutorial.clone());
    write(folder.path().join("my_cases.json"), tutorial);
    folder
}

#[test]
fn every_command_of_the_readme_works() {
    let folder = folder();
    let commands = commands(&read("README.md"));
    assert!(commands.len() >= 20, "expected the commands of the README, found {commands:?}");
    for command in commands {
        check(&command, folder.path()).unwrap_or_else(|error| panic!("README.md: `{command}`: {error}"));
    }
}

#[test]
fn a_command_without_a_rule_is_noticed() {
    let page = "Run `make install`, then `cargo install x` or `--nothing`, not `cross_entropy`.\n\n```sh\nls  # here\n\
        scripts/nothing\ncargo run --release -- nothing\ncargo run --release -- list --nothing\n```\n\n```rust\nlet x;\n```\n";
    let commands = commands(page);
    let expected = [
        "make install",
        "cargo install x",
        "--nothing",
        "ls",
        "scripts/nothing",
        "cargo run --release -- nothing",
        "cargo run --release -- list --nothing",
    ];
    assert_eq!(commands, expected);
    let folder = folder();
    for command in commands {
        assert!(check(&command, folder.path()).is_err(), "`{command}` passes");
    }
}
