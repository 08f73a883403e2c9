//! The document of a report: all that the page and the plots are made from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use losscheck::backend::Pass;
use losscheck::error::DataError;
use serde::{Deserialize, Serialize};

use crate::record::Workspace;
use crate::report::json::{from_file, json};
use crate::size::Size;
use crate::statistics::{median, significant, spread};

/// The first field of a [`Performance`].
pub const FORMAT: &str = "losscheck-performance/2";
/// What the others are compared with.
pub(crate) const REFERENCE: &str = "reference";
/// The reference when it writes into the caller's buffers.
pub(crate) const REFERENCE_INTO: &str = "reference-into";
/// Why a backend has no times where nobody gave a reason.
pub(crate) const NOT_MEASURED: &str = "not measured";

/// How many times the sum of their spreads two times may differ by without the difference counting.
pub(crate) const NOISE: f64 = 3.0;

/// To how many digits times are kept, so that a new measurement changes little of the document.
const DIGITS: usize = 4;

/// What was measured, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// [`FORMAT`].
    pub format: String,
    /// The backends in the order of the columns.
    pub backends: Vec<String>,
    /// The runs of the benchmarks, one for each number of threads.
    pub runs: Vec<RunSummary>,
    /// The run of the other frameworks.
    pub frameworks: Option<FrameworksRun>,
    /// A row for each workload and number of threads.
    pub rows: Vec<Row>,
}

/// A run of the benchmarks, without its workloads and with its calibrations taken together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// The threads that each library had.
    pub threads: usize,
    /// The day.
    pub date: String,
    /// The processor's name and its caches.
    pub processor: String,
    /// The version of each backend.
    pub versions: BTreeMap<String, String>,
    /// How fast the machine was.
    pub calibrations: Calibrations,
}

/// The calibrations of a run, taken together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrations {
    /// How many there were.
    pub count: usize,
    /// The gigabytes a second that a copy reads and writes, both counted.
    pub copy: BTreeMap<Size, Range>,
    /// The nanoseconds of a fixed piece of arithmetic.
    pub arithmetic: Range,
    /// The share of the processors' time that other processes took.
    pub busy: Range,
}

/// The range of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The one in the middle.
    pub median: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
}

/// A run of other frameworks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameworksRun {
    /// The threads that each had.
    pub threads: usize,
    /// The day.
    pub date: String,
    /// The version of each.
    pub versions: BTreeMap<String, String>,
}

/// A workload with a number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The loss, by PyTorch's functional name.
    pub loss: String,
    /// What is computed.
    pub pass: Pass,
    /// The dtype.
    pub dtype: String,
    /// How much data that is.
    pub size: Size,
    /// The elements of the first tensor.
    pub elements: u64,
    /// The shape of the first tensor.
    pub shape: String,
    /// The threads.
    pub threads: usize,
    /// The bytes that must be read and written.
    pub bytes: u64,
    /// What each backend did, by its name.
    pub cells: BTreeMap<String, Cell>,
    /// The time of a copy that reads and writes as many bytes.
    pub copy: Option<Figure>,
    /// The time of its elementary functions alone, in a loop like the reference's.
    pub elementary: Option<Figure>,
    /// What a call of the reference holds in memory beside its inputs and results.
    pub workspace: Option<Workspace>,
    /// Why the times are noisy, if they are.
    pub noisy: Option<String>,
}

/// What a backend did with a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected `nanoseconds` and `spread`, or `absent`")]
pub enum Cell {
    /// It was timed.
    Timed(Figure),
    /// It has nothing, and why.
    Absent {
        /// The reason.
        absent: String,
    },
}

/// The time of a call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The median of the samples.
    pub nanoseconds: f64,
    /// The median of the samples' distances to it, as a share of it.
    pub spread: f64,
}

/// What the reference is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against<'a> {
    /// One backend.
    Backend(&'a str),
    /// The fastest of the others, whichever that is.
    Fastest,
}

