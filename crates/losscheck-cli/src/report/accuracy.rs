//! The page of accuracy.

use std::collections::BTreeMap;
use std::fmt::Write;

use losscheck::case::Case;
use losscheck::judge::verdict::count;
use losscheck::markdown::table;
use losscheck::run::accuracy::{BOUNDS, Histogram, InputSet, Key, Line, Results, Row, SCREEN, Witness};
use losscheck::tensor::DType;

use super::targets;
use crate::accuracy::both;

/// How many of the worst of each library to name.
const NAMED: usize = 12;

const HEAD: &str = "\
# Accuracy

The worst error of each output of each loss, in ULPs, a ULP being the distance of neighbouring numbers of the dtype. Written by
`losscheck report`; nobody edits it. Every error is measured twice:

- plainly, in ULPs of the exact result;
- **at scale**, in ULPs of |f| + Σ |x ∂f/∂x| over the predictions x: what rounding the predictions alone could change the
  result by. Targets and weights count as exact. An error at scale is the algorithm's own.

A number that is infinite or NaN where the exact result is not, or the other way round, counts as infinitely far off. Results
that jump within a rounding of their predictions, beside the kink of a hinge, are left out, for no algorithm can know the side.
";

/// The page, and the cases that it names.
pub fn page(results: &Results) -> (String, Vec<Case>) {
    let backends: Vec<&str> = results.made.backends.keys().map(String::as_str).collect();
    let budget = results.made.budget;
    let mut text = HEAD.to_owned();
    let mut line = |written: &str| text.push_str(written);
    line("\n");
    for (backend, version) in &results.made.backends {
        line(&format!("- `{backend}`: {version}\n"));
    }
    line("\n## Every number\n\n");
    line(
        "Losses of one number, all others fixed, over every finite number of the dtype: these are the worst errors that there\n\
         are, in plain ULPs. In 16 bits the oracle judges each; of the 2^32 of f32 the f64 kernels of the same formulas judge,\n\
         and the oracle the worst. `screen` is how far those kernels are from the oracle, in ULPs of f32.\n\n",
    );
    let with_screen: Vec<&str> = backends.iter().copied().chain([SCREEN]).collect();
    line(&lines(results, &with_screen, |inputs| matches!(inputs, InputSet::Every(_)), |row| count(row.plain.worst)));
    line("\n## Reductions\n\n");
    line("Sums and means of about so many elements: plain / at scale. Lower bounds.\n\n");
    line(&lines(results, &backends, |inputs| matches!(inputs, InputSet::Elements(_)), both));
    line("\n## Searched\n\n");
    line(&format!(
        "The worst found among {} random cases of each loss and dtype without reduction (where a library has means alone,\n\
         means), by {} steps towards worse ones from the {} worst of each output: plain / at scale. Lower bounds.\n\n",
        budget.samples, budget.steps, budget.restarts
    ));
    line(&lines(results, &backends, |inputs| matches!(inputs, InputSet::Searched), both));
    line(&targets::section(results));
    line("\n## How the errors are spread\n\n");
    line("The share of all numbers measured, the searched ones before the search, in f32, by plain error in ULPs.\n\n");
    line(&histograms(results, &backends));
    let mut cases = Vec::new();
    for backend in backends {
        line(&worst(results, backend, &mut cases));
    }
    (text, cases)
}

/// A table with a line for each loss, inputs, output and dtype.
fn lines(
    results: &Results,
    backends: &[&str],
    is_wanted: impl Fn(InputSet) -> bool,
    cell: impl Fn(&Row) -> String,
) -> String {
    let header: Vec<&str> = ["loss", "inputs", "output", "dtype"].into_iter().chain(backends.iter().copied()).collect();
    let cells = |line: Line| {
        let (loss, inputs, output, dtype) = line;
        let of = |backend: &&str| results.rows.row(line, backend);
        let cells = backends.iter().map(|backend| of(backend).map_or_else(|| "–".to_owned(), &cell));
        let inputs = match inputs {
            InputSet::Every(slice) => slice.to_owned(),
            InputSet::Elements(_) | InputSet::Searched => inputs.to_string(),
        };
        [format!("`{loss}`"), inputs, output.to_string(), dtype.to_string()].into_iter().chain(cells).collect()
    };
    table(&header, 4, results.rows.lines().into_iter().filter(|(_, inputs, ..)| is_wanted(*inputs)).map(cells))
}

fn histograms(results: &Results, backends: &[&str]) -> String {
    let classes = BOUNDS.iter().map(|&bound| match bound {
        f64::MAX => "more".to_owned(),
        bound => format!("to {bound}"),
    });
    let classes: Vec<String> = classes.chain(["not finite".to_owned()]).collect();
    let header: Vec<&str> = ["backend", "inputs"].into_iter().chain(classes.iter().map(String::as_str)).collect();
    let mut sums: BTreeMap<(&str, &str), Histogram> = BTreeMap::new();
    for (key, row) in results.rows.0.iter().filter(|(key, _)| key.dtype == DType::F32) {
        let inputs = match key.inputs {
            InputSet::Every(_) => "every number",
            InputSet::Elements(_) => "reductions",
            InputSet::Searched => "searched",
        };
        if let Some(backend) = backends.iter().find(|backend| **backend == key.backend) {
            sums.entry((backend, inputs)).or_default().merge(row.plain.histogram);
        }
    }
    let line = |((backend, inputs), histogram): ((&str, &str), Histogram)| {
        let all = histogram.total();
        let share = |count: u64| match count {
            0 => "–".to_owned(),
            _ => format!("{:.4} %", 100.0 * count as f64 / all as f64),
        };
        [format!("`{backend}`"), inputs.to_owned()].into_iter().chain(histogram.0.into_iter().map(share)).collect()
    };
    table(&header, 2, sums.into_iter().map(line))
}

fn worst(results: &Results, backend: &str, cases: &mut Vec<Case>) -> String {
    let mut text = format!("\n## Worst of {backend}\n\n");
    for (key, measure) in results.rows.worst(backend).into_iter().take(NAMED) {
        let Key { loss, inputs, output, dtype, .. } = key;
        write!(text, "- `{loss}`, {output}, {dtype}, {inputs}: {} ULPs", count(measure.worst))
            .expect("a string takes all");
        if let Some(Witness { at, exact, actual, case }) = &measure.witness {
            write!(text, "; {actual:e} for {exact:e} at {at}").expect("a string takes all");
            if let Some(case) = case {
                let id = format!("{loss}/{dtype}/{backend}/{}", output.to_string().replace(' ', "-"));
                write!(text, ". `losscheck show {id} --data reports/witnesses.json`").expect("a string takes all");
                cases.push(Case { id, ..case.clone() });
            }
        }
        text.push('\n');
    }
    text
}
