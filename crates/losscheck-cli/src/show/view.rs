//! What there is to say of a case: the document of `--format json`, which the tables are printed from, too.

use std::collections::BTreeMap;

use losscheck::backend::{Backend, Outcome};
use losscheck::case::{Answer, Case, Expected};
use losscheck::definition::Output;
use losscheck::golden::{DataError, Flag, write_case, write_tensor};
use losscheck::oracle::{Truth, truth};
use losscheck::runner::{PYTORCH, evaluate};
use losscheck::suite::DataFolder;
use losscheck::tensor::{Data, Tensor};
use losscheck::ulp::distance;
use losscheck::verdict::{Kind, Verdict, judge, judge_golden};
use losscheck_reference::{Error, Real, Wide};
use ndarray::ArrayD;
use serde::Serialize;
use serde_json::{Value, json};

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
    /// PyTorch's answer, where it is stored, then the backends'.
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
    /// PyTorch or the backend.
    pub(super) backend: &'static str,
    /// `agrees`, `agrees with PyTorch alone`, `not provided` or `differs`.
    pub(super) verdict: &'static str,
    /// The message, where it rejects the case, panics or has nothing for it.
    pub(super) message: Option<String>,
    /// How it differs.
    pub(super) differences: Vec<DifferenceView>,
    /// What it computes.
    pub(super) outputs: Vec<OutputView>,
}

/// A difference.
#[derive(Debug, Serialize)]
pub(super) struct DifferenceView {
    /// What sort.
    pub(super) kind: Kind,
    /// What was expected and what came.
    pub(super) message: String,
    /// Why it is so, where that is on record.
    pub(super) on_record: Option<String>,
}

/// An output as someone computes it.
#[derive(Debug, Serialize)]
pub(super) struct OutputView {
    /// `value` or `gradient of NAME`.
    pub(super) output: String,
    /// The result.
    pub(super) tensor: Value,
    /// The error of each element in ULPs at scale; null where there is no number for it.
    pub(super) ulps: Option<Vec<Option<f64>>>,
    #[serde(skip)]
    pub(super) own: Tensor,
}

impl View {
    pub(super) fn new(
        case: &Case,
        flags: &BTreeMap<String, Flag>,
        strict: bool,
        backends: &[Box<dyn Backend>],
        data: &DataFolder,
    ) -> Result<Self, DataError> {
        let truth = truth(case);
        let explain = |name: &String| {
            let Flag { tests, why, upstream } = flags.get(name)?.clone();
            Some((name.clone(), Explanation { tests, why, upstream }))
        };
        let stored = case.expected.clone().map(|expected| match expected {
            Expected::Answer(answer) => Outcome::Answer(answer),
            Expected::Rejection { error, message } => Outcome::Rejection(format!("{error}: {message}")),
        });
        let stored = stored.map(|outcome| (PYTORCH, Ok(outcome), judge_golden(case, &truth), true));
        let oracle_alone = Case { expected: None, ..case.clone() };
        let answers = backends.iter().map(|backend| {
            let outcome = evaluate(backend.as_ref(), case);
            let verdict = judge(case, &truth, &outcome);
            let exact = matches!(judge(&oracle_alone, &truth, &outcome), Verdict::Agrees);
            (backend.name(), outcome, verdict, exact)
        });
        let pytorch = data.deviations(PYTORCH)?;
        let view = |(backend, outcome, verdict, exact): (&'static str, _, Verdict, bool)| {
            let own = data.deviations(backend)?;
            let reason = |kind| {
                let record = if strict {
                    own.excuse_golden(case, kind)
                } else {
                    own.excuse_other(case, kind).or_else(|| pytorch.excuse_other(case, kind))
                };
                record.map(|record| format!("{} ({})", record.reason, record.upstream))
            };
            let mut view = AnswerView::new(backend, outcome, verdict, &truth, reason);
            if view.verdict == "agrees" && !exact {
                view.verdict = "agrees with PyTorch alone";
            }
            Ok(view)
        };
        Ok(Self {
            case: write_case(case),
            flags: case.flags.iter().filter_map(explain).collect(),
            refused: truth.as_ref().err().map(ToString::to_string),
            exact: truth.as_ref().map_or_else(|_| Vec::new(), Exact::all),
            answers: stored.into_iter().chain(answers).map(view).collect::<Result<_, _>>()?,
        })
    }
}

impl Exact {
    fn all(truth: &Truth) -> Vec<Self> {
        let exact = |(output, array): (Output, &ArrayD<Wide>)| {
            let elements: Vec<f64> = array.iter().map(|x| x.to_f64()).collect();
            let tensor = Tensor::new(array.shape().to_vec(), Data::F64(elements.clone()));
            let tensor = tensor.as_ref().map_or_else(|| json!(null), write_tensor);
            Self { output: output.to_string(), tensor, elements }
        };
        truth.exact.outputs().map(exact).collect()
    }
}

impl AnswerView {
    fn new(
        backend: &'static str,
        outcome: Result<Outcome, String>,
        verdict: Verdict,
        truth: &Result<Truth, Error>,
        reason: impl Fn(Kind) -> Option<String>,
    ) -> Self {
        let (message, outputs) = match outcome {
            Ok(Outcome::Answer(answer)) => (None, outputs(answer, truth)),
            Ok(Outcome::Rejection(message)) => (Some(format!("rejects it: {message}")), Vec::new()),
            Ok(Outcome::NotProvided(why)) => (Some(why), Vec::new()),
            Err(panic) => (Some(format!("panics: {panic}")), Vec::new()),
        };
        let (verdict, differences) = match verdict {
            Verdict::Agrees => ("agrees", Vec::new()),
            Verdict::NotProvided(_) => ("not provided", Vec::new()),
            Verdict::Differs(differences) => ("differs", differences),
        };
        let differences = differences.into_iter().map(|difference| DifferenceView {
            kind: difference.kind,
            message: difference.message,
            on_record: reason(difference.kind),
        });
        Self { backend, verdict, message, differences: differences.collect(), outputs }
    }
}

fn outputs(answer: Answer, truth: &Result<Truth, Error>) -> Vec<OutputView> {
    let gradients = answer.gradients.into_iter().map(|(name, tensor)| (format!("gradient of {name}"), tensor));
    let named = std::iter::once((Output::Value.to_string(), answer.value)).chain(gradients);
    let view = |(output, own): (String, Tensor)| {
        let ulps = truth.as_ref().ok().and_then(|truth| errors(&output, &own, truth));
        OutputView { tensor: write_tensor(&own), ulps, output, own }
    };
    named.map(view).collect()
}

/// The error of each element; nothing where the shapes differ.
fn errors(output: &str, own: &Tensor, truth: &Truth) -> Option<Vec<Option<f64>>> {
    let mut outputs = truth.exact.outputs().zip(truth.magnitudes().outputs());
    let ((name, exact), (_, scales)) = outputs.find(|((name, _), _)| name.to_string() == output)?;
    let contenders = truth.contenders().filter(|_| name == Output::Value);
    let elements = exact.iter().zip(scales).zip(own.to_f64()).enumerate();
    let error = |(index, ((&exact, &scale), element)): (usize, ((&Wide, &Wide), f64))| match contenders {
        Some(contenders) => contenders.distance(index, exact, element),
        None => distance(own.dtype(), exact, scale, element),
    };
    (exact.shape() == own.shape()).then(|| elements.map(error).collect())
}
