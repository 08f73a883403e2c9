//! What there is to say of a case: the document of `--format json`, which the tables are printed from, too.

use std::collections::BTreeMap;

use losscheck::backend::call::evaluate;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::format::{Flag, write_case, write_tensor};
use losscheck::case::{Answer, Case, Expected, ExpectedBy};
use losscheck::data::DataFolder;
use losscheck::deviations::{Deviations, Explained, JudgedBy, Known, PYTORCH, Policy, Scope};
use losscheck::error::DataError;
use losscheck::judge::MeasuredAt;
use losscheck::judge::bounds::Bounds;
use losscheck::judge::oracle::ExactAnswer;
use losscheck::judge::ulp::distance;
use losscheck::judge::verdict::{DifferenceKind, Verdict};
use losscheck::loss::Output;
use losscheck::run::conformance::{EXPECTED, JudgedAs, Judges};
use losscheck::tensor::{Data, Tensor};
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::ArrayD;
use serde::Serialize;
use serde_json::{Value, json};

use super::cause::{Cause, causes};

/// A case and what everyone answers.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// The case, with PyTorch's answer, in the golden format.
    pub(super) case: Value,
    /// What its flags mean.
    pub(super) flags: BTreeMap<String, Explanation>,
    /// Why there is no exact answer, where there is none.
    pub(super) refused: Option<String>,
    /// The value, then the gradients, of the exact answer.
    pub(super) exact: Vec<Exact>,
    /// Why numbers of the exact answer are not finite, at most one reason for each output.
    pub(super) not_finite: Vec<Cause>,
    /// What the case expects, then the backends' answers.
    pub(super) answers: Vec<AnswerView>,
}

/// What a flag means.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// What its cases test.
    pub(super) tests: String,
    /// Why that is worth a test.
    pub(super) why: String,
    /// The upstream issues behind it.
    pub(super) upstream: Vec<String>,
}

/// An output in exact arithmetic.
#[derive(Debug, Serialize)]
pub(super) struct Exact {
    /// `value` or `gradient of NAME`.
    pub(super) output: String,
    /// The exact result, rounded to f64.
    pub(super) tensor: Value,
    #[serde(skip)]
    pub(super) elements: Vec<f64>,
}

/// What someone answers.
#[derive(Debug, Serialize)]
pub(super) struct AnswerView {
    /// `pytorch` or `expected` for what the case expects, or the backend.
    pub(super) backend: String,
    /// The version of PyTorch that the answer is judged by, if it is an older one whose answer to the case is another.
    pub(super) judged_by: Option<String>,
    /// The verdict on the answer.
    pub(super) verdict: VerdictView,
    /// The message, where it rejects the case, panics or has nothing for it.
    pub(super) message: Option<String>,
    /// How it differs.
    pub(super) differences: Vec<DifferenceView>,
    /// What it computes.
    pub(super) outputs: Vec<OutputView>,
}

/// A verdict, without what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum VerdictView {
    /// The answer agrees with the oracle.
    #[serde(rename = "agrees")]
    Agrees,
    /// The answer agrees with PyTorch's, but not with the oracle's.
    #[serde(rename = "agrees with PyTorch alone")]
    AgreesWithPytorchAlone,
    /// The backend does not provide the case.
    #[serde(rename = "not provided")]
    NotProvided,
    /// The answer differs.
    #[serde(rename = "differs")]
    Differs,
}

impl VerdictView {
    /// Returns the verdict in words.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::AgreesWithPytorchAlone => "agrees with PyTorch alone",
            Self::NotProvided => "not provided",
            Self::Differs => "differs",
        }
    }
}

/// A difference.
#[derive(Debug, Serialize)]
pub(super) struct DifferenceView {
    /// What sort.
    pub(super) kind: DifferenceKind,
    /// What was expected and what came.
    pub(super) message: String,
    /// Why the backend differs, if that is known.
    pub(super) known: Option<String>,
}

/// An output as someone computes it.
#[derive(Debug, Serialize)]
pub(super) struct OutputView {
    /// `value` or `gradient of NAME`.
    pub(super) output: String,
    /// The result.
    pub(super) tensor: Value,
    /// The error of each element in ULPs at the error scale; null where there is no number for it.
    pub(super) ulps: Option<Vec<Option<f64>>>,
    /// The error of each element in plain ULPs, at the magnitude of the exact number; null where there is no number for it.
    pub(super) plain_ulps: Option<Vec<Option<f64>>>,
    #[serde(skip)]
    pub(super) own: Tensor,
}