impl Performance {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or is not a document of this kind.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let performance: Self = from_file(file, FORMAT)?;
        performance.check().map_err(|message| DataError::new(file, message))?;
        Ok(performance)
    }

    /// Returns the document, a line for each row.
    pub fn to_text(&self) -> String {
        let Self { format, backends, runs, frameworks, rows } = self;
        let rows: Vec<String> = rows.iter().map(json).collect();
        let runs: Vec<String> = runs.iter().map(json).collect();
        format!(
            "{{\n\"format\": {},\n\"backends\": {},\n\"runs\": [\n{}\n],\n\"frameworks\": {},\n\"rows\": [\n{}\n]\n}}\n",
            json(format),
            json(backends),
            runs.join(",\n"),
            json(frameworks),
            rows.join(",\n")
        )
    }

    /// Checks what no type says of a document.
    fn check(&self) -> Result<(), String> {
        let threads: BTreeSet<usize> = self.runs.iter().map(|run| run.threads).collect();
        if threads.len() < self.runs.len() {
            return Err("`runs`: expected one for each number of threads".to_owned());
        }
        if !self.rows.is_sorted_by(|one, other| one.key() < other.key()) {
            return Err(
                "`rows`: expected by loss, pass, dtype, size, elements, shape and threads, each once".to_owned()
            );
        }
        for (place, run) in self.runs.iter().enumerate() {
            let Calibrations { copy, arithmetic, .. } = &run.calibrations;
            if !copy.values().chain([arithmetic]).all(|range| range.median > 0.0) {
                return Err(format!("`runs[{place}].calibrations`: expected positive speeds and times"));
            }
        }
        for (place, row) in self.rows.iter().enumerate() {
            let expected = |field: &str, what: &str| Err(format!("`rows[{place}].{field}`: expected {what}"));
            if row.elements == 0 || row.bytes == 0 {
                return expected("elements", "elements and bytes above 0");
            }
            if !threads.contains(&row.threads) {
                return expected("threads", "the number of threads of one of the runs");
            }
            let is_time = |Figure { nanoseconds, spread }: &Figure| *nanoseconds > 0.0 && *spread >= 0.0;
            let a_time = "a time above 0 and a spread of at least 0";
            for (backend, cell) in &row.cells {
                let field = format!("cells.{backend}");
                if !self.backends.contains(backend) {
                    return expected(&field, "one of `backends`");
                }
                if matches!(cell, Cell::Timed(figure) if !is_time(figure)) {
                    return expected(&field, a_time);
                }
            }
            for (field, baseline) in [("copy", &row.copy), ("elementary", &row.elementary)] {
                if !baseline.iter().all(is_time) {
                    return expected(field, a_time);
                }
            }
        }
        Ok(())
    }

    /// Returns the run with so many threads.
    pub(crate) fn run(&self, threads: usize) -> Option<&RunSummary> {
        self.runs.iter().find(|run| run.threads == threads)
    }

    /// Returns true if there are runs with several numbers of threads, so that the rows have to name theirs.
    pub(crate) fn has_several_runs(&self) -> bool {
        self.runs.len() > 1
    }

    /// Returns the same workload with another number of threads.
    pub(crate) fn with_threads(&self, row: &Row, threads: usize) -> Option<&Row> {
        self.rows.iter().find(|other| other.threads == threads && other.workload() == row.workload())
    }
}

impl Row {
    /// Returns the row's name: `LOSS/PASS/SHAPE/DTYPE`, followed by the threads if there are several.
    pub(crate) fn name(&self) -> String {
        let Self { loss, pass, shape, dtype, threads, .. } = self;
        let threads = if *threads == 1 { String::new() } else { format!("/threads-{threads}") };
        format!("{loss}/{pass}/{shape}/{dtype}{threads}")
    }

    fn workload(&self) -> (&str, Pass, &str, &str) {
        (&self.loss, self.pass, &self.shape, &self.dtype)
    }

