//! Every case on every backend, each a test of its own: `BACKEND::CASE-ID`.
//!
//! `cargo test -p losscheck-cli --test goldens candle::cross_entropy` runs just those. A test passes if the backend
//! agrees, has nothing for the case, or differs in a way that is on record; `BACKEND::record` is the test of the record.

use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use losscheck::backend::Backend;
use losscheck::bounds::Bounds;
use losscheck::case::Case;
use losscheck::deviations::{Deviations, Record, UNEXPLAINED};
use losscheck::runner::{PYTORCH, run_case, without_panic_messages};
use losscheck::suite::DataFolder;
use losscheck::verdict::{Difference, Verdict};

/// All cases, with their verdicts as far as a test has asked for them.
struct Suite {
    bounds: Bounds,
    backends: Vec<Box<dyn Backend>>,
    /// PyTorch first, as in the verdicts.
    columns: Vec<(&'static str, Deviations)>,
    entries: Vec<Entry>,
}

struct Entry {
    case: Case,
    /// Whether it is one of the goldens, whose deviations are named one by one.
    golden: bool,
    verdicts: OnceLock<Vec<Verdict>>,
}

impl Suite {
    fn read() -> Self {
        let data = DataFolder::shipped();
        let goldens = data.goldens().unwrap_or_else(|error| panic!("{error}")).cases;
        let regressions = data.regressions().unwrap_or_else(|error| panic!("{error}"));
        let entry = |golden| move |case| Entry { case, golden, verdicts: OnceLock::new() };
        let backends = losscheck_cli::backends();
        let names = [PYTORCH].into_iter().chain(backends.iter().map(|backend| backend.name()));
        let record = |name| (name, data.deviations(name).unwrap_or_else(|error| panic!("{error}")));
        Self {
            bounds: data.bounds().unwrap_or_else(|error| panic!("{error}")),
            columns: names.map(record).collect(),
            entries: goldens.into_iter().map(entry(true)).chain(regressions.into_iter().map(entry(false))).collect(),
            backends,
        }
    }

    fn verdicts(&self, entry: &'static Entry) -> &'static [Verdict] {
        let backends: Vec<&dyn Backend> = self.backends.iter().map(AsRef::as_ref).collect();
        entry.verdicts.get_or_init(|| run_case(&entry.case, &backends, &self.bounds))
    }

    fn excuse(&self, column: usize, entry: &Entry, difference: &Difference) -> Option<&Record> {
        let (own, pytorch) = (&self.columns[column].1, &self.columns[0].1);
        if entry.golden {
            return own.excuse_golden(&entry.case, difference.kind);
        }
        own.excuse_other(&entry.case, difference.kind).or_else(|| pytorch.excuse_other(&entry.case, difference.kind))
    }

    fn test_case(&'static self, column: usize, entry: &'static Entry) -> Result<(), Failed> {
        let Verdict::Differs(differences) = &self.verdicts(entry)[column] else { return Ok(()) };
        let unexcused = differences.iter().filter(|difference| self.excuse(column, entry, difference).is_none());
        let messages: Vec<_> =
            unexcused.map(|difference| format!("{}: {}", difference.kind.describe(), difference.message)).collect();
        if messages.is_empty() { Ok(()) } else { Err(messages.join("\n").into()) }
    }

    fn test_record(&'static self, column: usize) -> Result<(), Failed> {
        let deviations = &self.columns[column].1;
        let goldens = self.entries.iter().filter(|entry| entry.golden);
        let verdicts: Vec<_> = goldens.map(|entry| (&entry.case, &self.verdicts(entry)[column])).collect();
        let mut problems = deviations.stale(verdicts.into_iter());
        for Record { loss, kind, reason, upstream, .. } in deviations.records() {
            if reason == UNEXPLAINED || reason.trim().is_empty() {
                problems.push(format!("deviation of {loss} ({kind:?}): `reason`: nobody has explained it"));
            }
            if !["wontfix", "unreported"].contains(&upstream.as_str()) && !upstream.starts_with("https://") {
                problems.push(format!(
                    "deviation of {loss} ({kind:?}): `upstream`: expected a URL, `wontfix` or `unreported`"
                ));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let suite: &'static Suite = Box::leak(Box::new(Suite::read()));
    let mut trials = Vec::new();
    for (column, (name, _)) in suite.columns.iter().enumerate() {
        for entry in &suite.entries {
            let id = format!("{name}::{}", entry.case.id);
            trials.push(Trial::test(id, move || suite.test_case(column, entry)));
        }
        trials.push(Trial::test(format!("{name}::record"), move || suite.test_record(column)));
    }
    without_panic_messages(|| libtest_mimic::run(&arguments, trials)).exit();
}
