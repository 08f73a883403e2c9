//! The conformance run: all cases on all backends, and what the cases expect against exact arithmetic.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use losscheck_backend::pytorch::PytorchVersion;
use losscheck_reference::Error;

use super::metamorphic::{Numbers, carried};
use super::table::{Cell, Column, Table, policies};
use crate::backend::call::evaluate;
use crate::backend::{Backend, Outcome};
use crate::case::format::{Flag, Goldens};
use crate::case::versions::Answers;
use crate::case::{Case, ExpectedBy};
use crate::data::DataFolder;
use crate::deviations::{Deviations, Judged, JudgedBy, PYTORCH, Policy, Scope};
use crate::error::DataError;
use crate::judge::bounds::Bounds;
use crate::judge::verdict::{DifferenceKind, Verdict};
use crate::judge::{Judge, MeasuredAt, in_place_of_exact, judge_by_expected, judge_failure, oracle};

/// Name of the column of what the authors of cases expect.
pub const EXPECTED: &str = "expected";

/// A finished run.
#[derive(Debug)]
pub struct Conformance {
    /// The cases and what became of them. The first columns are those of expectations: PyTorch's stored answers, always if the
    /// cases are the goldens, and what the authors of other cases expect.
    pub table: Table<Case>,
    /// What the flags of the cases mean.
    pub flags: BTreeMap<String, Flag>,
    /// The cases that ask for what the loss refuses, without expecting that. They are not in the table.
    pub bad: Vec<BadCase>,
    /// Where the errors that decide were measured.
    pub measured_at: MeasuredAt,
    /// The version of PyTorch that all columns are judged by, if one was asked for.
    pub judged_by: Option<PytorchVersion>,
    /// Whether these were all cases of their losses.
    pub is_complete: bool,
    pytorch: Deviations,
}

/// A case that the loss refuses, without an expectation that it does.
#[derive(Clone, Debug)]
pub struct BadCase {
    /// The case.
    pub case: Case,
    /// What the loss refuses, and why.
    pub reason: Error,
}

impl BadCase {
    /// Returns the path of the field that the loss refuses, such as `inputs.target`.
    pub fn field(&self) -> String {
        let name = match &self.reason {
            Error::Shape { name, .. }
            | Error::Integer { name, .. }
            | Error::Domain { name, .. }
            | Error::Option { name, .. }
            | Error::Combination { name, .. } => name,
            Error::Index { .. } => "target",
            Error::Cutoffs { .. } => "cutoffs",
            _ => return String::new(),
        };
        match name {
            "cotangent" => name.to_owned(),
            _ if self.case.inputs.contains_key(name) => format!("inputs.{name}"),
            _ => format!("options.{name}"),
        }
    }
}

/// Columns of what cases expect.
#[derive(Clone, Copy, Debug)]
struct Expectations {
    /// Whether there is a column of PyTorch's stored answers.
    of_pytorch: bool,
    /// Whether there is a column of what the authors of the cases expect.
    of_authors: bool,
}

impl Expectations {
    fn new(cases: &[Case], scope: Scope) -> Self {
        let has = |is_of: fn(&ExpectedBy) -> bool| {
            cases.iter().any(|case| case.expected.is_some() && is_of(&case.expected_by))
        };
        let is_of_pytorch = |by: &ExpectedBy| matches!(by, ExpectedBy::Pytorch(_));
        Self {
            of_pytorch: scope == Scope::Goldens || has(is_of_pytorch),
            of_authors: has(|by| *by == ExpectedBy::Author),
        }
    }

    /// Returns the deviations of each column. What an author expects has none.
    fn policies(self, pytorch: &Deviations, scope: Scope) -> Vec<Policy> {
        let of_pytorch = self.of_pytorch.then(|| Policy::new(PYTORCH, scope, pytorch.clone()));
        let of_authors = self.of_authors.then(|| Policy::new(EXPECTED, scope, Deviations::default()));
        of_pytorch.into_iter().chain(of_authors).collect()
    }

