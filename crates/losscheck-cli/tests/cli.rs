//! The program's output and exit codes, through the built binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// One run of the program.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn losscheck(arguments: &[&str]) -> Ran {
    let command = Command::new(env!("CARGO_BIN_EXE_losscheck")).args(arguments).output();
    let Output { status, stdout, stderr } = command.expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

impl Ran {
    /// Exit code, and texts that standard output holds; standard error is empty.
    #[track_caller]
    fn gives(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr, "");
        // A text may go on on the next line.
        let on_one_line = self.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(self.stdout.contains(text) || on_one_line.contains(text), "no `{text}` in\n{}", self.stdout);
        }
    }

    /// Exit code 2, and texts that standard error holds; standard output is empty.
    #[track_caller]
    fn refuses(&self, texts: &[&str]) {
        assert_eq!(self.code, Some(2), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "no `{text}` in\n{}", self.stderr);
        }
    }

    /// Makes sure that no line is wider than a page.
    #[track_caller]
    fn fits_a_page(&self) {
        for line in self.stdout.lines() {
            assert!(line.chars().count() <= 100, "wider than 100 columns: {line}");
        }
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("the output is JSON")
    }
}

/// A folder of one's own, outside the repository.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(&path, bytes).expect("the file can be written");
        text(&path)
    }

    /// Reference data with the cases of [`GOOD`], [`INFINITE`] and one of the tutorial's, and no deviations.
    fn reference_data() -> (Self, String) {
        let folder = Self::new();
        folder.write("goldens/mse_loss.json", goldens(&[GOOD]));
        folder.write("goldens/huber_loss.json", goldens(&[INFINITE]));
        folder.write("tutorial.json", goldens(&[TUTORIAL]));
        let path = text(folder.0.path());
        (folder, path)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("the path is UTF-8").to_owned()
}

/// A golden file of these cases.
fn file(cases: &[&str]) -> String {
    let (count, cases) = (cases.len(), cases.join(",\n"));
    format!("{{\"format\": \"losscheck-goldens/2\", \"count\": {count}, \"cases\": [\n{cases}\n]}}\n")
}

/// A golden file of these cases, whose expectations are PyTorch's.
fn goldens(cases: &[&str]) -> String {
    changed(&file(cases), "\"count\"", "\"pytorch\": \"2.13.0\", \"count\"")
}

/// ((1 - 2)^2 + (3 - 5)^2) / 2, in the hand of whoever wants to try the format.
const GOOD: &str = r#"{"id": "mse_loss/f32/by_hand", "loss": "mse_loss", "options": {"reduction": "mean"},
    "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 3]},
               "target": {"dtype": "f32", "shape": [2], "data": [2.0, 5.0]}},
    "cotangent": {"dtype": "f32", "shape": [], "data": [0.5]},
    "expected": {"value": {"dtype": "f32", "shape": [], "data": [2.5]},
                 "gradients": {"input": {"dtype": "f32", "shape": [2], "data": [-0.5, -1.0]},
                               "target": {"dtype": "f32", "shape": [2], "data": [0.5, 1.0]}}}}"#;

/// candle-nn's gradient is NaN here.
const INFINITE: &str = r#"{"id": "huber_loss/f32/infinite", "loss": "huber_loss",
    "inputs": {"input": {"dtype": "f32", "shape": [1], "data": ["Infinity"]},
               "target": {"dtype": "f32", "shape": [1], "data": [0]}}}"#;

const TUTORIAL: &str = r#"{"id": "l1_loss/f32/tutorial", "loss": "l1_loss",
    "inputs": {"input": {"dtype": "f32", "shape": [2], "data": [1, 0]},
               "target": {"dtype": "f32", "shape": [2], "data": [0, 0.25]}},
    "expected": {"value": {"dtype": "f32", "shape": [], "data": [0.625]}}, "printed": 0.5}"#;

/// A deviation that excuses what candle-nn does on [`INFINITE`].
const DEVIATION: &str = r#"
[[deviation]]
loss = "huber_loss"
name = "masked_branch"
gives = ["gradient of input: NaN", "gradient of target: NaN"]
reason = "the masked branch is infinite"
upstream = "https://example.com/1"
witness = "huber_loss/f32/infinite"
when = "nonfinite_number"
cases = ["huber_loss/f32/infinite"]
"#;

#[test]
fn without_a_subcommand_it_checks() {
    let (_folder, data) = Folder::reference_data();
    let ran = losscheck(&["--reference-data", &data]);
    ran.gives(1, &["loss", "cases", "pytorch", "reference", "candle-nn", "candle", "mse_loss", "version"]);
    assert_eq!(ran.stdout, losscheck(&["check", "--reference-data", &data]).stdout);
}

#[test]
fn the_shipped_goldens_pass() {
    losscheck(&["check", "--loss", "mse_loss", "--loss", "l1_loss"]).gives(
        0,
        &[
            "mse_loss",
            "l1_loss",
            "l1_loss/f32/tutorial: the tutorial prints 0.5000, PyTorch gives 0.6250",
            "no unexplained difference",
        ],
    );
}