impl View {
    pub(super) fn new(
        case: &Case,
        flags: &BTreeMap<String, Flag>,
        (scope, measured_at): (Scope, MeasuredAt),
        backends: &[&dyn Backend],
        data: &DataFolder,
    ) -> Result<Self, DataError> {
        let by = JudgedAs::new(std::slice::from_ref(case), scope, None, backends, data)?;
        let bounds = Bounds::default();
        let judges = Judges::new(case, &by, &bounds, measured_at);
        let judge = judges.of_expectations();
        let exact = judge.exact();
        let explain = |name: &String| {
            let Flag { tests, why, upstream } = flags.get(name)?.clone();
            Some((name.clone(), Explanation { tests, why, upstream }))
        };
        let stored = case.expected.clone().map(|expected| match expected {
            Expected::Answer(answer) => Outcome::Answer(answer),
            Expected::Rejection { message, .. } if message.is_empty() => Outcome::Rejection("in any words".to_owned()),
            Expected::Rejection { error, message } => Outcome::Rejection(format!("{error}: {message}")),
        });
        let of_backends = backends.iter().enumerate().map(|(position, backend)| {
            let own = judges.of_backend(position);
            let (policy, outcome) = (data.policy_of(*backend, scope)?, evaluate(*backend, case));
            let verdict = match policy.own.judged_by {
                JudgedBy::OracleOrPytorch => own.judge(&outcome),
                JudgedBy::Oracle => own.judge_by_oracle(&outcome),
            };
            let verdict = verdict.without_missing_gradients(*backend, case.loss.kind());
            let judged_by = (!std::ptr::eq(own, judge)).then(|| backend.pytorch().to_string());
            Ok(AnswerView { judged_by, ..AnswerView::new(case, &policy, outcome, verdict, own.exact()) })
        });
        let of_case = stored.map(|outcome| {
            let policy = match case.expected_by {
                ExpectedBy::Pytorch(_) => data.policy(PYTORCH, scope)?,
                ExpectedBy::Author => Policy::new(EXPECTED, scope, Deviations::default()),
            };
            Ok(AnswerView::new(case, &policy, outcome, judge.judge_expected(), exact))
        });
        Ok(Self {
            case: write_case(case),
            flags: case.flags.iter().filter_map(explain).collect(),
            refused: exact.as_ref().err().map(ToString::to_string),
            exact: exact.as_ref().map_or_else(|_| Vec::new(), Exact::all),
            not_finite: exact.as_ref().map_or_else(|_| Vec::new(), |exact| causes(case, exact)),
            answers: of_case.into_iter().chain(of_backends).collect::<Result<_, DataError>>()?,
        })
    }
}

impl Exact {
    fn all(exact_answer: &ExactAnswer) -> Vec<Self> {
        let exact = |(output, array): (Output, &ArrayD<DoubleDouble>)| {
            let elements: Vec<f64> = array.iter().map(|x| x.to_f64()).collect();
            let tensor = Tensor::new(array.shape().to_vec(), Data::F64(elements.clone()));
            let tensor = tensor.as_ref().map_or_else(|| json!(null), write_tensor);
            Self { output: output.to_string(), tensor, elements }
        };
        exact_answer.results.outputs().map(exact).collect()
    }
}

impl AnswerView {
    fn new(
        case: &Case,
        policy: &Policy,
        outcome: Outcome,
        verdict: Verdict,
        exact: &Result<ExactAnswer, Error>,
    ) -> Self {
        let (message, outputs) = match outcome {
            Outcome::Answer(answer) => (None, outputs(answer, exact)),
            Outcome::ChangedInputs(answer) => (Some("changes its inputs".to_owned()), outputs(answer, exact)),
            Outcome::Rejection(message) => (Some(format!("rejects it: {message}")), Vec::new()),
            Outcome::NotProvided(why) | Outcome::Failed(why) => (Some(why), Vec::new()),
            Outcome::Crashed(how) => (Some(format!("crashed: {how}")), Vec::new()),
            Outcome::TimedOut(after) => (Some(format!("no answer within {} s", after.as_secs_f64())), Vec::new()),
        };
        let explained = policy.explain(case, &verdict);
        let verdict = match verdict {
            Verdict::Agrees => VerdictView::Agrees,
            Verdict::LikePyTorch(_) => VerdictView::AgreesWithPytorchAlone,
            Verdict::NotProvided(_) => VerdictView::NotProvided,
            Verdict::Differs { .. } => VerdictView::Differs,
        };
        let reason = |known: Known| format!("{} ({})", known.deviation.reason, known.deviation.upstream);
        let differences = explained.into_iter().map(|Explained { difference, known }| DifferenceView {
            kind: difference.kind,
            message: difference.message,
            known: known.map(reason),
        });
        let (backend, differences) = (policy.name.clone(), differences.collect());
        Self { backend, judged_by: None, verdict, message, differences, outputs }
    }
}

fn outputs(answer: Answer, exact_answer: &Result<ExactAnswer, Error>) -> Vec<OutputView> {
    let gradients = answer.gradients.into_iter().map(|(name, tensor)| (format!("gradient of {name}"), tensor));
    let named = std::iter::once((Output::Value.to_string(), answer.value)).chain(gradients);
    let view = |(output, own): (String, Tensor)| {
        let at = |at| exact_answer.as_ref().ok().and_then(|exact_answer| errors(&output, &own, exact_answer, at));
        let (ulps, plain_ulps) = (at(MeasuredAt::ErrorScale), at(MeasuredAt::ExactNumber));
        OutputView { tensor: write_tensor(&own), ulps, plain_ulps, output, own }
    };
    named.map(view).collect()
}

/// The error of each element; nothing where the shapes differ.
fn errors(output: &str, own: &Tensor, exact_answer: &ExactAnswer, at: MeasuredAt) -> Option<Vec<Option<f64>>> {
    let mut outputs = exact_answer.results.outputs().zip(exact_answer.error_scale().outputs());
    let ((name, exact), (_, scales)) = outputs.find(|((name, _), _)| name.to_string() == output)?;
    let candidates = exact_answer.argmax_candidates().filter(|_| name == Output::Value);
    let elements = exact.iter().zip(scales).zip(own.to_f64()).enumerate();
    let error = |(index, ((&exact, &scale), element)): (usize, ((&DoubleDouble, &DoubleDouble), f64))| match candidates
    {
        Some(candidates) => candidates.distance(index, exact, element),
        None => {
            let magnitude = if at == MeasuredAt::ErrorScale { scale } else { exact };
            distance(own.dtype(), exact, magnitude, element)
        }
    };
    (exact.shape() == own.shape()).then(|| elements.map(error).collect())
}
