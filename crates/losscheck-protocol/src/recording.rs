//! What an adapter wrote, as a backend.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use losscheck::backend::{Backend, Coverage, Outcome, PytorchVersion};
use losscheck::case::{Answer, Case};
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Tensors};
use serde_json::{Map, Value};

use crate::PROTOCOL;
use crate::message::{
    Answered, Busy, CoverageName, Crashed, Failed, Hello, Provided, Rejected, Reply, TimedOut, Unsupported,
};
use crate::tensor;

/// A backend that answers with what an adapter wrote before.
#[derive(Debug)]
pub struct Recording {
    hello: Hello,
    pytorch: PytorchVersion,
    outcomes: BTreeMap<String, Outcome>,
    deviations: Option<PathBuf>,
}

/// A line that is no answer to the cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The number of the line, from 1.
    pub line: usize,
    /// What was expected, and what was found.
    pub message: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl Recording {
    /// Reads what an adapter wrote about these cases, whose hash is that of [`Export`](crate::export::Export).
    ///
    /// Answers may come in any order; a case without one has failed.
    ///
    /// # Errors
    ///
    /// Returns the first line that is not one of an adapter's messages, or speaks of other cases.
    pub fn read(text: &str, cases: &[Case], hash: &str) -> Result<Self, BadLine> {
        let mut lines = text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty());
        let (hello, pytorch) = match lines.next() {
            None => return Err(BadLine { line: 1, message: "expected a hello, found nothing".to_owned() }),
            Some((at, text)) => {
                let hello = first(text).and_then(|hello| about(hello, hash));
                let read = hello.and_then(|hello| pytorch(&hello).map(|pytorch| (hello, pytorch)));
                read.map_err(|message| BadLine { line: at + 1, message })?
            }
        };
        let mut found: BTreeMap<usize, (usize, Outcome)> = BTreeMap::new();
        for (at, text) in lines {
            let bad = |message| BadLine { line: at + 1, message };
            let reply = reply(text).map_err(bad)?;
            let n = match (number(&reply), &reply) {
                (_, Reply::Busy(_) | Reply::Bye(_)) => continue,
                (Some(n), _) => n,
                (None, _) => return Err(bad("expected one hello, found another".to_owned())),
            };
            let outcome = outcome(reply, hello.changes_inputs).map_err(bad)?;
            if n >= cases.len() {
                return Err(bad(format!("`n`: expected the number of a case, below {}, found {n}", cases.len())));
            }
            if let Some((first, _)) = found.insert(n, (at + 1, outcome)) {
                return Err(bad(format!("`n`: case {n} has an answer in line {first}, expected one for each case")));
            }
        }
        let outcomes = found.into_iter().map(|(n, (_, outcome))| (cases[n].id.clone(), outcome)).collect();
        Ok(Self { hello, pytorch, outcomes, deviations: None })
    }

    /// Returns a backend that answers cases, by their ids, in this way.
    pub(crate) fn new(hello: Hello, pytorch: PytorchVersion, outcomes: BTreeMap<String, Outcome>) -> Self {
        Self { hello, pytorch, outcomes, deviations: None }
    }

    /// Names the file of the known deviations of the backend.
    #[must_use]
    pub fn with_deviations(self, deviations: Option<PathBuf>) -> Self {
        Self { deviations, ..self }
    }

    /// Returns how many cases have an answer of any kind.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.outcomes.len()
    }
}

impl Backend for Recording {
    fn name(&self) -> &str {
        &self.hello.name
    }

    fn version(&self) -> String {
        version(&self.hello)
    }

    fn pytorch(&self) -> PytorchVersion {
        self.pytorch
    }

    fn deviations(&self) -> Option<&Path> {
        self.deviations.as_deref()
    }

    fn has_gradient(&self, loss: LossKind, input: &str) -> bool {
        has_gradient(&self.hello, loss, input)
    }

    fn coverage(&self, loss: LossKind) -> Coverage {
        coverage(&self.hello, loss)
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        match (self.outcomes.get(&case.id), gap(&self.hello, case)) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(why)) => Outcome::NotProvided(why),
            (None, None) => Outcome::Failed("there is no answer to the case".to_owned()),
        }
    }
}

/// Returns the libraries behind an adapter, and where they compute.
pub(crate) fn version(hello: &Hello) -> String {
    let libraries: Vec<String> = hello.libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let device = hello.device.as_ref().map(|device| format!(" ({device})")).unwrap_or_default();
    libraries.join(", ") + &device
}

/// Returns how an adapter comes by a loss.
pub(crate) fn coverage(hello: &Hello, loss: LossKind) -> Coverage {
    match hello.losses.get(loss.name()).map(|provided| provided.coverage) {
        Some(CoverageName::Native) => Coverage::Native,
        Some(CoverageName::Composed) => Coverage::Composed,
        None => Coverage::Missing,
    }
}

/// Returns whether an adapter computes the gradient of an input.
pub(crate) fn has_gradient(hello: &Hello, loss: LossKind, input: &str) -> bool {
    let gradients = hello.losses.get(loss.name()).and_then(|provided| provided.gradients.as_ref());
    gradients.is_none_or(|gradients| gradients.iter().any(|name| name == input))
}

