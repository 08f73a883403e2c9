//! `losscheck smoke`: does an adapter keep to the protocol?

use std::io::{self, Write};

use losscheck::backend::{Backend, Coverage, Outcome};
use losscheck::case::{Answer, Case, Expected};
use losscheck::data::DataFolder;
use losscheck::deviations::Scope;
use losscheck::judge::{judge, oracle};
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Tensor};
use losscheck_protocol::adapter::Adapter;
use losscheck_protocol::profile::is_finite;

use crate::Passed;
use crate::adapters::Running;
use crate::args::{Columns, Smoke};
use crate::failure::Failure;
use crate::source::quoted;
use crate::style::{BAD, DIM, GOOD, HEADING};
use crate::table::counted;

/// Tries the adapter, and prints a line for each thing that was tried.
pub(crate) fn run(options: &Smoke, data: &DataFolder, out: &mut dyn Write) -> Result<Passed, Failure> {
    let columns = Columns { adapters: vec![options.adapter.clone()], ..Columns::default() };
    let running = Running::start(&columns, Scope::Goldens, data)?;
    let mut smoke = Trying { data, arguments: columns.arguments(), out, failures: 0 };
    for adapter in &running.adapters {
        smoke.all(adapter)?;
    }
    let failures = smoke.failures;
    match failures {
        0 => writeln!(out, "\n{GOOD}the adapter keeps to the protocol{GOOD:#}")?,
        _ => writeln!(out, "\n{BAD}{}{BAD:#}", counted(failures, "failure"))?,
    }
    Ok(Passed(failures == 0))
}

/// The trial of an adapter.
struct Trying<'a> {
    data: &'a DataFolder,
    /// The arguments that choose the adapter.
    arguments: String,
    out: &'a mut dyn Write,
    failures: usize,
}