#[test]
fn the_four_wrong_results_of_the_tutorial() {
    let tutorial = concat!(env!("CARGO_MANIFEST_DIR"), "/../../reference_data/tutorial.json");
    losscheck(&["check", "--data", tutorial, "--backend", "reference"]).gives(
        0,
        &[
            "cross_entropy/f32/tutorial: the tutorial prints 0.1763, PyTorch gives 0.1640",
            "binary_cross_entropy/f32/tutorial: the tutorial prints 0.2824, PyTorch gives 0.2407",
            "mse_loss/f32/tutorial: the tutorial prints 0.3750, PyTorch gives 0.5625",
            "l1_loss/f32/tutorial: the tutorial prints 0.5000, PyTorch gives 0.6250",
        ],
    );
}

#[test]
fn a_file_of_ones_own() {
    let folder = Folder::new();
    let good = folder.write("good.json", file(&[GOOD]));
    losscheck(&["check", "--data", &good]).gives(0, &["mse_loss", "1/1", "all agree"]);

    let wrong = folder.write("wrong.json", file(&[&GOOD.replace("2.5", "2.75")]));
    losscheck(&["check", "--data", &wrong, "--backend", "reference"]).gives(
        1,
        &[
            "expected mse_loss: 1 case, worst: 1.0e6 ULPs",
            "value[0]: 2.75e0, exact 2.5e0",
            "1 differ",
            "mse_loss/f32/by_hand --data",
            &wrong,
        ],
    );

    let (inputs, _) = GOOD.split_once(",\n    \"expected\"").expect("the case has an expectation");
    let bare = folder.write("bare.json", file(&[&format!("{inputs}}}")]));
    let ran = losscheck(&["check", "--data", &bare, "--backend", "reference", "--format", "json"]);
    ran.gives(0, &[]);
    let columns = &ran.json()["columns"];
    assert_eq!(columns.as_array().map(Vec::len), Some(1), "nobody expects anything");
    assert_eq!((&columns[0]["backend"], &columns[0]["losses"][0]["agree"]), (&"reference".into(), &1.into()));
}

#[test]
fn files_and_folders_together() {
    let folder = Folder::new();
    let one = folder.write("one.json", file(&[GOOD]));
    folder.write("two/three.json", file(&[INFINITE]));
    let two = text(&folder.path("two"));
    losscheck(&["check", "--backend", "reference", "--data", &one, "--data", &two])
        .gives(0, &["mse_loss", "huber_loss", "2 cases"]);
    losscheck(&["check", "--data", &one, "--data", &one])
        .refuses(&["one.json", "case `mse_loss/f32/by_hand`: `id`: expected an id that no other case has"]);
    losscheck(&["check", "--data", &one, "--loss", "l1_loss"]).refuses(&["no case of l1_loss"]);
}

