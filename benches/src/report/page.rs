//! The page of performance.

use crate::numbers::{counted, digits, percent, plain};
use crate::report::document::{Performance, Range, Row, RunSummary};
use crate::report::goal_table::goal_table;
use crate::report::goals::Goals;
use crate::report::loss_table::loss_table;
use crate::report::{plots, summary};

const HEAD: &str = "\
# Performance

How long each library takes for each loss. `cargo bench` measures it and `bench-report` writes this page; nobody edits it. A time
is the median of the samples, and a spread is the median of their distances to it. A ratio is how many times as long as the
reference another library takes: above 1, the reference is faster.

- [How it is measured](../docs/methodology.md)
- [What the figures do not show](../docs/bias.md)
- [What was tried, and what is in the way](../docs/performance.md)
";

const MEANS: &str = "
## Summary

Geometric means of the ratios over the workloads that both have.

";

const GOALS: &str = "
## Goals

What the reference is to reach, on one thread unless a goal says otherwise, over all the workloads that were measured on both
sides. Noise is three times the sum of two spreads. Cells marked ‡ were noisy at each of three attempts, and count all the same.

";

const PLOTS: &str = "
## Plots

Each mark is a workload. The limit of a loss is the time of a copy of the bytes that must be read and written or, if it is longer,
the time of the elementary functions of the loss alone. A forward pass may exceed the limit, because it only reads, while half
of what a copy does is writing; NLL reads a single number of each row. Marks at the right end of the axis lie beyond 200 %.

";

const LOSSES: &str = "
## Every loss

Nanoseconds per element of the first tensor and, in brackets, how many times those of the best. **Bold** are the best and what is
within 2.5 % of it. `GB/s` is what the reference reads and writes, with every input and every result counted once, and `of a copy`
is its share of what a copy of as many bytes reads and writes, timed in turn with the libraries. `workspace` is the most that a
call of the reference holds beside its inputs and results, in thousands of bytes; the documentation of `Loss` in
losscheck-reference says what to expect.
";

const INTO: &str = "
`reference-into` is the reference writing into the caller's buffers. It alone does not allocate the results, so that it neither
counts as the best nor has a ratio.
";

const OF_ELEMENTARY: &str = "
`elementary` is not a library. It is the loop of the reference's losses of single elements, over the same numbers: it computes e^x
of each, or e^-|x| and ln(1 + e^-|x|), adds up, and writes a gradient of the same size. For cross-entropy it goes through the
scores alone, without rows, their largest scores, and classes.
";

/// Returns the page of a document, which says how the goals stand.
pub fn page(performance: &Performance, goals: &Goals) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&made(performance));
    text.push_str(MEANS);
    text.push_str(&summary::means(performance));
    text.push_str(GOALS);
    text.push_str(&goal_table(performance, goals));
    let plots = plots::captions(performance);
    if !plots.is_empty() {
        text.push_str(PLOTS);
        let links = plots.iter().map(|(name, caption)| format!("![{caption}]({}/{name})", plots::FOLDER));
        text.push_str(&links.collect::<Vec<_>>().join("\n\n"));
        text.push('\n');
    }
    text.push_str(LOSSES);
    if performance.backends.iter().any(|name| name == crate::report::document::REFERENCE_INTO) {
        text.push_str(INTO);
    }
    if performance.rows.iter().any(|row| row.elementary.is_some()) {
        text.push_str(OF_ELEMENTARY);
    }
    for rows in performance.rows.chunk_by(|one, other| one.loss == other.loss) {
        let rows: Vec<&Row> = rows.iter().collect();
        text.push_str(&format!("\n### {}\n\n{}", rows[0].loss, loss_table(performance, &rows)));
    }
    text
}

/// Returns what was run, and on what.
fn made(performance: &Performance) -> String {
    let mut text = String::new();
    for run in &performance.runs {
        let rows = || performance.rows.iter().filter(|row| row.threads == run.threads);
        text.push_str(&machine(run));
        text.push_str(&format!(
            "- {} of {} are noisy (‡)\n",
            rows().filter(|row| row.noisy.is_some()).count(),
            counted(rows().count(), "row"),
        ));
    }
    let mut versions: Vec<(&str, &str)> = Vec::new();
    let of_frameworks = performance.frameworks.iter().map(|frameworks| &frameworks.versions);
    for (name, version) in performance.runs.iter().map(|run| &run.versions).chain(of_frameworks).flatten() {
        if !versions.contains(&(name, version)) {
            versions.push((name, version));
        }
    }
    // A backend's place in the columns; what is no column comes last.
    let place = |name: &str| performance.backends.iter().position(|backend| backend == name).unwrap_or(usize::MAX);
    versions.sort_by_key(|&(name, _)| (place(name), name));
    text.push_str("\nVersions:\n\n");
    text.extend(versions.into_iter().map(|(name, version)| format!("- `{name}`: {}\n", plain(version))));
    if let Some(frameworks) = &performance.frameworks {
        let names: Vec<String> = frameworks.versions.keys().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!(
            "\n{} on {}, {}, measured by `scripts/bench-frameworks`.\n",
            names.join(", "),
            plain(&frameworks.date),
            counted(frameworks.threads, "thread")
        ));
    }
    text
}

fn machine(run: &RunSummary) -> String {
    let RunSummary { threads, date, processor, calibrations, .. } = run;
    let range = |Range { median, lowest, highest }: &Range| {
        format!("{} ({} to {})", digits(*median), digits(*lowest), digits(*highest))
    };
    let copy: Vec<String> = calibrations.copy.iter().map(|(size, speed)| format!("{size} {}", range(speed))).collect();
    format!(
        "\n**{}**: {}, {}. Calibrated {}:\n\n\
         - a copy reads and writes, in GB/s: {}\n\
         - the fixed arithmetic takes, in ns: {}\n\
         - other processes took {} of the processors' time, at most {}\n",
        counted(*threads, "thread"),
        plain(date),
        plain(processor),
        counted(calibrations.count, "time"),
        copy.join(", "),
        range(&calibrations.arithmetic),
        percent(calibrations.busy.median),
        percent(calibrations.busy.highest)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::tests::{performance, row};

    #[test]
    fn a_page_has_all_its_parts_in_order() {
        let performance = performance(vec![
            row("l1_loss", 128, &[("reference", 1.0), ("reference-into", 1.0), ("tch", 2.0)]),
            Row { noisy: Some("a build".to_owned()), ..row("mse_loss", 128, &[("reference", 1.0), ("tch", 2.0)]) },
        ]);
        let page = page(&performance, &Goals::default());
        let parts = [
            "# Performance",
            "(../docs/methodology.md)",
            "(../docs/bias.md)",
            "(../docs/performance.md)",
            "**1 thread**: 2026-11-26, A Processor, 1 MiB L2. Calibrated 2 times",
            "- 1 of 2 rows are noisy (‡)",
            "- `reference`: losscheck-reference 0.1.0",
            "## Summary",
            "## Goals",
            "## Plots",
            "(plots/speedup-forward.svg)",
            "## Every loss",
            "`reference-into` is the reference",
            "### l1_loss",
            "### mse_loss",
        ];
        let places: Vec<_> = parts.iter().map(|part| page.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{page}");
    }

    #[test]
    fn a_page_of_nothing_is_one_all_the_same() {
        let goal = "[[goal]]\nworkloads = 'all'\nmeasure = 'share_of_copy'\nwanted = { every = 0.5 }";
        let page = page(&performance(Vec::new()), &Goals::parse(goal).unwrap());
        assert!(page.contains("not measured") && !page.contains("## Plots"));
    }
}