impl Trying<'_> {
    fn all(&mut self, adapter: &Adapter) -> Result<(), Failure> {
        let provided: Vec<LossKind> =
            LossKind::ALL.iter().copied().filter(|&loss| adapter.coverage(loss) != Coverage::Missing).collect();
        let losses = if provided.len() == 1 { "1 loss".to_owned() } else { format!("{} losses", provided.len()) };
        self.line("hello", &format!("{}, {losses}", adapter.version()), Ok(()))?;
        if provided.is_empty() {
            return Ok(self.line("losses", "", Err("expected at least one in `losses`".to_owned()))?);
        }
        let mut special: Vec<Case> = Vec::new();
        for &loss in &provided {
            let cases = self.data.goldens_of(&[loss])?.cases;
            let smallest = |is: &dyn Fn(&Case) -> bool| {
                let size = |case: &&Case| case.inputs.values().map(Tensor::len).sum::<usize>();
                cases.iter().filter(|case| is(case)).min_by_key(size)
            };
            let is_plain = |case: &Case| {
                case.dtype() == DType::F32 && is_finite(case) && case.inputs.values().all(|tensor| !tensor.is_empty())
            };
            match smallest(&|case| is_plain(case) && value_of(case).is_some_and(|value| !value.is_empty())) {
                Some(case) => self.case(loss.name(), adapter, case)?,
                None => continue,
            }
            for (what, is) in SPECIAL {
                if special.iter().all(|case| case.note.as_deref() != Some(*what))
                    && let Some(case) = smallest(&|case| case.dtype() == DType::F32 && is(case))
                {
                    special.push(Case { note: Some((*what).to_owned()), ..case.clone() });
                }
            }
        }
        for case in &special {
            self.case(case.note.as_deref().unwrap_or_default(), adapter, case)?;
        }
        let Some(case) = special.first() else { return Ok(()) };
        self.breakdowns(adapter, case)
    }

    /// Ends and stops the process, and asks a case afterwards.
    fn breakdowns(&mut self, adapter: &Adapter, case: &Case) -> Result<(), Failure> {
        let answers = |what: &str| match adapter.evaluate(case) {
            Outcome::Failed(how) | Outcome::Crashed(how) => Err(format!("{what}: {how}")),
            Outcome::TimedOut(after) => Err(format!("{what}: no answer within {} s", after.as_secs_f64())),
            _ => Ok(()),
        };
        adapter.kill();
        self.line("crash", "starts again, and answers", answers("after its process was killed"))?;
        if adapter.suspend() {
            self.line("hang", "is ended in time, starts again, and answers", answers("after its process was stopped"))?;
        }
        for (with_bye, what) in [(true, "bye"), (false, "end of input")] {
            let left = answers("before its end").and_then(|()| match &adapter.leave(with_bye)[..] {
                [how] if how == "ended with exit code 0" => Ok(()),
                [how] => Err(format!("expected the process to end by itself with exit code 0, but it {how}")),
                _ => Err("expected one process".to_owned()),
            });
            self.line(what, "ends with exit code 0", left)?;
        }
        Ok(())
    }

    /// Asks a golden, and judges the answer.
    fn case(&mut self, what: &str, adapter: &Adapter, case: &Case) -> io::Result<()> {
        let outcome = adapter.evaluate(case);
        let verdict = judge(case, &oracle::evaluate(case), &outcome);
        let verdict = verdict.without_missing_gradients(adapter, case.loss.kind());
        let policy = self.data.policy_of(adapter, Scope::Goldens).map_err(io::Error::other)?;
        let new = policy.explain(case, &verdict).into_iter().find(|explained| explained.known.is_none());
        let result = match (&outcome, new) {
            (Outcome::NotProvided(why), _) => return self.line(what, &format!("not provided: {why}"), Ok(())),
            (_, None) => Ok(()),
            (_, Some(explained)) => Err(explained.difference.message),
        };
        let command = format!("losscheck show {}{}", quoted(&case.id), self.arguments);
        let is_bad = result.is_err();
        self.line(what, &case.id, result)?;
        if is_bad {
            writeln!(self.out, "      {command}")?;
        }
        Ok(())
    }

    fn line(&mut self, what: &str, right: &str, result: Result<(), String>) -> io::Result<()> {
        match result {
            Ok(()) => writeln!(self.out, "  {GOOD}ok{GOOD:#}  {HEADING}{what}{HEADING:#}  {DIM}{right}{DIM:#}"),
            Err(message) => {
                self.failures += 1;
                writeln!(self.out, "  {BAD}!!  {what}{BAD:#}  {message}")
            }
        }
    }
}

/// Something that is tried, and the cases that do.
type Special = (&'static str, fn(&Case) -> bool);

/// What is tried besides a case of each loss.
const SPECIAL: &[Special] = &[
    ("NaN", |case| has(case, f64::is_nan) && value_of(case).is_some()),
    ("infinity", |case| has(case, f64::is_infinite) && value_of(case).is_some()),
    ("-0", |case| has(case, |x| x == 0.0 && x.is_sign_negative()) && value_of(case).is_some()),
    ("refusal", |case| matches!(case.expected, Some(Expected::Rejection { .. }))),
    ("cotangent", |case| cotangent(case).is_some_and(|cotangent| cotangent.len() == 1 && cotangent.to_f64()[0] != 1.0)),
    ("cotangent of several numbers", |case| cotangent(case).is_some_and(|cotangent| cotangent.len() > 1)),
];

fn has(case: &Case, is: fn(f64) -> bool) -> bool {
    case.inputs.values().any(|tensor| tensor.dtype().is_float() && tensor.to_f64().into_iter().any(is))
}

fn cotangent(case: &Case) -> Option<&Tensor> {
    value_of(case).and(case.cotangent.as_ref()).filter(|_| is_finite(case))
}

fn value_of(case: &Case) -> Option<&Tensor> {
    match &case.expected {
        Some(Expected::Answer(Answer { value, .. })) => Some(value),
        _ => None,
    }
}