    /// Judges what a case expects, for each column.
    fn judge<C: Borrow<Case>>(self, judge: &Judge<C>) -> impl Iterator<Item = Verdict> {
        let of_pytorch = self.of_pytorch.then(|| judge_stored(judge));
        let of_authors = self.of_authors.then(|| match judge.case().expected_by {
            ExpectedBy::Author => judge.judge_expected(),
            ExpectedBy::Pytorch(_) => Verdict::NotProvided("PyTorch expects it".to_owned()),
        });
        of_pytorch.into_iter().chain(of_authors)
    }
}

/// Judges PyTorch's stored answer.
fn judge_stored<C: Borrow<Case>>(judge: &Judge<C>) -> Verdict {
    match judge.case().expected_by {
        ExpectedBy::Pytorch(_) => judge.judge_expected(),
        ExpectedBy::Author => Verdict::NotProvided("the case has no answer of PyTorch's".to_owned()),
    }
}

impl Conformance {
    /// Evaluates the cases on all processors. `progress` is called after each case.
    ///
    /// # Errors
    ///
    /// Returns an error if a file of deviations, the file of the bounds, or what a version of PyTorch answers cannot be read.
    pub fn run(
        Goldens { cases, flags, .. }: Goldens,
        Settings { scope, measured_at, pytorch: version, against, is_complete }: Settings,
        backends: &[&dyn Backend],
        data: &DataFolder,
        progress: impl Fn() + Sync,
    ) -> Result<Self, DataError> {
        let by = JudgedAs::new(&cases, scope, version, backends, data)?;
        let pytorch = data.deviations_of_pytorch(version.unwrap_or(PytorchVersion::CURRENT))?;
        let expectations = match against {
            None => Expectations::new(&cases, scope),
            Some(_) => Expectations { of_pytorch: false, of_authors: false },
        };
        let mut all = expectations.policies(&pytorch, scope);
        let expected = all.len();
        all.extend(match against {
            None => policies(backends, scope, data)?,
            Some(_) => {
                let unknown = |backend: &&dyn Backend| Policy::new(backend.name(), scope, Deviations::default());
                backends.iter().map(unknown).collect()
            }
        });
        let bounds = data.bounds()?;
        let bad = Mutex::new(Vec::new());
        let judge = |(position, case): (usize, Case), policies: &[Policy]| {
            let judges = Judges::new(&case, &by, &bounds, measured_at);
            let judge = judges.of_expectations();
            if scope == Scope::Others
                && case.expected.is_none()
                && let Some(reason) = judge.refusal().cloned()
            {
                drop(judges);
                bad.lock().unwrap_or_else(PoisonError::into_inner).push((position, BadCase { case, reason }));
                return Vec::new();
            }
            let of_backends = judge_backends(&judges, backends, &policies[expected..], against);
            let verdicts = expectations.judge(judge).chain(of_backends).zip(policies);
            let cells = verdicts.map(|(verdict, policy)| Cell::new(verdict, policy, &case)).collect();
            let other = judges.into_other_case();
            vec![(other.unwrap_or(case), cells)]
        };
        let table = Table::new(cases.into_iter().enumerate().collect(), all, judge, progress);
        let mut bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
        bad.sort_by_key(|(position, _)| *position);
        let bad = bad.into_iter().map(|(_, bad)| bad).collect();
        Ok(Self { table, flags, bad, measured_at, judged_by: version, is_complete, pytorch })
    }

    /// Returns what is no longer true of the deviations of a column; nothing if they do not have to be true of all cases,
    /// if cases were left out, or if they speak of other errors than those that decide, or of another version of PyTorch.
    pub fn stale(&self, column: &Column) -> Vec<String> {
        match (column.policy.scope, self.measured_at) {
            _ if !self.is_complete => Vec::new(),
            _ if self.judged_by.is_some_and(|version| version != PytorchVersion::CURRENT) => Vec::new(),
            (Scope::Goldens, MeasuredAt::ErrorScale) => column.policy.stale(&self.pytorch, self.judged(column)),
            (Scope::Others, _) | (_, MeasuredAt::ExactNumber) => Vec::new(),
        }
    }

