//! The README's table of losses is what the program lists.
#![cfg(feature = "tch")]

use std::fs;
use std::path::Path;

use losscheck::backend::Coverage;
use losscheck::loss::LossKind;

/// What the README has around the table.
const START: &str = "## Losses\n\n";
const END: &str = "\n\nnative:";

fn table() -> String {
    let backends = losscheck_cli::backends();
    let names = backends.iter().map(|backend| backend.name());
    let header: Vec<&str> = ["loss", "class in `torch.nn`", "options", "tensors"].into_iter().chain(names).collect();
    let rule = vec!["---"; header.len()];
    let rows = LossKind::ALL.iter().map(|&loss| {
        let defaults = loss.defaults().write_options();
        let options = defaults.as_object().expect("options by name").keys().map(|name| format!("`{name}`"));
        let signature = loss.signature();
        let required = signature.required.iter().map(|name| format!("`{name}`"));
        let tensors = required.chain(signature.optional.iter().map(|name| format!("[`{name}`]")));
        let coverage = backends.iter().map(|backend| match backend.coverage(loss) {
            Coverage::Native => "native".to_owned(),
            Coverage::Composed => "composed".to_owned(),
            Coverage::Missing => "–".to_owned(),
        });
        let cells = [
            format!("`{}`", loss.name()),
            format!("`{}`", loss.class()),
            options.collect::<Vec<_>>().join(", "),
            tensors.collect::<Vec<_>>().join(", "),
        ];
        cells.into_iter().chain(coverage).collect::<Vec<_>>().join(" | ")
    });
    let lines = [header.join(" | "), rule.join(" | ")].into_iter().chain(rows);
    lines.map(|line| format!("| {line} |")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_table_of_losses_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(&path).expect("a README");
    let (before, rest) = text.split_once(START).expect("a section of losses");
    let (found, after) = rest.split_once(END).expect("a legend below the table");
    let table = table();
    if std::env::var_os("LOSSCHECK_UPDATE").is_some() {
        fs::write(&path, format!("{before}{START}{table}{END}{after}")).expect("a writable file");
        return;
    }
    assert!(found == table, "LOSSCHECK_UPDATE=1 cargo test -p losscheck-cli --features tch --test readme");
}
