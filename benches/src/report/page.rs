//! The page of performance.

use crate::numbers::{counted, digits, percent, plain};
use crate::report::document::{Performance, Range, Row, RunSummary};
use crate::report::goal_table::goal_table;
use crate::report::goals::Goals;
use crate::report::loss_table::loss_table;
use crate::report::{plots, summary};

const HEAD: &str = "\
# Performance

How long each library takes for each loss, measured by `cargo bench` and written by `bench-report`; nobody edits it.
A time is the median of criterion's samples, a spread the median of their distances to it. A ratio is how many times as long
as the reference another library takes: above 1, the reference is faster.
";

const MEANS: &str = "
## Summary

Geometric means of the ratios over the workloads that both have.

";

const GOALS: &str = "
## Goals

What the reference is to reach, on one thread unless it says otherwise, over all the workloads that both have. Noise is three
times the sum of two spreads. Cells marked ‡ were disturbed at each of three attempts: the speed of a copy of their size or of
the fixed arithmetic changed by more than a tenth meanwhile, or other processes took more than 5 % of the processors' time.
They count all the same.

";

const TRIED: &str = "
### What was tried, and what is in the way

Figures are of an AMD EPYC with AVX2, whatever processor the rest of the page is of, but for those that name AVX-512. What each
library pays for its speed in accuracy is on the page of accuracy.

- **Digits.** In f32 a loss whose terms may cancel is worked out in f64 and rounded once: half as many elements in a vector,
  and a conversion of each operand, which is what binds MSE, Huber and smooth L1 within the caches: beyond them, into the
  caller's buffers, they are as fast as a copy. The same in f32 with what each operation loses takes thirteen additions for
  eight elements: counted, and no gain there. A sum in f32 is not exact enough for the suite's targets. Cosines in f32 take
  their three sums of products in one pass (with AVX-512 three quarters of the time, with AVX2 nine tenths); in f64 the sums
  would not fit the registers.
- **f64.** Sums keep what each addition loses. Four terms are added up plainly before they join a sum of elements (half the time
  of the regression losses). Rows are added up in 32 sums at once, the sums in one array and what they lost in another: an
  array of pairs was vectorised with AVX2 alone, while for AVX-512 the compiler made scalar code and shuffles (cross-entropy of
  1000 classes: 3.1 ns an element, now 1.1; with AVX2 3.0, now 1.8).
- **Linear layers.** Products of f32 are exact in f64, where the processor does half as many a second as libtorch does in f32.
  With AVX-512 and one thread, 512 samples of 1024 features and 32000 classes take 25 products a nanosecond, with the gradient
  29, in blocks of six rows by two vectors, a tenth of the batch at once, rounded to whole panels; it was 11 with tiles of two
  rows and a 32nd of the batch. That the panels are whole, and sums are written a row at a time, is a seventh and a tenth of
  that. libtorch takes 67 and 99 in f32. Sums of a few products in f32 would go beyond, and lose up to an ULP each.
  What a call holds beside its results is less than 0.12 of the scores of the whole batch (wanted: at most 0.125): the
  largest has 65.5 million bytes of scores.
- **Exponentials and logarithms.** Cross-entropy spends three quarters of its time in e^x, which is within an ULP; sharing one
  exponential and one quotient between value and gradient took BCE with logits to three fifths. KLDiv and Gaussian NLL take a
  logarithm in f64, which is most of their time; fewer terms in its polynomial would save a fourteenth (counted, not run).
- **Rows of ten.** What a row costs besides its elements is most of it. Cross-entropy of class indices and the multi-margin
  loss take 32 rows side by side, a class at a time (with AVX-512 cross-entropy 7.7 ns an element, now 1.3; XLA 1.4). Other
  short rows are folded in whole vectors, what is left of a row stays out of memory, classes are read by an iterator that is
  inlined; triplets, cosines and NLL came to two fifths. NLL adds one score a row: its losses added up 32 at a time, or the
  paths of tensors that do not lie in order out of line, made it no faster. The multi-label margin loss goes through what
  lies between the classes of its list, a few elements at a time; gathered first, rows of ten with gradient took two thirds
  of the time, and long rows up to twice as long.
