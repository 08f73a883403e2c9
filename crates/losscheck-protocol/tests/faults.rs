//! Adapters that crash, hang, flood, lie, answer late, twice or out of order, print rubbish, or die at start. Each is this
//! program, which answers as the reference does until it comes to the case of its fault.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::{Command, exit};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::Case;
use losscheck::case::format::case_of;
use losscheck_protocol::adapter::{Adapter, Progress, Record, Settings};
use losscheck_protocol::export::Export;
use losscheck_protocol::message::{Question, Request};
use losscheck_protocol::recording::Recording;
use losscheck_protocol::tensor::{self, Encoding};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The argument by which this program is an adapter.
const FAULT: &str = "--fault";
/// The case at which most faults show.
const AT: usize = 5;
/// How many cases are asked.
const CASES: usize = 12;
/// How long a case may take.
const LIMIT: Duration = Duration::from_millis(1500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, fault, folder] = &arguments[..]
        && flag == FAULT
    {
        return adapter(fault, Path::new(folder));
    }
    let arguments = Arguments::from_args();
    let trial = |(name, test): &(&'static str, fn())| {
        let test = *test;
        Trial::test(*name, move || {
            let caught = std::panic::catch_unwind(test);
            caught.map_err(|_| Failed::from("see the message of the panic"))
        })
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect()).exit();
}

// The adapter.

fn case(n: usize) -> Case {
    let x = 0.25 * n as f64;
    let input = json!({"dtype": "f32", "shape": [2], "data": [x, -1.0]});
    let target = json!({"dtype": "f32", "shape": [2], "data": [1, "NaN"]});
    let reduction = if n.is_multiple_of(2) { "none" } else { "sum" };
    let (options, inputs) = (json!({"reduction": reduction}), json!({"input": input, "target": target}));
    case_of(&json!({"id": format!("case-{n}"), "loss": "mse_loss", "options": options, "inputs": inputs}))
        .expect("a case")
}

/// A case whose line takes more than a pipe holds.
fn large(n: usize) -> Case {
    let ones = json!({"dtype": "f64", "shape": [200_000], "data": vec![1.0; 200_000]});
    let (options, inputs) = (json!({"reduction": "none"}), json!({"input": ones, "target": ones}));
    case_of(&json!({"id": format!("large-{n}"), "loss": "mse_loss", "options": options, "inputs": inputs}))
        .expect("a case")
}

fn say(message: &Value) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{message}").and_then(|()| out.flush()).is_err() {
        exit(0);
    }
}

