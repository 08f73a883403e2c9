//! The committed report is what `bench-report` writes, and the README's commands with `bench-report` work.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use losscheck_benches::report::{DOCUMENT, Goals, PAGE, PLOTS, Performance, page, plots, reports};

const REWRITE: &str = "`cargo run --release --bin bench-report -- --from reports/performance.json` writes it again";

fn committed(name: &str) -> String {
    fs::read_to_string(reports().join(name)).unwrap_or_else(|error| panic!("reports/{name}: {error}"))
}

fn bench_report(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-report"));
    command.args(arguments).current_dir(folder).env_clear().output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_stored_document_is_rendered_and_compared_with_itself() {
    let document = reports().join(DOCUMENT);
    let document = document.to_str().expect("a path in UTF-8");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = bench_report(&["--from", document, "--baseline", document, "--out", "new"], folder.path());
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.ends_with(" compared: 0 slower, 0 faster\n"), "{stdout}");
    for name in [DOCUMENT, PAGE] {
        let written = fs::read_to_string(folder.path().join("new").join(name)).expect("a file that was written");
        assert!(written == committed(name), "{name}: {REWRITE}");
    }
    let refused = bench_report(&["--from", document, "target/criterion"], folder.path());
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

#[test]
fn the_page_and_its_plots_are_those_of_the_document() {
    let performance = Performance::read(&reports().join(DOCUMENT)).expect("a committed document");
    assert!(performance.to_text() == committed(DOCUMENT), "{DOCUMENT}: {REWRITE}");
    let goals = Goals::read(&Goals::shipped()).expect("the goals");
    assert!(page(&performance, &goals) == committed(PAGE), "{PAGE}: {REWRITE}");
    for (name, svg) in plots(&performance).expect("plots") {
        assert!(svg == committed(&format!("{PLOTS}/{name}")), "{name}: {REWRITE}");
    }
}

#[test]
fn the_page_links_to_files_that_exist() {
    let page = committed(PAGE);
    let links: Vec<&str> = page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 5, "expected links to documents and plots, found {links:?}");
    for link in links {
        assert!(reports().join(link).is_file(), "reports/{PAGE}: {link}: no such file");
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    let readme = fs::read_to_string(reports().join("../README.md")).expect("the README");
    let arguments = readme.split("cargo run --release --bin bench-report").skip(1).map(|rest| {
        let line = rest.lines().next().unwrap_or_default();
        let arguments = line.split(['#', '`']).next().unwrap_or_default();
        arguments.split_whitespace().filter(|word| *word != "--").collect::<Vec<_>>()
    });
    let commands: Vec<Vec<&str>> = arguments.collect();
    assert!(commands.len() >= 2, "expected the commands of the README, found {commands:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("reports")).expect("a writable folder");
    fs::write(folder.path().join("reports").join(DOCUMENT), committed(DOCUMENT)).expect("a writable folder");
    for mut command in commands {
        command.extend(["--out", "reports"]);
        // There are no benchmarks in the folder, and the program says where it looked for them.
        let output = bench_report(&command, folder.path());
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), stdout.as_str()), (Some(2), ""), "{command:?}: {stderr}");
        assert!(stderr.starts_with("error: target/criterion: "), "{command:?}: {stderr}");
    }
}
