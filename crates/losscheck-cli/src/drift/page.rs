//! The page on the versions of PyTorch.

use losscheck::backend::PytorchVersion;
use losscheck::markdown::table;
use losscheck::run::drift::Category;

use super::{ChangeReport, Document};

const HEAD: &str = "\
# What changed in PyTorch's losses

PyTorch's release notes name few of the changes in its losses. Here are those that show in the goldens: each version was asked for
the value and the gradients of every golden, on the CPU and with the same settings, and its answers are compared with those of the
version before. Written by `losscheck report`, from what `losscheck drift` compares; nobody edits it.

- *Semantics*: a call is accepted that was refused, or refused that was accepted; a number is NaN or infinite, or a gradient 0, that
  was not, or the other way round.
- *Support*: a loss, an option or a dtype is new.
- *Accuracy*: numbers have moved by more than the tolerance, towards the exact ones or away from them.

Digits within the tolerance and the words of refusals are counted, and not listed.
";

/// The sections of a version, in this order.
const SECTIONS: [(Category, &str); 3] =
    [(Category::Semantics, "Semantics"), (Category::Support, "Support"), (Category::Accuracy, "Accuracy")];

/// Returns the page, with the versions in this order.
pub(crate) fn page(document: &Document, versions: &[PytorchVersion]) -> String {
    let mut page = HEAD.to_owned();
    for pair in versions.windows(2) {
        let [version, before] = [pair[0].to_string(), pair[1].to_string()];
        page.push_str(&format!("\n## {version}, after {before}\n"));
        let of_version: Vec<&ChangeReport> = document.changes.iter().filter(|change| change.since == version).collect();
        if of_version.is_empty() {
            page.push_str("\nNothing that shows in a golden beyond the tolerance.\n");
        }
        for (category, heading) in SECTIONS {
            let changes: Vec<&&ChangeReport> = of_version.iter().filter(|change| change.category == category).collect();
            if !changes.is_empty() {
                page.push_str(&section(heading, &changes));
            }
        }
    }
    page
}

fn section(heading: &str, changes: &[&&ChangeReport]) -> String {
    let row = |change: &&&ChangeReport| {
        let ChangeReport { loss, kind, dtypes, cases, .. } = &***change;
        vec![format!("`{loss}`"), kind.describe().to_owned(), dtypes.join(", "), cases.to_string()]
    };
    let listed = table(&["loss", "change", "dtypes", "cases"], 3, changes.iter().map(row));
    let examples: Vec<String> = changes.iter().map(|change| example(change)).collect();
    format!("\n### {heading}\n\n{listed}\n{}", examples.concat())
}

fn example(change: &ChangeReport) -> String {
    let ChangeReport { since, before, loss, kind, witness, older, newer, python, why, upstream, .. } = change;
    let why = why.as_ref().map(|why| format!("{why} ")).unwrap_or_default();
    let upstream = upstream.as_ref().map_or_else(|| "Pull request: not found.".to_owned(), |link| format!("<{link}>"));
    let shown = match python {
        Some(python) => format!("\n  ```sh\n  python3 -c '{python}'\n  ```\n"),
        None => String::new(),
    };
    let kind = kind.describe();
    format!("- `{loss}`, {kind}: {why}{upstream}\n  `{witness}`: {before}: {older}; {since}: {newer}.\n{shown}")
}