    /// Returns the mark of a noisy row, and nothing for others.
    pub(crate) fn noise_mark(&self) -> &'static str {
        if self.noisy.is_some() { " ‡" } else { "" }
    }

    /// Returns what tells rows apart, in the order of the document.
    pub(crate) fn key(&self) -> (&str, Pass, &str, Size, u64, &str, usize) {
        (&self.loss, self.pass, &self.dtype, self.size, self.elements, &self.shape, self.threads)
    }

    /// Returns the time of a backend.
    pub(crate) fn figure(&self, backend: &str) -> Option<Figure> {
        match self.cells.get(backend)? {
            Cell::Timed(figure) => Some(*figure),
            Cell::Absent { .. } => None,
        }
    }

    /// Returns the nanoseconds of a call of a backend.
    pub(crate) fn nanoseconds(&self, backend: &str) -> Option<f64> {
        self.figure(backend).map(|figure| figure.nanoseconds)
    }

    /// Returns why a backend has no time; `None` if it has one.
    pub(crate) fn absence(&self, backend: &str) -> Option<&str> {
        match self.cells.get(backend) {
            Some(Cell::Timed(_)) => None,
            Some(Cell::Absent { absent }) => Some(absent),
            None => Some(NOT_MEASURED),
        }
    }

    /// Returns the fewest nanoseconds of any backend but the reference that writes into buffers, which alone need not allocate.
    pub(crate) fn best(&self) -> Option<f64> {
        self.fewest(|backend| backend != REFERENCE_INTO)
    }

    /// Returns how many times as long as the reference another takes.
    pub(crate) fn speed_up(&self, against: Against<'_>) -> Option<f64> {
        let other = match against {
            Against::Backend(backend) => self.nanoseconds(backend),
            Against::Fastest => self.fewest(|backend| ![REFERENCE, REFERENCE_INTO].contains(&backend)),
        };
        Some(other? / self.nanoseconds(REFERENCE)?)
    }

    fn fewest(&self, is_wanted: impl Fn(&str) -> bool) -> Option<f64> {
        let wanted = self.cells.keys().filter(|backend| is_wanted(backend));
        wanted.filter_map(|backend| self.nanoseconds(backend)).min_by(f64::total_cmp)
    }

    /// Returns the share of a copy's bandwidth that a time comes to.
    pub(crate) fn share_of_copy(&self, nanoseconds: f64) -> Option<f64> {
        Some(self.copy?.nanoseconds / nanoseconds)
    }

    /// Returns the share that the reference reaches of the speed of its limit: of a copy that reads and writes as many bytes, or
    /// of its elementary functions alone if they take longer.
    pub(crate) fn share_of_limit(&self) -> Option<f64> {
        let elementary = self.elementary.map_or(0.0, |figure| figure.nanoseconds);
        Some(self.copy?.nanoseconds.max(elementary) / self.nanoseconds(REFERENCE)?)
    }

    /// Returns the gigabytes a second of a call that takes so long.
    pub(crate) fn bandwidth(&self, nanoseconds: f64) -> f64 {
        self.bytes as f64 / nanoseconds
    }
}

impl Figure {
    /// Returns the figure of samples: nanoseconds of a call.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let is_time = |sample: &f64| sample.is_finite() && *sample > 0.0;
        if !samples.iter().all(is_time) {
            return None;
        }
        let (nanoseconds, spread) = (median(samples)?, spread(samples)?);
        Some(Self { nanoseconds: significant(nanoseconds, DIGITS), spread: significant(spread, DIGITS) })
    }
}

