//! Every case on every backend, each a test of its own: `BACKEND::CASE-ID`.
//!
//! `cargo test -p losscheck-cli --test goldens candle::cross_entropy` runs just those. A test passes if the backend
//! agrees or differs in a known way, and is ignored if the backend does not provide the loss or an option of it.
//! `BACKEND::deviations` tests that the known deviations are true.

use std::sync::OnceLock;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use losscheck::backend::Backend;
use losscheck::backend::call::without_panic_messages;
use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::deviations::{Deviation, Explained, Judged, PYTORCH, Policy, Scope, UNEXPLAINED};
use losscheck::error::DataError;
use losscheck::judge::bounds::Bounds;
use losscheck::judge::verdict::Verdict;
use losscheck::loss::LossKind;
use losscheck::run::conformance::{JudgedAs, judge_all};

/// All cases, with their verdicts as far as a test has asked for them.
struct Suite {
    bounds: Bounds,
    by: JudgedAs,
    backends: Vec<Box<dyn Backend>>,
    /// PyTorch first, as in the verdicts.
    columns: Vec<Column>,
    entries: Vec<Entry>,
}

/// The deviations of a backend, as they apply to the goldens and to the regressions.
struct Column {
    goldens: Policy,
    regressions: Policy,
}

struct Entry {
    case: Case,
    scope: Scope,
    verdicts: OnceLock<Vec<Verdict>>,
}

fn borrow(backends: &[Box<dyn Backend>]) -> Vec<&dyn Backend> {
    backends.iter().map(AsRef::as_ref).collect()
}

impl Column {
    fn policy(&self, scope: Scope) -> &Policy {
        match scope {
            Scope::Goldens => &self.goldens,
            Scope::Others => &self.regressions,
        }
    }
}

impl Suite {
    fn read() -> Result<Self, DataError> {
        let data = DataFolder::shipped();
        let entry = |scope| move |case| Entry { case, scope, verdicts: OnceLock::new() };
        let regressions = data.regressions()?.into_iter().map(entry(Scope::Others));
        let backends = losscheck_cli::backends();
        let cases = data.goldens()?.cases;
        let by = JudgedAs::new(&cases, Scope::Goldens, None, &borrow(&backends), &data)?;
        let names = [PYTORCH].into_iter().chain(backends.iter().map(|backend| backend.name()));
        let column = |name| -> Result<Column, DataError> {
            let policy = |scope| data.policy(name, scope);
            Ok(Column { goldens: policy(Scope::Goldens)?, regressions: policy(Scope::Others)? })
        };
        let columns = names.map(column).collect::<Result<_, _>>()?;
        let goldens = cases.into_iter().map(entry(Scope::Goldens));
        Ok(Self { by, bounds: data.bounds()?, columns, entries: goldens.chain(regressions).collect(), backends })
    }

    fn verdicts(&self, entry: &'static Entry) -> &'static [Verdict] {
        let policies = || self.columns.iter().map(|column| column.policy(entry.scope));
        entry
            .verdicts
            .get_or_init(|| judge_all(&entry.case, &borrow(&self.backends), policies(), &self.by, &self.bounds))
    }

    fn test_case(&'static self, column: usize, entry: &'static Entry) -> Result<Completion, Failed> {
        let verdict = &self.verdicts(entry)[column];
        if let Verdict::NotProvided(why) = verdict {
            return Ok(Completion::ignored_with(why));
        }
        let explained = self.columns[column].policy(entry.scope).explain(&entry.case, verdict);
        let new = explained.into_iter().filter(|explained| explained.known.is_none());
        let message = |Explained { difference, .. }| format!("{}: {}", difference.kind.describe(), difference.message);
        let messages: Vec<String> = new.map(message).collect();
        if messages.is_empty() { Ok(Completion::Completed) } else { Err(messages.join("\n").into()) }
    }

    fn test_deviations(&'static self, column: usize) -> Result<Completion, Failed> {
        let policy = &self.columns[column].goldens;
        let deviations = &policy.own;
        let goldens = self.entries.iter().filter(|entry| entry.scope == Scope::Goldens);
        let verdicts = goldens.map(|entry| (&entry.case, &self.verdicts(entry)[column]));
        let explained: Vec<_> =
            verdicts.map(|(case, verdict)| (case, verdict, policy.explain(case, verdict))).collect();
        let judged = explained.iter().map(|(case, verdict, explained)| Judged { case, verdict, explained });
        let mut problems = policy.stale(&self.columns[0].goldens.own, judged);
        let is_counted = |loss: &&LossKind| deviations.provided.contains_key(loss.name());
        let uncounted = LossKind::ALL.iter().filter(|loss| !is_counted(loss));
        problems.extend(uncounted.map(|loss| format!("`provided`: {loss} is missing, expected a number of cases")));
        for deviation in deviations.iter() {
            let Deviation { reason, upstream, witness, .. } = deviation;
            let path = deviation.path();
            if deviation.cases.is_empty() && !self.entries.iter().any(|entry| entry.case.id == *witness) {
                problems.push(format!("deviation {path}: its witness `{witness}` is no regression"));
            }
            if reason == UNEXPLAINED || reason.trim().is_empty() {
                problems.push(format!("deviation {path}: `reason`: nobody has explained it"));
            }
            if !["wontfix", "unreported"].contains(&upstream.as_str()) && !upstream.starts_with("https://") {
                problems.push(format!("deviation {path}: `upstream`: expected a URL, `wontfix` or `unreported`"));
            }
        }
        if problems.is_empty() { Ok(Completion::Completed) } else { Err(problems.join("\n").into()) }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let suite: &'static Suite = Box::leak(Box::new(Suite::read().unwrap_or_else(|error| panic!("{error}"))));
    let mut trials = Vec::new();
    for (column, policies) in suite.columns.iter().enumerate() {
        let name = &policies.goldens.name;
        for entry in &suite.entries {
            let id = format!("{name}::{}", entry.case.id);
            trials.push(Trial::ignorable_test(id, move || suite.test_case(column, entry)));
        }
        trials.push(Trial::ignorable_test(format!("{name}::deviations"), move || suite.test_deviations(column)));
    }
    without_panic_messages(|| libtest_mimic::run(&arguments, trials)).exit();
}