    /// Returns whether all agree or differ in known ways only, the deviations are true, and no case is bad.
    pub fn passed(&self) -> bool {
        self.bad.is_empty()
            && self.table.all_known()
            && self.table.columns.iter().all(|column| self.stale(column).is_empty())
    }

    /// Returns the record of a column, brought up to date with this run.
    pub fn updated(&self, column: &Column) -> Deviations {
        column.policy.updated(&self.pytorch, self.judged(column))
    }

    /// Returns the cases with what became of them in a column.
    fn judged<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = Judged<'a>> + Clone {
        let cells = self.table.rows.iter().zip(&column.cells);
        cells.map(|(case, Cell { verdict, explained })| Judged { case, verdict, explained })
    }
}

/// How a run goes about its cases.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which cases these are.
    pub scope: Scope,
    /// Where errors are measured.
    pub measured_at: MeasuredAt,
    /// The version of PyTorch that all columns are judged by. If it is left out, PyTorch's stored answers are those of the
    /// current one, and each backend is judged by the version that it is to agree with.
    pub pytorch: Option<PytorchVersion>,
    /// The position of a backend with which the others are compared, instead of exact arithmetic. No deviation is known then,
    /// and there are no columns of what the cases expect.
    pub against: Option<usize>,
    /// Whether these are all cases of their losses, so that what the deviations say of each can be checked.
    pub is_complete: bool,
}

/// The versions of PyTorch that the columns of a run are judged by.
#[derive(Debug)]
pub struct JudgedAs {
    /// The answers of each version once: first those that PyTorch's own column holds.
    answers: Vec<Answers>,
    /// For each backend, the position of its version.
    of_backends: Vec<usize>,
}

impl JudgedAs {
    /// Reads what the versions of PyTorch answer that the columns of some cases are judged by.
    ///
    /// # Errors
    ///
    /// Returns an error if the answers of a version are not there, or cannot be read.
    pub fn new(
        cases: &[Case],
        scope: Scope,
        version: Option<PytorchVersion>,
        backends: &[&dyn Backend],
        data: &DataFolder,
    ) -> Result<Self, DataError> {
        let own = version.unwrap_or(PytorchVersion::CURRENT);
        let mut versions = vec![own];
        let mut of_backends = Vec::new();
        for backend in backends {
            let version = version.unwrap_or_else(|| backend.pytorch());
            of_backends.push(versions.iter().position(|known| *known == version).unwrap_or_else(|| {
                versions.push(version);
                versions.len() - 1
            }));
        }
        let stored = data.versions()?;
        // Only goldens have answers of other versions.
        let goldens = if scope == Scope::Goldens { cases } else { &[] };
        let answers = |of: PytorchVersion| {
            // That of a backend, which nobody asked for, does not have to be among them: its slope is known.
            let is_needed = version == Some(of) || stored.contains(&of);
            if is_needed { data.answers(of, goldens) } else { Ok(Answers::unchanged(of)) }
        };
        Ok(Self { answers: versions.into_iter().map(answers).collect::<Result<_, _>>()?, of_backends })
    }
}

/// The judges of one case, one for each version of PyTorch that it makes a difference to.
#[derive(Debug)]
pub struct Judges<'a> {
    judges: Vec<Judge<Cow<'a, Case>>>,
    /// For each version, the position of its judge.
    of_versions: Vec<usize>,
    by: &'a JudgedAs,
}