impl Range {
    /// Returns the range of some numbers; `None` if there are none.
    pub(crate) fn of(numbers: &[f64]) -> Option<Self> {
        let rounded = |number: f64| significant(number, DIGITS);
        Some(Self {
            median: rounded(median(numbers)?),
            lowest: rounded(numbers.iter().copied().min_by(f64::total_cmp)?),
            highest: rounded(numbers.iter().copied().max_by(f64::total_cmp)?),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;

    /// Returns a row of a forward pass in f32 on one thread, with 12 bytes an element, a copy at 10 GB/s, and without spread.
    pub(crate) fn row(loss: &str, elements: u64, times: &[(&str, f64)]) -> Row {
        let cell =
            |&(name, nanoseconds): &(&str, f64)| (name.to_owned(), Cell::Timed(Figure { nanoseconds, spread: 0.0 }));
        Row {
            loss: loss.to_owned(),
            pass: Pass::Forward,
            dtype: "f32".to_owned(),
            size: match elements {
                0..10_000 => Size::Small,
                10_000..100_000 => Size::L2,
                100_000..4_000_000 => Size::L3,
                _ => Size::Memory,
            },
            elements,
            shape: elements.to_string(),
            threads: 1,
            bytes: 12 * elements,
            cells: times.iter().map(cell).collect(),
            copy: Some(Figure { nanoseconds: 1.2 * elements as f64, spread: 0.0 }),
            elementary: None,
            workspace: None,
            noisy: None,
        }
    }

    pub(crate) fn with_spread(mut row: Row, spread: f64) -> Row {
        for cell in row.cells.values_mut() {
            if let Cell::Timed(figure) = cell {
                figure.spread = spread;
            }
        }
        row
    }

    pub(crate) fn absent(mut row: Row, backend: &str, reason: &str) -> Row {
        row.cells.insert(backend.to_owned(), Cell::Absent { absent: reason.to_owned() });
        row
    }

    /// Returns a document with these rows and arithmetic of 1000 ns.
    pub(crate) fn performance(rows: Vec<Row>) -> Performance {
        let order = ["reference", "reference-into", "candle-nn", "candle", "tch", "xla"];
        let has = |name: &str| rows.iter().any(|row| row.cells.contains_key(name));
        let threads: BTreeSet<usize> = rows.iter().map(|row| row.threads).collect();
        let range = |number| Range { median: number, lowest: number, highest: number };
        let run = |threads| RunSummary {
            threads,
            date: "2026-11-26".to_owned(),
            processor: "A Processor, 1 MiB L2".to_owned(),
            versions: [("reference".to_owned(), "losscheck-reference 0.1.0".to_owned())].into(),
            calibrations: Calibrations {
                count: 2,
                copy: Size::ALL.into_iter().map(|size| (size, range(10.0))).collect(),
                arithmetic: range(1000.0),
                busy: range(0.01),
            },
        };
        Performance {
            format: FORMAT.to_owned(),
            backends: order.into_iter().filter(|name| has(name)).map(str::to_owned).collect(),
            runs: threads.into_iter().map(run).collect(),
            frameworks: None,
            rows,
        }
    }

    #[test]
    fn the_limit_is_the_slower_of_a_copy_and_the_elementary_functions() {
        let mut row = row("cross_entropy", 100, &[("reference", 240.0)]);
        assert_eq!(row.share_of_limit(), Some(0.5));
        row.elementary = Some(Figure { nanoseconds: 180.0, spread: 0.0 });
        assert_eq!(row.share_of_limit(), Some(0.75));
        row.elementary = Some(Figure { nanoseconds: 60.0, spread: 0.0 });
        assert_eq!(row.share_of_limit(), Some(0.5));
        row.copy = None;
        assert_eq!(row.share_of_limit(), None);
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let mut row = absent(row("mse_loss", 128, &[("reference", 12.34), ("tch", 1e-3)]), "candle", "none");
        row.elementary = Some(Figure { nanoseconds: 9.5, spread: 0.0 });
        row.workspace = Some(Workspace { bytes: 40, documented: 8192 });
        let mut document = performance(vec![with_spread(row, 0.012_34)]);
        document.frameworks =
            Some(FrameworksRun { threads: 1, date: "2026-11-27".to_owned(), versions: BTreeMap::new() });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("performance.json");
        fs::write(&file, document.to_text()).unwrap();
        assert_eq!(Performance::read(&file).unwrap(), document);
    }

    #[test]
    fn what_is_no_document_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("performance.json");
        let message = |text: &str| {
            fs::write(&file, text).unwrap();
            Performance::read(&file).unwrap_err().to_string()
        };
        let mut row = row("mse_loss", 128, &[("reference", 12.5)]);
        row.elementary = Some(Figure { nanoseconds: 9.5, spread: 0.0 });
        let text = performance(vec![row]).to_text();
        let broken = |from: &str, to: &str| message(&text.replace(from, to));
        for (from, to, expected) in [
            (FORMAT, "other/2", "`format`: `other/2`, expected `losscheck-performance/2`"),
            ("12.5", "-12.5", "`rows[0].cells.reference`: expected a time above 0"),
            ("9.5", "0.0", "`rows[0].elementary`: expected a time above 0"),
            ("153.6", "0.0", "`rows[0].copy`: expected a time above 0"),
            ("\"nanoseconds\":12.5", "\"seconds\":1", "expected `nanoseconds` and `spread`, or `absent`"),
            ("\"elements\":128", "\"elements\":0", "`rows[0].elements`: expected elements"),
            ("\"forward\"", "\"backward\"", "`rows[0].pass`: unknown variant `backward`"),
            ("[\"reference\"]", "[]", "`rows[0].cells.reference`: expected one of `backends`"),
        ] {
            let message = broken(from, to);
            assert!(message.contains(expected) && message.contains("performance.json"), "{message}");
        }
    }
}