#[test]
fn bad_golden_files() {
    let good = file(&[GOOD]);
    let folder = Folder::new();
    for (bytes, text) in [
        (&good.as_bytes()[..good.len() / 2], "found the end of the file"),
        (b"", "expected a JSON value, found the end of the file"),
        (b"input,target\n", "1:1: expected a JSON value"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
        (b"{\"format\": \"\xff\"}", "is not UTF-8 at byte 12"),
        (&[good.as_bytes(), b"{}"].concat(), "expected the end of the file after the JSON value"),
        (
            file(&[GOOD, GOOD]).as_bytes(),
            "case `mse_loss/f32/by_hand`: `id`: expected an id that no other case has, but it stands earlier in this file",
        ),
    ] {
        let path = folder.write("bad.json", bytes);
        losscheck(&["check", "--data", &path]).refuses(&[&path, text]);
    }
    for (from, to, text) in [
        ("goldens/2", "goldens/9", "1:12: `format`: expected `losscheck-goldens/2` or `losscheck-goldens/1`"),
        (r#""count": 1"#, r#""count": 7"#, "1:44: `count`: expected 1, the number of cases, found 7"),
        (r#""count""#, r#""author": "me", "count""#, "unknown field `author`"),
    ] {
        let path = folder.write("bad.json", changed(&good, from, to));
        losscheck(&["check", "--data", &path]).refuses(&[&path, text]);
    }
    // What is wrong with a case, its name before it.
    for (from, to, text) in [
        (r#""loss""#, r#""reduction": "mean", "loss""#, "`reduction`: unknown field `reduction`"),
        (r#""loss": "mse_loss","#, "", "missing field `loss`"),
        (r#""mse_loss""#, r#""mse""#, "`loss`: unknown loss `mse`, did you mean `mse_loss`?"),
        (r#""reduction""#, r#""reduce""#, "`options.reduce`: unknown option. `mse_loss` takes reduction"),
        (
            r#""mean""#,
            r#""average""#,
            r#"`options.reduction`: expected "none", "mean" or "sum", found the string "average""#,
        ),
        (
            r#""options""#,
            r#""flags": ["odd"], "options""#,
            "`flags[0]`: expected a flag that `flags` of the file explains, found `odd`",
        ),
        (r#""target""#, r#""bias""#, "`inputs.bias`: unknown tensor. `mse_loss` takes input and target"),
        (
            r#""target""#,
            r#""weight""#,
            "`inputs.target`: missing, expected a tensor: `mse_loss` takes input and target",
        ),
        (
            r#""target""#,
            r#""bias": {"dtype": "f32", "shape": [0], "data": []}, "target""#,
            "`inputs.bias`: unknown tensor. `mse_loss` takes input and target, and optionally weight",
        ),
        (
            r#""dtype": "f32""#,
            r#""dtype": "f8""#,
            "`inputs.input.dtype`: unknown dtype `f8`, expected one of f16, bf16, f32, f64, i64, u8",
        ),
        (
            "[1, 3]",
            r#"[1, "x"]"#,
            r#"`inputs.input.data[1]`: expected a number, "NaN", "Infinity" or "-Infinity", found "x""#,
        ),
        ("[1, 3]", "[1, [3]]", "`inputs.input.data[1]`: expected a number"),
        ("[1, 3]", "[1, 3, 4]", "`inputs.input.data`: expected 2 elements for shape [2], found 3"),
        (r#""data": [1, 3]"#, r#""shapes": []"#, "`inputs.input.shapes`: unknown field `shapes`"),
        (r#", "data": [1, 3]"#, "", "`inputs.input`: missing `data`"),
        (
            r#"[], "data": [0.5]"#,
            r#"[1], "data": [0.5]"#,
            "`cotangent.shape`: expected [], the shape of `expected.value`, found [1]",
        ),
        (
            r#"[2], "data": [-0.5, -1.0]"#,
            r#"[1], "data": [-0.5]"#,
            "`expected.gradients.input.shape`: expected [2], the shape of `inputs.input`, found [1]",
        ),
        (r#""value""#, r#""error": "ValueError", "value""#, "`expected`: expected either"),
    ] {
        let path = folder.write("bad.json", changed(&good, from, to));
        let text = format!(": case `mse_loss/f32/by_hand`: {text}");
        losscheck(&["check", "--data", &path]).refuses(&[&path, &text]);
    }
    let missing = text(&folder.path("missing.json"));
    losscheck(&["check", "--data", &missing]).refuses(&[&missing, "cannot be read"]);
    losscheck(&["show", "x", "--data", &missing]).refuses(&[&missing, "cannot be read"]);
    fs::create_dir(folder.path("empty")).expect("the folder can be made");
    losscheck(&["check", "--data", &text(&folder.path("empty"))]).refuses(&["has no .json file"]);
}

fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn bad_usage() {
    for (arguments, texts) in [
        (&["check", "--loss", "mse"][..], &["'mse'", "--loss", "mse_loss", "smooth_l1_loss"][..]),
        (&["check", "--backend", "torch"], &["'torch'", "--backend", "expected one of reference, candle-nn, candle"]),
        (&["fuzz", "--backend", "torch"], &["expected one of reference"]),
        (&["metamorphic", "--loss", "mse"], &["'mse'", "--loss", "mse_loss"]),
        (&["fuzz", "--cases", "many"], &["'many'", "--cases"]),
        (&["check", "--format", "yaml"], &["'yaml'", "table", "json"]),
        (&["check", "--update-deviations", "--data", "x"], &["cannot be used with"]),
        (&["chekc"], &["'chekc'", "'check'"]),
        (&["show"], &["<CASE>"]),
        (
            &["show", "mse_loss/f32/by_hnad"],
            &["there is no case `mse_loss/f32/by_hnad`; the nearest are", "mse_loss/f32/"],
        ),
        (&["check", "--reference-data", "/nowhere"], &["/nowhere", "cannot be read"]),
    ] {
        losscheck(arguments).refuses(texts);
    }
    #[cfg(not(feature = "tch"))]
    losscheck(&["check", "--backend", "tch"]).refuses(&["`tch` needs `--features tch`"]);
}

#[test]
fn a_difference_is_reported_until_it_is_known() {
    let (folder, data) = Folder::reference_data();
    let check =
        |more: &[&str]| losscheck(&[&["check", "--reference-data", &data, "--backend", "candle-nn"], more].concat());
    check(&[]).gives(
        1,
        &[
            "candle-nn huber_loss: 1 case, worst: NaN",
            "gradient of input[0]: NaN",
            "losscheck show huber_loss/f32/infinite",
        ],
    );
    check(&["--loss", "mse_loss"]).gives(0, &["1 case in 2 columns: all agree"]);

    folder.write("deviations/candle-nn.toml", DEVIATION);
    let brief = check(&[]);
    brief.gives(
        0,
        &["To list the known deviations: losscheck check --known --backend candle-nn", "no unexplained difference"],
    );
    assert!(!brief.stdout.contains("the masked branch is infinite"), "{}", brief.stdout);
    check(&["--known"]).gives(
        0,
        &["Known deviations", "the masked branch is infinite", "https://example.com/1", "no unexplained difference"],
    );
    let ran = check(&["--format", "json"]);
    ran.gives(0, &[]);
    let known = &ran.json()["known"][0];
    assert_eq!(
        (&known["cases"], &known["known_of"], &known["name"]),
        (&1.into(), &"candle-nn".into(), &"masked_branch".into())
    );
    assert_eq!(known["covered"], serde_json::json!(["huber_loss/f32/infinite"]));

    for (pattern, code) in
        [("huber_loss/*", 0), ("*/f32/inf*e", 0), ("huber_loss/f64/*", 1), ("*/finite", 1), ("huber_loss", 1)]
    {
        folder.write(
            "deviations/candle-nn.toml",
            DEVIATION.replace("[\"huber_loss/f32/infinite", &format!("[\"{pattern}")),
        );
        check(&[]).gives(code, &[]);
    }
    folder.write("deviations/candle-nn.toml", DEVIATION);
    // Cases outside the goldens are excused by the condition.
    let own = folder.write("own.json", file(&[&INFINITE.replace("infinite", "other")]));
    check(&["--data", &own])
        .gives(0, &["candle-nn, known as candle-nn/huber_loss/masked_branch: 1 case\n      huber_loss/f32/other\n"]);
    check(&["--data", &own, "--known"]).gives(0, &["the masked branch is infinite", "      huber_loss/f32/other\n"]);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let (folder, data) = Folder::reference_data();
    folder.write("goldens/l1_loss.json", "no JSON");
    let on_data = |arguments: &[&str]| losscheck(&[arguments, &["--reference-data", &data]].concat());
    on_data(&["check"]).refuses(&["l1_loss.json"]);
    on_data(&["check", "--loss", "l1_loss"]).refuses(&["l1_loss.json"]);
    on_data(&["check", "--loss", "mse_loss"]).gives(0, &["mse_loss", "all agree"]);

    // Of other cases in its file, only the id is read.
    let broken = GOOD.replace("by_hand", "broken").replacen("f32", "f8", 1).replacen("\"f32\"", "\"f8\"", 1);
    folder.write("goldens/l1_loss.json", file(&[&broken]));
    on_data(&["show", "mse_loss/f32/by_hand"]).gives(0, &["agrees"]);
    on_data(&["show", "mse_loss/f32/brokne"]).refuses(&["the nearest are", "mse_loss/f8/broken"]);
    on_data(&["show", "mse_loss/f8/broken"]).refuses(&[
        "l1_loss.json",
        "case `mse_loss/f8/broken`",
        "expected one of f16",
    ]);
}

#[test]
fn a_deviation_that_is_not_true_fails() {
    let (folder, data) = Folder::reference_data();
    let agreeing =
        DEVIATION.replace("huber_loss/f32/infinite", "mse_loss/f32/by_hand").replace("huber_loss", "mse_loss");
    folder.write("deviations/reference.toml", &agreeing);
    let check =
        |more: &[&str]| losscheck(&[&["check", "--reference-data", &data, "--backend", "reference"], more].concat());
    check(&[]).gives(
        1,
        &[
            "Deviations that are not true",
            "mse_loss/f32/by_hand does not differ so",
            "reference.toml",
            "--update-deviations",
        ],
    );
    check(&["--loss", "l1_loss"]).gives(0, &[]);
    let stale = check(&["--format", "json"]).json();
    assert_eq!(stale["stale"][0]["backend"], "reference");
    assert_eq!(stale["passed"], false);

    folder.write("deviations/reference.toml", agreeing.replace("cases =", "cpu_dependent = true\ncases ="));
    check(&[]).gives(0, &[]);

    folder.write("deviations/reference.toml", DEVIATION.replace("input: NaN", "input: odd"));
    check(&[]).refuses(&["reference.toml", "odd"]);
}

#[test]
fn the_record_is_rewritten() {
    let (folder, data) = Folder::reference_data();
    let update = ["check", "--update-deviations", "--reference-data", &data];
    losscheck(&update)
        .gives(0, &["candle-nn", "added", "huber_loss/f32/infinite (unexplained)", "the numbers of cases"]);
    let written = fs::read_to_string(folder.path("deviations/candle-nn.toml")).expect("the record is there");
    assert!(written.contains("unexplained"), "{written}");
    let of_reference = fs::read_to_string(folder.path("deviations/reference.toml")).expect("the record is there");
    assert!(of_reference.contains("huber_loss = ") && !of_reference.contains("deviation"), "{of_reference}");
    losscheck(&["check", "--reference-data", &data]).gives(0, &["known"]);
    losscheck(&update).gives(0, &["candle-nn: unchanged"]);
}

#[test]
fn check_as_json() {
    let (_folder, data) = Folder::reference_data();
    let ran = losscheck(&["check", "--format", "json", "--reference-data", &data]);
    ran.gives(1, &[]);
    let report = ran.json();
    assert_eq!(report["cases"], 3);
    let names = report["columns"].as_array().expect("columns").iter().map(|column| column["backend"].as_str());
    let backends = losscheck_cli::backends();
    let expected: Vec<_> = backends.iter().map(|backend| Some(backend.name())).collect();
    assert_eq!(names.collect::<Vec<_>>(), [vec![Some("pytorch")], expected].concat());
    let difference = &report["differences"][0];
    assert_eq!(difference["backend"], "candle-nn");
    assert_eq!(difference["kind"], "nan");
    assert_eq!(difference["worst_ulps"], Value::Null);
    assert_eq!(difference["command"], format!("losscheck show huber_loss/f32/infinite --reference-data {data}"));
    assert_eq!(report["tutorial"][0]["printed"], 0.5);
    assert_eq!(report["tutorial"][0]["pytorch"], 0.625);
}

/// The loss classes of `torch.nn` in PyTorch 2.13.
const TORCH_NN: &[&str] = &[
    "AdaptiveLogSoftmaxWithLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LinearCrossEntropyLoss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "NLLLoss2d",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
];

#[test]
fn list() {
    let ran = losscheck(&["list"]);
    ran.gives(0, &["smooth_l1_loss", "Squared error", "native", "composed", "candle-nn", "losscheck list LOSS"]);
    ran.fits_a_page();
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with(" smooth_l1_loss ")).count(), 1);
    let ran = losscheck(&["list", "--format", "json"]);
    ran.gives(0, &[]);
    let listing = ran.json();
    let losses = listing["losses"].as_array().expect("losses");
    let classes: BTreeSet<_> = losses.iter().map(|loss| loss["class"].as_str().expect("a class")).collect();
    let expected: BTreeSet<_> = TORCH_NN.iter().copied().collect();
    let difference: Vec<_> = classes.symmetric_difference(&expected).collect();
    assert!(difference.is_empty(), "listed or in PyTorch, but not both: {difference:?}");
    assert_eq!(losses.len(), TORCH_NN.len());
    for backend in listing["backends"].as_array().expect("backends") {
        let (name, coverage) = (&backend["name"], backend["coverage"].as_object().expect("coverage by loss"));
        assert_eq!(coverage.len(), TORCH_NN.len());
        let missing: Vec<_> = coverage.iter().filter(|(_, it)| *it == "missing").collect();
        let is_complete = name == "reference" || name == "candle" || name == "tch";
        assert!(missing.is_empty() || !is_complete, "{name} does not provide {missing:?}");
    }
    let cross_entropy = losses.iter().find(|loss| loss["loss"] == "cross_entropy").expect("cross_entropy");
    assert_eq!(cross_entropy["options"]["ignore_index"], -100);
    assert_eq!(listing["backends"][1]["coverage"]["l1_loss"], "missing");
}

#[test]
fn list_of_one_loss() {
    for class in losscheck(&["list", "--format", "json"]).json()["losses"].as_array().expect("losses") {
        let ran = losscheck(&["list", class["loss"].as_str().expect("a name")]);
        let page = class["page"].as_str().expect("a page");
        ran.gives(0, &["https://docs.pytorch.org/docs/", page, "gradient", "output", "reference", "candle"]);
        ran.fits_a_page();
    }
    losscheck(&["list", "cross_entropy"]).gives(
        0,
        &[
            "cross_entropy, class torch.nn.CrossEntropyLoss",
            "-sum over c of weight[c] q[c] ln p[c]",
            "[weight]",
            "floats, integers",
            "(C), (N, C) or (N, C, d1, ...)",
            "floats: f16, bf16, f32, f64",
            "ignore_index      integer",
            "-100",
            "none, mean, sum",
        ],
    );
    losscheck(&["list", "cross_entropy_loss"]).refuses(&["cross_entropy_loss"]);
    let listing = losscheck(&["list", "nll_loss", "--format", "json"]).json();
    let losses = listing["losses"].as_array().expect("losses");
    assert_eq!((losses.len(), &losses[0]["loss"]), (1, &"nll_loss".into()));
    assert_eq!(losses[0]["inputs"][1]["elements"], "integers");
    assert_eq!(losses[0]["inputs"][2]["shape"], "(C)");
}

#[test]
fn accuracy_is_a_table() {
    let quick = ["--dtype", "bf16", "--samples", "20", "--restarts", "1", "--steps", "2"];
    // The longest name leaves the least room.
    let losses = ["accuracy", "--loss", "huber_loss", "--loss", "triplet_margin_with_distance_loss"];
    let run = [&losses[..], &quick].concat();
    let ran = losscheck(&run);
    ran.gives(0, &["reference", "candle-nn", "gradient of target", "bf16", "at scale", "worst input"]);
    ran.fits_a_page();
    assert!(!ran.stdout.contains('{'), "{}", ran.stdout);
    let entries = losscheck(&[&run[..], &["--format", "json"]].concat()).json();
    assert!(entries["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{entries}");
}

#[test]
fn show() {
    let (folder, data) = Folder::reference_data();
    let show = |id: &str, more: &[&str]| losscheck(&[&["show", id, "--reference-data", &data], more].concat());
    show("mse_loss/f32/by_hand", &[]).gives(
        0,
        &[
            "mse_loss(reduction=\"mean\")",
            "cotangent",
            "gradient of target",
            "exact",
            "pytorch",
            "ULPs",
            "2.5",
            "agrees",
        ],
    );
    show("huber_loss/f32/infinite", &[]).gives(0, &["NaN", "∞", "candle-nn", "differs"]);
    show("l1_loss/f32/tutorial", &[]).gives(0, &["the tutorial prints 0.5000"]);
    show("by_hand", &[]).refuses(&["there is no case `by_hand`; the nearest are\n  mse_loss/f32/by_hand\n"]);

    let regression = INFINITE.replace("infinite", "found");
    folder.write("regressions/huber_loss.json", file(&[&regression]));
    show("huber_loss/f32/found", &[]).gives(0, &["candle-nn", "differs"]);
    let own = folder.write("own.json", file(&[&INFINITE.replace("infinite", "own")]));
    show("huber_loss/f32/own", &["--data", &own]).gives(0, &["huber_loss/f32/own"]);
    show("huber_loss/f32/infinite", &["--data", &own]).refuses(&["huber_loss/f32/own"]);

    let ran = show("mse_loss/f32/by_hand", &["--format", "json"]);
    ran.gives(0, &[]);
    let view = ran.json();
    assert_eq!(view["case"]["id"], "mse_loss/f32/by_hand");
    assert_eq!(view["exact"][0]["tensor"]["data"][0], 2.5);
    assert_eq!(view["answers"][1]["backend"], "reference");
    assert_eq!(view["answers"][1]["outputs"][0]["ulps"][0], 0.0);
}

#[test]
fn show_says_why_a_result_is_not_finite() {
    let folder = Folder::new();
    let f32s = |shape: &str, data: &str| format!(r#"{{"dtype": "f32", "shape": {shape}, "data": {data}}}"#);
    let show = |loss: &str, options: &str, inputs: &[(&str, String)]| {
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| format!(r#""{name}": {tensor}"#)).collect();
        let id = format!("{loss}/f32/case");
        let case =
            format!(r#"{{"id": "{id}", "loss": "{loss}", "options": {options}, "inputs": {{{}}}}}"#, inputs.join(", "));
        let path = folder.write("cases.json", file(&[&case]));
        let ran = losscheck(&["show", &id, "--data", &path]);
        ran.fits_a_page();
        ran
    };
    let pair = |input: &str, target: &str| [("input", f32s("[3]", input)), ("target", f32s("[3]", target))];

    show("mse_loss", "{}", &pair(r#"[1, "NaN", 2]"#, "[0, 1, 0.5]")).gives(
        0,
        &[
            "value is NaN: the loss [1] is NaN: element [1] of `input` is NaN; with 0.5 in its place the result is finite",
            "element [1] of the gradient of target is NaN: element [1] of `input` is NaN",
            "weight (x - target)^2",
        ],
    );
    // The mean of the squares is beyond the range, but no tensor is.
    show("mse_loss", "{}", &pair("[1, 1e30, 2]", "[0, 1, 0.5]"))
        .gives(0, &["value is inf: the exact result is 3.3333e59, and the largest number of f32 is 3.4028e38"]);
    show("kl_div", r#"{"reduction": "sum"}"#, &pair(r#"[-1, -2, "-Infinity"]"#, "[0.25, 0.5, 0.25]")).gives(
        0,
        &["value is inf: the loss [2] is inf: element [2] of `input` is -inf; with 0.5", "target (ln target - x)"],
    );
    // The slope of x ln x at 0: no tensor is infinite, and the value is not.
    show("kl_div", "{}", &pair("[-1, -2, -1]", "[0.25, 0, 0.75]"))
        .gives(0, &["element [1] of the gradient of target is -inf: element [1] of `target` is 0; with 0.5"]);
    let empty = [("input", f32s("[0]", "[]")), ("target", f32s("[0]", "[]"))];
    show("l1_loss", "{}", &empty).gives(0, &["value is NaN: there is no loss, so that the mean is 0 / 0"]);
    let [input, target] = pair("[1, 2, 3]", "[0, 1, 0.5]");
    let weight = ("weight", f32s("[3]", "[0, 0, 0]"));
    show("l1_loss", "{}", &[input, target, weight])
        .gives(0, &["value is NaN: every loss is finite, and so is their sum: it is what the mean divides by"]);
    let both = pair(r#"["Infinity", "Infinity", 1]"#, r#"["Infinity", 1, 1]"#);
    show("l1_loss", r#"{"reduction": "none"}"#, &both)
        .gives(0, &["element [0] of the value is NaN: no single element of the tensors is the cause"]);
    let ran = show("mse_loss", "{}", &pair("[1, 2, 3]", "[0, 1, 0.5]"));
    ran.gives(0, &["agrees"]);
    assert!(!ran.stdout.contains("formula"), "{}", ran.stdout);
}

#[test]
fn show_elides_large_tensors() {
    let folder = Folder::new();
    let random = r#"{"dtype": "f64", "shape": [50, 20], "random": {"seed": 1, "low": -1, "high": 1}}"#;
    let case = format!(
        r#"{{"id": "l1_loss/f64/large", "loss": "l1_loss", "options": {{"reduction": "none"}},
        "inputs": {{"input": {random}, "target": {random}}}}}"#
    );
    let path = folder.write("large.json", file(&[&case]));
    let ran = losscheck(&["show", "l1_loss/f64/large", "--data", &path]);
    ran.gives(0, &["…", "the worst 16 of 1000 elements"]);
    ran.fits_a_page();
    assert!(ran.stdout.lines().count() < 150, "{}", ran.stdout);
}

#[test]
fn mutants_are_scored_by_every_check() {
    let mutants = |more: &[&str]| losscheck(&[&["mutants", "--loss", "mse_loss", "--cases", "200"], more].concat());
    mutants(&[]).gives(0, &["goldens", "oracle", "fuzz", "metamorphic", "mse_loss", "100.0 %", "all caught"]);
    mutants(&["--all"]).gives(
        0,
        &["Every mutant", "mse_loss: it is halved", "goldens: mse_loss/", "/the_mean_is_the_sum_over_the_number"],
    );

    let json = mutants(&["--format", "json"]);
    assert_eq!(mutants(&["--format", "json"]).stdout, json.stdout, "a seed is a run");
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("one document");
    let entries = document["mutants"].as_array().expect("a list");
    assert!(entries.len() >= 10, "{}", entries.len());
    assert!(entries.iter().all(|entry| entry["loss"] == "mse_loss" && entry["caught"]["goldens"].is_string()));
    let by_relations = entries.iter().filter(|entry| entry["caught"]["metamorphic"].is_string()).count();
    assert!(0 < by_relations && by_relations < entries.len(), "{by_relations} of {}", entries.len());
}

#[test]
fn fuzz_finds_shrinks_and_keeps() {
    let (folder, data) = Folder::reference_data();
    let fuzz = |more: &[&str]| {
        let arguments = ["fuzz", "--cases", "400", "--seed", "1", "--loss", "huber_loss", "--reference-data", &data];
        losscheck(&[&arguments[..], more].concat())
    };
    let once = fuzz(&["--backend", "candle-nn"]);
    let repeat =
        format!("losscheck fuzz --cases 400 --seed 1 --backend candle-nn --loss huber_loss --reference-data {data}");
    once.gives(1, &["seed 1", &repeat, "Unexplained", "candle-nn huber_loss, NaN", "losscheck show", "regressions"]);
    assert_eq!(fuzz(&["--backend", "candle-nn"]).stdout, once.stdout, "a seed is a run");

    let shown = once.stdout.lines().find_map(|line| line.trim().strip_prefix("losscheck show ")).expect("a command");
    let id = shown.split(' ').next().expect("an id");
    assert!(id.starts_with("huber_loss/") && id.contains("/fuzz-1-"), "{id}");
    losscheck(&["show", id, "--reference-data", &data]).gives(0, &["candle-nn", "differs"]);
    let regressions = text(&folder.path("regressions"));
    losscheck(&["check", "--data", &regressions, "--backend", "candle-nn", "--reference-data", &data]).gives(1, &[id]);

    let elsewhere = text(&folder.path("elsewhere"));
    fuzz(&["--backend", "candle-nn", "--out", &elsewhere]).gives(1, &[&elsewhere]);
    assert!(folder.path("elsewhere/huber_loss.json").exists());
}

#[test]
fn fuzz_passes_what_is_known() {
    let folder = Folder::new();
    let out = text(&folder.path("found"));
    let fuzz = |more: &[&str]| losscheck(&[&["fuzz", "--loss", "huber_loss", "--out", &out], more].concat());
    let brief = fuzz(&["--cases", "400", "--seed", "1"]);
    let to_list = format!("To list them: losscheck fuzz --cases 400 --seed 1 --loss huber_loss --out {out} --known");
    brief.gives(0, &["Known deviations", "candle-nn: ", "known deviation", &to_list, "no unexplained difference"]);
    assert!(!brief.stdout.contains("losscheck show"), "{}", brief.stdout);
    fuzz(&["--cases", "400", "--seed", "1", "--known"])
        .gives(0, &["candle-nn huber_loss, ", "losscheck show huber_loss/", "no unexplained difference"]);
    fuzz(&["--cases", "50"]).gives(0, &["to repeat: losscheck fuzz --cases 50 --seed ", "no unexplained difference"]);
    assert!(!folder.path("found").exists());
}

/// candle-nn's cross-entropy refuses an empty batch, of which its NLL makes NaN.
#[test]
fn a_broken_relation_is_reported_until_it_is_known() {
    let (folder, data) = Folder::reference_data();
    let metamorphic = |more: &[&str]| {
        let arguments =
            ["metamorphic", "--cases", "3000", "--seed", "1", "--loss", "cross_entropy", "--reference-data", &data];
        losscheck(&[&arguments[..], more].concat())
    };
    let repeat = |backend| {
        format!(
            "seed 1; to repeat: losscheck metamorphic --cases 3000 --seed 1 --backend {backend} --loss cross_entropy"
        )
    };
    metamorphic(&["--backend", "reference"]).gives(
        0,
        &[&repeat("reference"), "logits may be shifted", "3000 cases on 1 backend: no unexplained difference"],
    );
    assert!(!folder.path("regressions").exists());

    let once = metamorphic(&["--backend", "candle-nn"]);
    let broken = "candle-nn cross_entropy, cross-entropy is NLL after log-softmax: rejected good input, ";
    once.gives(
        1,
        &[&repeat("candle-nn"), "differ", "Broken", broken, "    rejected: ", "regressions", "1 relation broken"],
    );
    assert_eq!(metamorphic(&["--backend", "candle-nn"]).stdout, once.stdout, "a seed is a run");
    let shown = once.stdout.lines().filter_map(|line| line.trim().strip_prefix("losscheck show "));
    let ids: Vec<&str> = shown.filter_map(|command| command.split(' ').next()).collect();
    assert!(
        matches!(ids[..], [case, other] if case.starts_with("cross_") && other.starts_with("nll_loss/")),
        "{ids:?}"
    );
    losscheck(&["show", ids[0], "--reference-data", &data]).gives(0, &["rejected", "differs"]);
    losscheck(&["show", ids[1], "--reference-data", &data]).gives(0, &["NaN", "agrees"]);

    let elsewhere = text(&folder.path("elsewhere"));
    let ran = metamorphic(&["--format", "json", "--out", &elsewhere]);
    ran.gives(1, &[]);
    let document = ran.json();
    assert_eq!(document["passed"], false);
    assert_eq!(document["columns"][1]["backend"], "candle-nn");
    let found = document["broken"].as_array().expect("a list").iter().find(|entry| entry["backend"] == "candle-nn");
    let found = found.expect("an entry of candle-nn");
    assert_eq!(found["kind"], "wrongly_rejected");
    assert_eq!(found["worst_ulps"], Value::Null);
    let command = format!("losscheck show {} --data {elsewhere} --reference-data {data}", ids[0]);
    assert_eq!(found["commands"][0], command);
    assert!(folder.path("elsewhere/nll_loss.json").exists());

    let refused = DEVIATION.replace("huber_loss", "cross_entropy");
    let refused = changed(&refused, r#""gradient of input: NaN", "gradient of target: NaN""#, r#""rejects""#);
    folder.write("deviations/candle-nn.toml", refused.replace("nonfinite_number", "empty"));
    metamorphic(&["--backend", "candle-nn"])
        .gives(0, &["Known deviations", "candle-nn: 1 known deviation", "--backend candle-nn --loss cross_entropy"]);
    metamorphic(&["--backend", "candle-nn", "--known"])
        .gives(0, &["candle-nn cross_entropy, rejects: ", "the masked branch is infinite"]);
    let document = metamorphic(&["--backend", "candle-nn", "--format", "json"]).json();
    assert_eq!(document["known"][0]["gives"][0], "rejects");

    folder.write("deviations/candle-nn.toml", DEVIATION.replace("input: NaN", "input: odd"));
    metamorphic(&[]).refuses(&["candle-nn.toml", "odd"]);
}

#[test]
fn output_is_plain_where_it_is_no_terminal() {
    let (_folder, data) = Folder::reference_data();
    for arguments in [
        &["check"][..],
        &["list"],
        &["show", "mse_loss/f32/by_hand"],
        &["fuzz", "--cases", "10"],
        &["metamorphic", "--cases", "10"],
    ] {
        let ran = losscheck(&[arguments, &["--reference-data", &data]].concat());
        assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
        assert_eq!(ran.stderr, "", "no progress bar");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_losscheck"));
    let mut child = command.arg("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}

#[test]
fn help_and_version() {
    losscheck(&["--version"]).gives(0, &[concat!("losscheck ", env!("CARGO_PKG_VERSION"))]);
    for verb in ["check", "list", "show", "fuzz", "metamorphic"] {
        losscheck(&[verb, "--help"]).gives(0, &["Usage: losscheck", "Example: losscheck"]);
    }
}