/// Returns what an adapter says that it has not, if a case needs it.
pub(crate) fn gap(hello: &Hello, case: &Case) -> Option<String> {
    let Hello { name, losses, .. } = hello;
    let (loss, dtype) = (case.loss.kind().name(), case.dtype().name());
    let Some(Provided { dtypes, options, .. }) = losses.get(loss) else {
        return Some(format!("{name} has no such loss"));
    };
    if dtypes.as_ref().is_some_and(|dtypes| dtypes.iter().all(|provided| provided != dtype)) {
        return Some(format!("{name} does not have {loss} for {dtype}"));
    }
    let asked = case.loss.write_options();
    options.iter().find_map(|(option, values)| {
        let value = asked.get(option).filter(|&value| values.iter().all(|provided| !is_same(provided, value)))?;
        Some(format!("{name} does not have {loss} with `{option}` {value}"))
    })
}

/// Returns whether two values are the same, be numbers whole or not.
fn is_same(provided: &Value, value: &Value) -> bool {
    provided == value || provided.as_f64().is_some_and(|provided| value.as_f64() == Some(provided))
}

/// Reads a message.
pub(crate) fn reply(text: &str) -> Result<Reply, String> {
    serde_json::from_str(text).map_err(|error| {
        let start: String = text.chars().take(40).collect();
        format!("expected a message of the protocol, found `{start}`: {error}")
    })
}

/// Reads the first message.
pub(crate) fn first(text: &str) -> Result<Hello, String> {
    let Reply::Hello(hello) = reply(text)? else {
        return Err("expected `hello` as the first message".to_owned());
    };
    if hello.protocol != PROTOCOL {
        return Err(format!("`protocol`: expected {PROTOCOL}, found {}", hello.protocol));
    }
    for (loss, Provided { dtypes, .. }) in &hello.losses {
        loss.parse::<LossKind>().map_err(|message| format!("`losses`: {message}"))?;
        for dtype in dtypes.iter().flatten() {
            dtype.parse::<DType>().map_err(|message| format!("`losses.{loss}.dtypes`: {message}"))?;
        }
    }
    Ok(*hello)
}

/// Returns the first message if it is about these cases.
fn about(hello: Hello, hash: &str) -> Result<Hello, String> {
    match &hello.cases {
        Some(cases) if cases == hash => Ok(hello),
        Some(cases) => {
            Err(format!("`cases`: these are answers to other cases ({cases}, not {hash}): choose those of the export"))
        }
        None => Err(format!("`cases`: missing, expected the hash in losscheck's hello, {hash}")),
    }
}

/// Returns the version of PyTorch that an adapter is to agree with.
pub(crate) fn pytorch(hello: &Hello) -> Result<PytorchVersion, String> {
    match &hello.pytorch {
        None => Ok(PytorchVersion::CURRENT),
        Some(version) => version.parse().map_err(|message| format!("`pytorch`: {message}")),
    }
}

/// Returns the number of the case that a message is about.
pub(crate) fn number(reply: &Reply) -> Option<usize> {
    match reply {
        Reply::Hello(_) | Reply::Bye(_) => None,
        Reply::Answer(Answered { n, .. })
        | Reply::Rejected(Rejected { n, .. })
        | Reply::Unsupported(Unsupported { n, .. })
        | Reply::Failed(Failed { n, .. })
        | Reply::Crashed(Crashed { n, .. })
        | Reply::TimedOut(TimedOut { n, .. })
        | Reply::Busy(Busy { n, .. }) => Some(*n),
    }
}

/// Returns what a message says has become of its case.
pub(crate) fn outcome(reply: Reply, changes_inputs: bool) -> Result<Outcome, String> {
    Ok(match reply {
        Reply::Hello(_) | Reply::Busy(_) | Reply::Bye(_) => return Err("expected an answer to a case".to_owned()),
        Reply::Answer(Answered { value, gradients, inputs_intact, .. }) => {
            let value = tensor::read(&value).map_err(|message| format!("`value`: {message}"))?;
            let answer = Answer { value, gradients: tensors(&gradients)? };
            if inputs_intact || changes_inputs { Outcome::Answer(answer) } else { Outcome::ChangedInputs(answer) }
        }
        Reply::Rejected(Rejected { message, error: None, .. }) => Outcome::Rejection(message),
        Reply::Rejected(Rejected { message, error: Some(error), .. }) => {
            Outcome::Rejection(format!("{error}: {message}"))
        }
        Reply::Unsupported(Unsupported { why, .. }) => Outcome::NotProvided(why),
        Reply::Failed(Failed { message, .. }) => Outcome::Failed(message),
        Reply::Crashed(Crashed { message, .. }) => Outcome::Crashed(message),
        Reply::TimedOut(TimedOut { seconds, .. }) => {
            let seconds = Duration::try_from_secs_f64(seconds).map_err(|error| format!("`seconds`: {error}"))?;
            Outcome::TimedOut(seconds)
        }
    })
}

fn tensors(gradients: &Map<String, Value>) -> Result<Tensors, String> {
    let read = |(name, value): (&String, &Value)| match tensor::read(value) {
        Ok(tensor) => Ok((name.clone(), tensor)),
        Err(message) => Err(format!("`gradients.{name}`: {message}")),
    };
    gradients.iter().map(read).collect()
}