/// Writes what is no message.
fn write_raw(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn answer(Question { n, id, loss, options, inputs, want, .. }: &Question) -> Value {
    let inputs: Map<String, Value> = inputs
        .iter()
        .map(|(name, value)| {
            let tensor = tensor::read(value).expect("a tensor");
            (name.clone(), losscheck::case::format::write_tensor(&tensor))
        })
        .collect();
    let case = case_of(&json!({"id": id, "loss": loss, "options": options, "inputs": inputs})).expect("a case");
    match Reference.evaluate(&case) {
        Outcome::Answer(answer) => {
            let write = |tensor| tensor::write(tensor, Encoding::Bits);
            let gradients: Map<String, Value> =
                want.iter().map(|name| (name.clone(), write(&answer.gradients[name]))).collect();
            json!({"answer": {"n": n, "value": write(&answer.value), "gradients": gradients}})
        }
        other => json!({"failed": {"n": n, "message": format!("{other:?}")}}),
    }
}

/// Answers on the standard streams, with one fault. `folder` is for what is to be remembered beyond the end of a process.
fn adapter(fault: &str, folder: &Path) {
    let is_first_time = |what: &str| std::fs::File::create_new(folder.join(what)).is_ok();
    if fault == "dies at start" || (fault == "does not start again" && !is_first_time("started")) {
        eprintln!("no module named torch");
        exit(3);
    }
    let mut kept: Vec<Value> = Vec::new();
    for line in io::stdin().lock().lines() {
        let question = match serde_json::from_str(&line.expect("a line")).expect("a message") {
            Request::Hello(_) => {
                match fault {
                    "is silent" => sleep(Duration::from_secs(60)),
                    "greets in prose" => write_raw(b"Welcome to torch!\n"),
                    _ => {}
                }
                let protocol = if fault == "is of the future" { 2 } else { 1 };
                let losses = if fault == "provides little" {
                    json!({"mse_loss": {"options": {"reduction": ["sum"]}}})
                } else {
                    json!({"mse_loss": {}, "huber_loss": {"dtypes": ["f64"]}})
                };
                say(&json!({"hello": {"protocol": protocol, "name": "mine", "losses": losses, "window": 4}}));
                continue;
            }
            Request::Bye(_) => match fault {
                "does not leave" => loop {
                    sleep(Duration::from_secs(1));
                },
                _ => return,
            },
            Request::Case(question) => question,
        };
        let (n, right) = (question.n, answer(&question));
        let is_at = n == AT;
        match fault {
            "crashes" if is_at => {
                eprintln!("malloc(): corrupted top size");
                std::process::abort();
            }
            "crashes once" if is_at && is_first_time("crash") => std::process::abort(),
            "crashes always" => std::process::abort(),
            "ends early" if is_at => return,
            "hangs" if is_at => sleep(Duration::from_secs(60)),
            "hangs with a child" if is_at => {
                let mut child = Command::new("sleep").arg("60").spawn().expect("a child");
                std::fs::write(folder.join("child"), child.id().to_string()).expect("a file");
                let _ = child.wait();
            }
            "answers late" if is_at => sleep(LIMIT * 2),
            "is busy" if is_at => {
                for _ in 0..6 {
                    sleep(LIMIT / 3);
                    say(&json!({"busy": {"n": n, "stage": "compile"}}));
                }
            }
            "is busy for ever" if is_at => loop {
                sleep(LIMIT / 10);
                say(&json!({"busy": {"n": n}}));
            },
            "lies about the case" if is_at => {
                say(&json!({"rejected": {"n": n + 1, "message": "no"}}));
                continue;
            }
            "answers twice" if is_at => say(&right),
            "answers out of order" => {
                kept.push(right);
                if kept.len() == 4 || n >= CASES - 4 {
                    kept.drain(..).rev().for_each(|reply| say(&reply));
                }
                continue;
            }
            "prints" if is_at => write_raw(b"Warning: lossy conversion\n"),
            "prints once" if is_at && is_first_time("print") => write_raw(b"Warning: lossy conversion\n"),
            "prints what is no text" if is_at => write_raw(&[0xff, 0xfe, b'\n']),
            "floods with lines" if is_at => loop {
                say(&json!({"bye": {}}));
            },
            "floods without lines" if is_at => loop {
                if io::stdout().write_all(&[b'x'; 1 << 16]).is_err() {
                    return;
                }
            },
            "does not flush" if is_at => {
                let reply = right.to_string();
                let _ =
                    io::stdout().write_all(&reply.as_bytes()[..reply.len() / 2]).and_then(|()| io::stdout().flush());
                sleep(Duration::from_secs(60));
            }
            "writes errors" => eprintln!("{}", "warning: deprecated ".repeat(20_000)),
            "writes a bad tensor" if is_at => {
                let value = json!({"dtype": "f32", "shape": [3], "bits": ""});
                say(&json!({"answer": {"n": n, "value": value}}));
                continue;
            }
            "leaves out a field" if is_at => {
                say(&json!({"answer": {"n": n}}));
                continue;
            }
            "is poisoned" if is_at => {
                say(&json!({"failed": {"n": n, "message": "device-side assert", "poisoned": true}}));
                sleep(Duration::from_secs(60));
            }
            "changes its inputs" if is_at => {
                let mut reply = right;
                reply["answer"]["inputs_intact"] = json!(false);
                say(&reply);
                continue;
            }
            _ => {}
        }
        say(&right);
    }
    if fault == "does not leave" {
        sleep(Duration::from_secs(60));
    }
}

// The tests.

/// An adapter that has come to its end.
struct Ran {
    outcomes: Vec<Outcome>,
    adapter: Adapter,
    seconds: f64,
    folder: TempDir,
}

fn settings(fault: &str, folder: &Path) -> Settings {
    let program = std::env::current_exe().expect("the path of this program").display().to_string();
    let mut settings = Settings::new(vec![program, FAULT.to_owned(), fault.to_owned(), folder.display().to_string()]);
    settings.start = Duration::from_secs(10);
    settings.first = Some(LIMIT);
    settings.case = Some(LIMIT);
    settings
}

fn ask(fault: &str, cases: &[Case], change: impl Fn(&mut Settings)) -> Ran {
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = settings(fault, folder.path());
    change(&mut settings);
    let start = Instant::now();
    let adapter = Adapter::start("mine", settings).expect("it starts");
    let recording = adapter.run(cases, None, &|_| {}).expect("nothing is written");
    let outcomes = cases.iter().map(|case| recording.evaluate(case)).collect();
    Ran { outcomes, adapter, seconds: start.elapsed().as_secs_f64(), folder }
}

fn cases() -> Vec<Case> {
    (0..CASES).map(case).collect()
}

/// Asserts that every case but one has the right answer, and returns what became of that one.
fn all_but(n: usize, ran: &Ran) -> &Outcome {
    for (at, outcome) in ran.outcomes.iter().enumerate().filter(|(at, _)| *at != n) {
        assert!(matches!(outcome, Outcome::Answer(_)), "case {at}: {outcome:?}");
    }
    assert_eq!(ran.adapter.stopped(), None);
    &ran.outcomes[n]
}

fn all_right(ran: &Ran) {
    assert!(matches!(all_but(0, ran), Outcome::Answer(_)), "{:?}", ran.outcomes[0]);
}

fn failed_with(outcome: &Outcome, words: &str) {
    assert!(matches!(outcome, Outcome::Failed(message) if message.contains(words)), "{outcome:?}");
}

fn crashed_with(outcome: &Outcome, words: &str) {
    assert!(matches!(outcome, Outcome::Crashed(how) if how.contains(words)), "{outcome:?}");
}

fn start_fails_with(fault: &str, words: &str) {
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = settings(fault, folder.path());
    settings.start = Duration::from_secs(1);
    let message = Adapter::start("mine", settings).expect_err("it does not start");
    assert!(message.contains(words), "{message}");
}

const TESTS: &[(&str, fn())] = &[
    ("every_case_is_answered_by_any_number_of_processes", || {
        for jobs in [1, 3] {
            let ran = ask("none", &cases(), |settings| settings.jobs = jobs);
            all_right(&ran);
            assert_eq!(ran.adapter.unsteady(), []);
        }
    }),
    ("full_pipes_do_not_block", || {
        let cases: Vec<Case> = (0..6).map(large).collect();
        all_right(&ask("none", &cases, |settings| {
            (settings.first, settings.case) = (Some(Duration::from_secs(60)), Some(Duration::from_secs(60)));
        }));
    }),
    ("what_is_not_provided_is_not_asked", || {
        let ran = ask("provides little", &cases(), |_| {});
        for (n, outcome) in ran.outcomes.iter().enumerate() {
            match outcome {
                Outcome::Answer(_) => assert!(!n.is_multiple_of(2)),
                Outcome::NotProvided(why) => assert!(why.contains("`reduction` \"none\""), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }),
    ("a_crash_is_the_difference_of_its_case_alone", || {
        let ran = ask("crashes", &cases(), |_| {});
        crashed_with(all_but(AT, &ran), "SIGABRT");
        crashed_with(&ran.outcomes[AT], "corrupted top size");
        crashed_with(all_but(AT, &ask("ends early", &cases(), |_| {})), "exit code 0");
    }),
    ("a_crash_that_does_not_recur_is_unsteady", || {
        let ran = ask("crashes once", &cases(), |_| {});
        all_right(&ran);
        let unsteady = ran.adapter.unsteady();
        assert!(matches!(&unsteady[..], [one] if one.cases.contains(&"case-5".to_owned())), "{unsteady:?}");
    }),
    ("twenty_deaths_end_the_run_unless_they_are_known", || {
        let cases: Vec<Case> = (0..40).map(case).collect();
        let ran = ask("crashes always", &cases, |_| {});
        assert!(ran.adapter.stopped().is_some_and(|why| why.contains("20 times")), "{:?}", ran.adapter.stopped());
        let count =
            |outcomes: &[Outcome], is: fn(&Outcome) -> bool| outcomes.iter().filter(|&outcome| is(outcome)).count();
        assert_eq!(count(&ran.outcomes, |outcome| matches!(outcome, Outcome::Crashed(_))), 20);
        assert_eq!(count(&ran.outcomes, |outcome| matches!(outcome, Outcome::NotProvided(_))), 20);
        let ran = ask("crashes always", &cases, |settings| settings.is_known = Box::new(|_, _| true));
        assert_eq!(ran.adapter.stopped(), None);
        assert_eq!(count(&ran.outcomes, |outcome| matches!(outcome, Outcome::Crashed(_))), 40);
    }),
    ("an_adapter_that_does_not_start_again_ends_the_run", || {
        let ran = ask("does not start again", &cases(), |_| {});
        all_right(&ran);
        let folder = TempDir::new().expect("a temporary folder");
        start_fails_with("dies at start", "exit code 3");
        start_fails_with("dies at start", "no module named torch");
        start_fails_with("is silent", "no hello within 1 s");
        start_fails_with("greets in prose", "expected a message of the protocol, found `Welcome to torch!`");
        start_fails_with("is of the future", "`protocol`: expected 1, found 2");
        let nothing = Settings::new(vec![folder.path().join("nothing").display().to_string()]);
        let message = Adapter::start("mine", nothing).expect_err("there is no such program");
        assert!(message.contains("cannot be started"), "{message}");
    }),
    ("a_hang_times_out_and_its_children_end", || {
        let ran = ask("hangs", &cases(), |_| {});
        assert!(matches!(all_but(AT, &ran), Outcome::TimedOut(after) if *after == LIMIT), "{:?}", ran.outcomes[AT]);
        let ran = ask("hangs with a child", &cases(), |_| {});
        assert!(matches!(all_but(AT, &ran), Outcome::TimedOut(_)), "{:?}", ran.outcomes[AT]);
        let child = std::fs::read_to_string(ran.folder.path().join("child")).expect("the child's number");
        let is_there =
            || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(5);
        while is_there() && Instant::now() < deadline {
            sleep(Duration::from_millis(20));
        }
        assert!(!is_there(), "the child lives on");
    }),
    ("a_late_answer_is_not_taken_for_that_of_another_case", || {
        let ran = ask("answers late", &cases(), |_| {});
        assert!(matches!(all_but(AT, &ran), Outcome::TimedOut(_)), "{:?}", ran.outcomes[AT]);
        for (case, outcome) in cases().iter().zip(&ran.outcomes).filter(|(case, _)| case.id != format!("case-{AT}")) {
            let (Outcome::Answer(own), Outcome::Answer(right)) = (outcome, Reference.evaluate(case)) else { panic!() };
            assert_eq!(format!("{own:?}"), format!("{right:?}"), "{}", case.id);
        }
    }),
    ("a_busy_adapter_has_more_time_but_not_for_ever", || {
        all_right(&ask("is busy", &cases(), |_| {}));
        let stages = Arc::new(Mutex::new(BTreeMap::new()));
        let folder = TempDir::new().expect("a temporary folder");
        let adapter = Adapter::start("mine", settings("is busy", folder.path())).expect("it starts");
        let count = |progress: Progress<'_>| {
            let word = match progress {
                Progress::Busy(stage) => stage.unwrap_or("").to_owned(),
                Progress::Answered => "answered".to_owned(),
            };
            *stages.lock().expect("no panic").entry(word).or_insert(0) += 1;
        };
        adapter.run(&cases(), None, &count).expect("nothing is written");
        assert_eq!(
            *stages.lock().expect("no panic"),
            BTreeMap::from([("answered".to_owned(), CASES), ("compile".to_owned(), 6)])
        );
        let ran = ask("is busy for ever", &cases(), |_| {});
        assert!(matches!(all_but(AT, &ran), Outcome::TimedOut(_)), "{:?}", ran.outcomes[AT]);
    }),
    ("an_answer_to_another_case_is_a_failure", || {
        failed_with(
            all_but(AT, &ask("lies about the case", &cases(), |_| {})),
            "expected the answer to case 5, found one to 6",
        );
        let ran = ask("answers twice", &cases(), |_| {});
        // Asked alone, the second answer has no other case to be taken for.
        all_right(&ran);
        assert!(!ran.adapter.unsteady().is_empty());
        let ran = ask("answers out of order", &cases(), |_| {});
        assert!(
            !ran.adapter.unsteady().is_empty()
                || ran.outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Answer(_)))
        );
    }),
    ("rubbish_is_a_failure_that_quotes_it", || {
        failed_with(all_but(AT, &ask("prints", &cases(), |_| {})), "found `Warning: lossy conversion`");
        let ran = ask("prints once", &cases(), |_| {});
        all_right(&ran);
        assert_eq!(ran.adapter.unsteady().len(), 1);
        failed_with(all_but(AT, &ask("prints what is no text", &cases(), |_| {})), "invalid utf-8");
        failed_with(all_but(AT, &ask("leaves out a field", &cases(), |_| {})), "missing field `value`");
    }),
    ("a_flood_is_a_failure", || {
        failed_with(
            all_but(AT, &ask("floods with lines", &cases(), |_| {})),
            "expected the answer to case 5, found `{\"bye\":{}}`",
        );
        let ran = ask("floods without lines", &cases(), |settings| {
            (settings.first, settings.case) = (Some(Duration::from_secs(60)), Some(Duration::from_secs(60)));
        });
        failed_with(all_but(AT, &ran), "a line of more than");
    }),
    ("a_line_without_its_end_is_a_failure_that_says_so", || {
        failed_with(all_but(AT, &ask("does not flush", &cases(), |_| {})), "does the adapter flush each line?");
    }),
    ("the_standard_error_means_nothing", || all_right(&ask("writes errors", &cases(), |_| {}))),
    ("a_bad_tensor_is_the_failure_of_its_case", || {
        let ran = ask("writes a bad tensor", &cases(), |_| {});
        failed_with(all_but(AT, &ran), "`value`: `bits`: expected the elements of shape [3] in f32, found 0 bytes");
        assert!(ran.seconds < LIMIT.as_secs_f64() * 2.0);
    }),
    ("a_poisoned_process_is_replaced", || {
        let ran = ask("is poisoned", &cases(), |_| {});
        failed_with(all_but(AT, &ran), "device-side assert");
        assert_eq!(ran.adapter.unsteady(), []);
    }),
    ("changed_inputs_are_a_difference_of_their_own", || {
        let ran = ask("changes its inputs", &cases(), |_| {});
        assert!(matches!(all_but(AT, &ran), Outcome::ChangedInputs(_)), "{:?}", ran.outcomes[AT]);
    }),
    ("an_adapter_that_does_not_leave_is_ended", || {
        let ran = ask("does not leave", &cases(), |_| {});
        all_right(&ran);
        let start = Instant::now();
        drop(ran);
        assert!(start.elapsed() < Duration::from_secs(20));
    }),
    ("a_record_is_judged_like_the_run", || {
        for fault in ["none", "crashes", "hangs", "prints", "changes its inputs"] {
            let folder = TempDir::new().expect("a temporary folder");
            let (file, cases) = (folder.path().join("record.jsonl"), cases());
            let adapter = Adapter::start("mine", settings(fault, folder.path())).expect("it starts");
            let record = Record::new(Box::new(std::fs::File::create(&file).expect("a file")));
            let run = adapter.run(&cases, Some(&record), &|_| {}).expect("it can be written");
            let text = std::fs::read_to_string(&file).expect("the record");
            let hash = Export::new(&cases, Encoding::Bits).hash;
            let read = Recording::read(&text, &cases, &hash).expect("a record");
            for case in &cases {
                assert_eq!(
                    format!("{:?}", run.evaluate(case)),
                    format!("{:?}", read.evaluate(case)),
                    "{fault}, {}",
                    case.id
                );
            }
            let positions = text.lines().filter(|line| line.contains("\"position\":") && line.contains("\"process\":"));
            assert!(positions.count() >= CASES - 1, "{text}");
        }
    }),
];
