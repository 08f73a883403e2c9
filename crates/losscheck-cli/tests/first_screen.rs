//! What `check` prints about the shipped goldens fits on a screen.

use std::process::Command;

#[test]
fn a_run_on_the_shipped_goldens_prints_at_most_70_lines_of_100_columns() {
    let output = Command::new(env!("CARGO_BIN_EXE_losscheck")).arg("check").output().expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("the output is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() <= 70, "{} lines:\n{text}", lines.len());
    for line in &lines {
        assert!(line.chars().count() <= 100, "wider than 100 columns: {line}");
    }
    for loss in losscheck::loss::LossKind::ALL {
        let count = lines.iter().filter(|line| line.starts_with(&format!("{loss} "))).count();
        assert_eq!(count, 1, "lines of {loss}:\n{text}");
    }
}