- **Small inputs.** A call takes 0.8 microseconds before its first element, 1.5 before views were lent and long iterators
  boxed. The rest is the copying and checking of views of any rank.
- **Large inputs.** From 32768 elements on, losses of elements ask for memory two kilobytes ahead, for what the processor
  foresees ends with a page. Into the caller's buffers, eight million elements with AVX-512 and one thread, MSE takes 0.42 ns
  an element (0.60 before), forward alone 0.28 (0.32). Sums over rows, the largest scores, and the gradients of cross-entropy
  and triplets ask for memory at the same distance: 8192 rows of 1000 took triplets 1.26 ns an element and take 0.57, cosines
  0.77 and 0.51, cross-entropy with gradient 1.19 and 0.82. Hints for a whole row at its start made NLL and others slower by
  a quarter. Fresh pages for a gradient come from the operating system and cost more than the loss: `reference-into` shows
  how much. Larger pages (`GLIBC_TUNABLES=glibc.malloc.hugetlb=1`) took MSE forward from 0.53 to 0.45 ns, before that: the
  program that calls may ask for them. Streaming stores were not tried: they are no part of portable Rust.
- **Registers.** Sums that the compiler keeps on the stack wait for memory at each step, three times as long where they happen
  to cross two pages: with AVX-512 MSE took 0.29 ns an element, and 0.95 at three of 64 depths of the stack. Copies of the
  sums, which nothing else goes through, stay in registers: 0.21 at each depth.
- **CTC.** Each step waits for the one before: the logarithm of a sum, then the largest of the states, which is taken off them.
  The states in whole vectors, with room beyond the last, took as long or longer; samples side by side were not tried.
- **Two threads.** Work is shared from 2^19 elements or products on. NLL looks at one element of a row, so that waking a thread
  takes longer than its forward pass; so it does for the products of small linear layers. Other small inputs run the same
  code with either number of threads. A bound for each loss by what its rows cost was not tried.
- **candle.** It passes over memory once for each operation. Where a loss is one operation (NLL) or products of matrices, there
  is no factor of 20 to gain.
- **`losscheck check`.** All goldens take 30 s on two threads, 13 s without libtorch (wanted: 5). A quarter of the first is
  libtorch's, which looks up symbols for a stack trace in each of its refusals; the rest is spread over exact arithmetic, the
  libraries' calls and allocations.
";

const PLOTS: &str = "
## Plots

Each mark is a workload. The limit of a loss is the time of a copy of the bytes that must be read and written or, if it is longer,
the time of the elementary functions of the loss alone. A forward pass may exceed the limit, because it only reads, while half
of what a copy does is writing; NLL reads a single number of each row. Marks at the right end of the axis lie beyond 200 %.

";

const LOSSES: &str = "
## Every loss

Nanoseconds for an element of the first tensor and, in brackets, how many times the best; **bold** is the best and what is
within 2.5 % of it. GB/s are the reference's, of the bytes that must be read and written (every input once, every result
once), then their share of what a copy of as many bytes, timed in turn with the libraries, reads and writes. `workspace` is what
a call of the reference holds at most beside its inputs and results, in thousands of bytes; the documentation of `Loss` in
losscheck-reference says what to expect.
";

const INTO: &str = "
`reference-into` is the reference writing into the caller's buffers. It leaves out the allocation of the results, which all
others include, and so it neither counts as the best nor has a ratio.
";

const OF_ELEMENTARY: &str = "
`elementary` is no library: the loop of the reference's losses of elements, over the same numbers, which takes e^x of each, or
e^-|x| and ln(1 + e^-|x|), adds up, and writes as large a gradient. For cross-entropy it goes through the scores alone, without
rows, their largest scores, and classes.
";

