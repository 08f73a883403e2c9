//! The page on what random testing catches.

use losscheck::loss::LossKind;
use losscheck::markdown::table;
use losscheck_mutants::random::{LEAST_ULPS, MOST_BY_RULE, limits, spoilers};

use crate::mutants::power::{Document, Entry};

const HEAD: &str = "\
# What random testing catches

A known deviation says what a library gives in place of what is right, and under which condition. It excuses nothing else, and
this page measures that: right answers to random cases are spoiled, and judged as if each library had given them, with the
deviations that are known of it. Written by `losscheck report` from what `losscheck mutants --random` measures; nobody edits it.
";

const COLUMNS: &str = "\
- *spoiled*: the number of spoiled answers;
- *by a rule*: how many the judge lets pass although they are wrong, because an intermediate result may overflow or underflow, or
  rounding decides the side of a hinge;
- a library: how many its known deviations excuse, each by a statement that the answer fulfils, such as NaN where the library is
  known to give NaN;
- *otherwise*: how many are excused although no statement says so. This has to be 0.

All others are caught.
";

/// Returns the page.
pub(super) fn page(document: &Document, backends: &[String]) -> String {
    let Document { seed, random_cases, .. } = document;
    let ways: Vec<_> = spoilers().map(|spoiler| format!("- {spoiler};\n")).collect();
    let mut ways = ways.concat();
    ways.truncate(ways.trim_end_matches(";\n").len());
    let rows = LossKind::ALL.iter().filter_map(|&loss| row(document, loss, backends));
    let names = backends.iter().map(|name| format!("`{name}`"));
    let header =
        ["loss", "spoiled", "by a rule"].map(str::to_owned).into_iter().chain(names).chain(["otherwise".to_owned()]);
    let header: Vec<String> = header.collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let matrix = table(&header, 1, rows);
    let above =
        limits().into_iter().map(|limit| format!("- `{}`, {} %: {}.\n", limit.loss, limit.percent, limit.reason));
    let above: Vec<_> = above.collect();
    format!(
        "{HEAD}\n{random_cases} cases of each loss (seed {seed}), zeros and numbers at the ends of the range among them, are spoiled in these \
         ways. An answer\ncounts if a number has moved by more than {LEAST_ULPS} ULPs at scale.\n\n{ways}.\n\n{matrix}\n{COLUMNS}\n\
         Rules may let pass {MOST_BY_RULE} % of the answers to a loss, and more for these:\n\n{}",
        above.concat()
    )
}

fn row(document: &Document, loss: LossKind, backends: &[String]) -> Option<Vec<String>> {
    let of_loss: Vec<&Entry> = document.powers.iter().filter(|entry| entry.loss == loss.name()).collect();
    let first = of_loss.first()?;
    let share = |entry: &Entry, part: usize| format!("{:.2} %", entry.percent(part));
    let known = backends.iter().map(|name| {
        let entry = of_loss.iter().find(|entry| entry.backend == *name);
        entry.map_or_else(|| "–".to_owned(), |entry| share(entry, entry.known))
    });
    let otherwise: usize = of_loss.iter().map(|entry| entry.excused_otherwise).sum();
    let head = [format!("`{loss}`"), first.spoiled.to_string(), share(first, first.by_rule)];
    Some(head.into_iter().chain(known).chain([otherwise.to_string()]).collect())
}
