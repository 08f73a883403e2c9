//! What an adapter wrote, as a backend.

use std::collections::BTreeMap;
use std::fmt;

use losscheck::backend::{Backend, Coverage, Outcome, PytorchVersion};
use losscheck::case::{Answer, Case};
use losscheck::loss::LossKind;
use losscheck::tensor::Tensors;
use serde_json::{Map, Value};

use crate::PROTOCOL;
use crate::message::{Answered, CoverageName, Failed, Hello, Rejected, Reply, Unsupported};
use crate::tensor;

/// A backend that answers with what an adapter wrote before.
#[derive(Debug)]
pub struct Recording {
    hello: Hello,
    pytorch: PytorchVersion,
    outcomes: BTreeMap<String, Outcome>,
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
            Some((at, text)) => hello(text, hash).map_err(|message| BadLine { line: at + 1, message })?,
        };
        let mut found: BTreeMap<usize, (usize, Outcome)> = BTreeMap::new();
        for (at, text) in lines {
            let bad = |message| BadLine { line: at + 1, message };
            let Some((n, outcome)) = outcome(reply(text).map_err(bad)?, hello.changes_inputs).map_err(bad)? else {
                continue;
            };
            if n >= cases.len() {
                return Err(bad(format!("`n`: expected the number of a case, below {}, found {n}", cases.len())));
            }
            if let Some((first, _)) = found.insert(n, (at + 1, outcome)) {
                return Err(bad(format!("`n`: case {n} has an answer in line {first}, expected one for each case")));
            }
        }
        let outcomes = found.into_iter().map(|(n, (_, outcome))| (cases[n].id.clone(), outcome)).collect();
        Ok(Self { hello, pytorch, outcomes })
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
        let libraries: Vec<String> =
            self.hello.libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let device = self.hello.device.as_ref().map(|device| format!(" ({device})")).unwrap_or_default();
        libraries.join(", ") + &device
    }

    fn pytorch(&self) -> PytorchVersion {
        self.pytorch
    }

    fn coverage(&self, loss: LossKind) -> Coverage {
        match self.hello.losses.get(loss.name()).map(|provided| provided.coverage) {
            Some(CoverageName::Native) => Coverage::Native,
            Some(CoverageName::Composed) => Coverage::Composed,
            None => Coverage::Missing,
        }
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        if let Some(outcome) = self.outcomes.get(&case.id) {
            return outcome.clone();
        }
        match self.coverage(case.loss.kind()) {
            Coverage::Missing => Outcome::NotProvided(format!("{} has no such loss", self.hello.name)),
            Coverage::Native | Coverage::Composed => Outcome::Failed("there is no answer to the case".to_owned()),
        }
    }
}

/// Reads a message.
fn reply(text: &str) -> Result<Reply, String> {
    serde_json::from_str(text).map_err(|error| {
        let start: String = text.chars().take(40).collect();
        format!("expected a message of the protocol, found `{start}`: {error}")
    })
}

/// Reads the first message.
fn hello(text: &str, hash: &str) -> Result<(Hello, PytorchVersion), String> {
    let Reply::Hello(hello) = reply(text)? else {
        return Err("expected `hello` as the first message".to_owned());
    };
    if hello.protocol != PROTOCOL {
        return Err(format!("`protocol`: expected {PROTOCOL}, found {}", hello.protocol));
    }
    match &hello.cases {
        Some(cases) if cases == hash => {}
        Some(cases) => {
            return Err(format!(
                "`cases`: these are answers to other cases ({cases}, not {hash}): choose those of the export"
            ));
        }
        None => return Err(format!("`cases`: missing, expected the hash in losscheck's hello, {hash}")),
    }
    for loss in hello.losses.keys() {
        loss.parse::<LossKind>().map_err(|message| format!("`losses`: {message}"))?;
    }
    let pytorch = match &hello.pytorch {
        None => PytorchVersion::CURRENT,
        Some(version) => version.parse().map_err(|message| format!("`pytorch`: {message}"))?,
    };
    Ok((*hello, pytorch))
}

/// Returns the number of the case that a message is about and what became of it, or `None` for a message about none.
fn outcome(reply: Reply, changes_inputs: bool) -> Result<Option<(usize, Outcome)>, String> {
    Ok(Some(match reply {
        Reply::Hello(_) => return Err("expected one hello, found another".to_owned()),
        Reply::Busy(_) | Reply::Bye(_) => return Ok(None),
        Reply::Answer(Answered { n, inputs_intact: false, .. }) if !changes_inputs => {
            (n, Outcome::Failed("the call changed its inputs, which `changes_inputs` does not declare".to_owned()))
        }
        Reply::Answer(Answered { n, value, gradients, .. }) => {
            let value = tensor::read(&value).map_err(|message| format!("`value`: {message}"))?;
            (n, Outcome::Answer(Answer { value, gradients: tensors(&gradients)? }))
        }
        Reply::Rejected(Rejected { n, message }) => (n, Outcome::Rejection(message)),
        Reply::Unsupported(Unsupported { n, why }) => (n, Outcome::NotProvided(why)),
        Reply::Failed(Failed { n, message }) => (n, Outcome::Failed(message)),
    }))
}

fn tensors(gradients: &Map<String, Value>) -> Result<Tensors, String> {
    let read = |(name, value): (&String, &Value)| match tensor::read(value) {
        Ok(tensor) => Ok((name.clone(), tensor)),
        Err(message) => Err(format!("`gradients.{name}`: {message}")),
    };
    gradients.iter().map(read).collect()
}