const BIAS: &str = "
## What this does not show

- One machine, a virtual one in a cloud, with neighbours that nobody sees: the calibrations show how steady it was, and ‡
  where it was not. Neighbours that take as much of the memory from a workload's start to its end leave no mark: its times
  are longer, the copy's among them. Where a sum comes to lie across two pages of the stack, a single cell takes up to twice
  as long. One generation of processors: on another one the order may be another.
- Default options alone, of the losses as PyTorch defines them, each library used as it comes.
- Inputs are drawn evenly. Branches that data of a kind always takes, long runs of one class and subnormal numbers do not
  show.
- Results are allocated and freed at each call, in each library; how well an allocator keeps large blocks counts.
- tch records a graph anew for each gradient, and a dispatcher stands before each of its operations: what small sizes show is
  mostly that overhead. A program that calls it once for a large batch does not see it.
- The gradient is that of the first tensor alone. A program that needs those of targets or weights pays for more.
- candle has no fused backward pass: its gradients come from its autograd over the operations that a loss is composed of.
- Programs in other languages are compiled for one shape, and the time of compiling is left out: with changing shapes they
  are slower.
- The authors of this suite wrote the reference, and chose the workloads.
";

/// Returns the page of a document, which says how the goals stand.
pub fn page(performance: &Performance, goals: &Goals) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&made(performance));
    text.push_str(MEANS);
    text.push_str(&summary::means(performance));
    text.push_str(GOALS);
    text.push_str(&goal_table(performance, goals));
    text.push_str(TRIED);
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
    text.push_str(BIAS);
    text
}

/// What was run, and on what.
fn made(performance: &Performance) -> String {
    let mut text = String::new();
    for run in &performance.runs {
        let rows = || performance.rows.iter().filter(|row| row.threads == run.threads);
        text.push_str(&machine(run));
        text.push_str(&format!(
            "- {} of {} were disturbed (‡)\n",
            rows().filter(|row| row.disturbed.is_some()).count(),
            counted(rows().count(), "row"),
        ));
    }
    let mut versions: Vec<(&str, &str)> = Vec::new();
    let of_peers = performance.peers.iter().map(|peers| &peers.versions);
    for (name, version) in performance.runs.iter().map(|run| &run.versions).chain(of_peers).flatten() {
        if !versions.contains(&(name, version)) {
            versions.push((name, version));
        }
    }
    // A backend's place in the columns; what is no column comes last.
    let place = |name: &str| performance.backends.iter().position(|backend| backend == name).unwrap_or(usize::MAX);
    versions.sort_by_key(|&(name, _)| (place(name), name));
    text.push_str("\nVersions:\n\n");
    text.extend(versions.into_iter().map(|(name, version)| format!("- `{name}`: {}\n", plain(version))));
    if let Some(peers) = &performance.peers {
        let names: Vec<String> = peers.versions.keys().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!(
            "\n{} on {}, {}, by programs in other languages.\n",
            names.join(", "),
            plain(&peers.date),
            counted(peers.threads, "thread")
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
            Row { disturbed: Some("a build".to_owned()), ..row("mse_loss", 128, &[("reference", 1.0), ("tch", 2.0)]) },
        ]);
        let page = page(&performance, &Goals::default());
        let parts = [
            "# Performance",
            "**1 thread**: 2026-11-26, A Processor, 1 MiB L2. Calibrated 2 times",
            "- 1 of 2 rows were disturbed (‡)",
            "- `reference`: losscheck-reference 0.1.0",
            "## Summary",
            "## Goals",
            "### What was tried",
            "## Plots",
            "(plots/speedup-forward.svg)",
            "## Every loss",
            "`reference-into` is the reference",
            "### l1_loss",
            "### mse_loss",
            "## What this does not show",
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
