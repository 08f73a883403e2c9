//! What a backend has to show before it is timed: that it computes the very case within the oracle's budget.
//!
//! Each pass is held to what it computes: forward to the value, forward with gradient to the gradient of `input` as well.
//! The oracle takes microseconds for each element. A case beyond the second-level cache is therefore judged in two parts:
//! value and gradients on that cache's size (fewer rows of the same distribution) against the oracle, and the value of the
//! whole case against the reference in f64, within the budget of the value.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use losscheck::backend::call::{evaluate, without_panic_messages};
use losscheck::backend::reference::value_in_f64;
use losscheck::backend::{Backend, Pass};
use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::deviations::{Explained, Known, Scope};
use losscheck::judge::judge;
use losscheck::judge::oracle::{self, ExactAnswer};
use losscheck::judge::verdict::{Difference, Verdict};
use losscheck::loss::{Output, ValueAndGradients};
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::ArrayD;

use crate::size::Size;
use crate::workloads::{Shapes, Workload};

/// What verifying says.
#[derive(Clone, Debug)]
pub enum Finding {
    /// It agrees: time it.
    Agrees,
    /// It has nothing for the case.
    Missing,
    /// It differs in what the pass computes.
    Differs(Vec<Flaw>),
}

/// One way in which a backend differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// The case and what came instead of what.
    pub message: String,
    /// Why the backend differs, if that is known for such cases.
    pub known: Option<String>,
    /// The gradient that is off; any pass is concerned where it is something else.
    gradient: Option<&'static str>,
}

/// A workload's case and what its results have to be; each is worked out when first asked for.
#[derive(Debug)]
pub struct Verifier {
    workload: Workload,
    case: OnceCell<Case>,
    claims: OnceCell<Vec<Claim>>,
    findings: RefCell<BTreeMap<String, Finding>>,
}

/// A case with the outputs that are judged.
#[derive(Debug)]
struct Claim {
    /// Absent where it is the workload's own.
    case: Option<Case>,
    exact: Result<ExactAnswer, Error>,
}

impl Verifier {
    /// Returns a verifier of a workload, which has worked out nothing yet.
    pub fn new(workload: Workload) -> Self {
        Self { workload, case: OnceCell::new(), claims: OnceCell::new(), findings: RefCell::default() }
    }

    /// Returns the workload.
    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// Returns the case to time.
    pub fn case(&self) -> &Case {
        self.case.get_or_init(|| self.workload.case())
    }

    /// Returns whether the backend computes what the pass times: the value, with [`Pass::ForwardAndGradient`] also the gradient
    /// of `input`.
    pub fn verify(&self, backend: &dyn Backend, pass: Pass) -> Finding {
        let mut findings = self.findings.borrow_mut();
        let finding = findings.entry(backend.name().to_owned()).or_insert_with(|| self.judge(backend));
        let Finding::Differs(flaws) = finding else { return finding.clone() };
        let concerns = |flaw: &&Flaw| match flaw.gradient {
            Some(name) => pass == Pass::ForwardAndGradient && name == "input",
            None => true,
        };
        let flaws: Vec<_> = flaws.iter().filter(concerns).cloned().collect();
        if flaws.is_empty() { Finding::Agrees } else { Finding::Differs(flaws) }
    }

    fn judge(&self, backend: &dyn Backend) -> Finding {
        let claims = self.claims.get_or_init(|| claims(self.workload, self.case()));
        let mut flaws = Vec::new();
        for Claim { case, exact } in claims {
            let case = case.as_ref().unwrap_or(self.case());
            let outcome = without_panic_messages(|| evaluate(backend, case));
            match judge(case, exact, &outcome) {
                Verdict::Agrees | Verdict::LikePyTorch(_) => {}
                Verdict::NotProvided(_) => return Finding::Missing,
                verdict @ Verdict::Differs { .. } => flaws.extend(all_flaws(backend, case, &verdict)),
            }
        }
        if flaws.is_empty() { Finding::Agrees } else { Finding::Differs(flaws) }
    }
}

fn all_flaws(backend: &dyn Backend, case: &Case, verdict: &Verdict) -> Vec<Flaw> {
    let flaw = |difference: &Difference, known: Option<String>| {
        let gradient = match difference.output {
            Some(Output::Gradient(name)) => Some(name),
            Some(Output::Value) | None => None,
        };
        Flaw { message: format!("{}: {}", case.id, difference.message), known, gradient }
    };
    match DataFolder::shipped().policy(backend.name(), Scope::Others) {
        Ok(policy) => {
            let explained = policy.explain(case, verdict);
            let reason = |known: &Known| known.deviation.reason.clone();
            let flaw = |Explained { difference, known }: &Explained| flaw(difference, known.as_ref().map(reason));
            explained.iter().map(flaw).collect()
        }
        Err(error) => {
            let unknown =
                |difference| Flaw { message: format!("{}; {error}", difference), known: None, gradient: None };
            verdict.differences().iter().map(|difference| unknown(&difference.message)).collect()
        }
    }
}

fn claims(workload: Workload, case: &Case) -> Vec<Claim> {
    if matches!(workload.size(), Size::Small | Size::L2) {
        return vec![Claim { case: None, exact: oracle::evaluate(case) }];
    }
    let slice = workload.reshaped(Shapes::L2).case();
    let exact = oracle::evaluate(&slice);
    let whole = exact.clone().and_then(|exact| exact_of_whole(case, &exact));
    vec![Claim { case: Some(slice), exact }, Claim { case: None, exact: whole }]
}

/// Returns the value alone, by the reference in f64. A slice of the same distribution says how much larger than the value the
/// terms are that add up to it.
fn exact_of_whole(case: &Case, slice: &ExactAnswer) -> Result<ExactAnswer, Error> {
    let total = |value: &ArrayD<DoubleDouble>| value.iter().map(|x| x.abs().to_f64()).sum::<f64>();
    let factor = total(&slice.error_scale().value) / total(&slice.results.value);
    let value = value_in_f64(case)?;
    let scaled = |factor: f64| ValueAndGradients {
        value: value.mapv(|x| DoubleDouble::from_f64(x * factor)),
        gradients: Vec::new(),
    };
    Ok(ExactAnswer::in_range(scaled(1.0), scaled(factor)).overflowing_as(slice))
}