impl<'a> Judges<'a> {
    /// Gets ready to judge the answers to a case.
    pub fn new(case: &'a Case, by: &'a JudgedAs, bounds: &Bounds, measured_at: MeasuredAt) -> Self {
        let (mut judges, mut of_versions) = (Vec::new(), Vec::new());
        for (position, answers) in by.answers.iter().enumerate() {
            let (slope, own) = (answers.version.slope_at_kink(), answers.case(case));
            // If there are several versions, the first is the current one.
            if position > 0 && matches!(own, Cow::Borrowed(_)) && !oracle::matters(slope, case) {
                of_versions.push(0);
                continue;
            }
            of_versions.push(judges.len());
            judges.push(Judge::new(own, bounds).measuring_at(measured_at).with_slope(slope));
        }
        Self { judges, of_versions, by }
    }

    /// Returns the judge of what the case expects.
    pub fn of_expectations(&self) -> &Judge<Cow<'a, Case>> {
        &self.judges[0]
    }

    /// Returns the case as PyTorch's column has it, if that is another than the golden.
    fn into_other_case(mut self) -> Option<Case> {
        match self.judges.swap_remove(0).into_case() {
            Cow::Owned(case) => Some(case),
            Cow::Borrowed(_) => None,
        }
    }

    /// Returns the judge of the backend at this position.
    pub fn of_backend(&self, position: usize) -> &Judge<Cow<'a, Case>> {
        &self.judges[self.of_versions[self.by.of_backends[position]]]
    }
}

/// Judges one case everywhere: PyTorch's stored answer, whose policy comes first, then the answer of each backend.
pub fn judge_all<'a>(
    case: &Case,
    backends: &[&dyn Backend],
    policies: impl IntoIterator<Item = &'a Policy>,
    by: &JudgedAs,
    bounds: &Bounds,
) -> Vec<Verdict> {
    let judges = Judges::new(case, by, bounds, MeasuredAt::default());
    let of_backends = judge_backends(&judges, backends, policies.into_iter().skip(1), None);
    [judge_stored(judges.of_expectations())].into_iter().chain(of_backends).collect()
}

/// Judges the answer of each backend.
fn judge_backends<'a>(
    judges: &Judges<'_>,
    backends: &[&dyn Backend],
    policies: impl IntoIterator<Item = &'a Policy>,
    against: Option<usize>,
) -> impl Iterator<Item = Verdict> {
    let outcome = |position: usize| evaluate(backends[position], judges.of_backend(position).case());
    let other = against.map(|position| (position, outcome(position)));
    backends.iter().zip(policies).enumerate().map(move |(position, (backend, policy))| {
        let judge = judges.of_backend(position);
        let verdict = match (&other, policy.own.judged_by) {
            (Some((other, _)), _) if *other == position => {
                Verdict::NotProvided("the others are compared with it".to_owned())
            }
            (Some((_, other)), _) => judge_against(judge, other, &outcome(position)),
            (None, JudgedBy::OracleOrPytorch) => judge.judge(&outcome(position)),
            (None, JudgedBy::Oracle) => judge.judge_by_oracle(&outcome(position)),
        };
        verdict.without_missing_gradients(*backend, judge.case().loss.kind())
    })
}

/// Judges an outcome by that of another backend. Both may be off by the tolerance.
fn judge_against<C: Borrow<Case>>(judge: &Judge<C>, other: &Outcome, outcome: &Outcome) -> Verdict {
    match (other, outcome) {
        (Outcome::Answer(other) | Outcome::ChangedInputs(other), _) => match judge.exact() {
            Ok(exact) => judge_by_expected(judge.case(), ("the other", carried(exact, Numbers::of(other))), outcome),
            Err(_) => {
                let numbers = in_place_of_exact(other, judge.case());
                judge_by_expected(judge.case(), ("the other", numbers), outcome)
            }
        },
        (Outcome::Rejection(why), Outcome::Answer(_) | Outcome::ChangedInputs(_)) => {
            Verdict::whole(DifferenceKind::WronglyAccepted, format!("accepted, and the other rejects it: {why}"))
        }
        (Outcome::Rejection(_), _) => judge_failure(outcome),
        _ => Verdict::NotProvided("the other has no answer".to_owned()),
    }
}
