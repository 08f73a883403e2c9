//! The messages: each is a line of JSON, an object with one key that names it. Fields that are not known are ignored.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::tensor::Encoding;

/// A message to an adapter.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first message.
    Hello(Greeting),
    /// A case to answer.
    Case(Box<Question>),
    /// The last message.
    Bye(Bye),
}

/// What losscheck says of itself.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Greeting {
    /// The version of the protocol.
    pub protocol: u32,
    /// The version of losscheck.
    pub losscheck: String,
    /// The hash of the cases, which the adapter's hello repeats; only where all cases are known beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cases: Option<String>,
}

/// A case without what is expected of it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Question {
    /// The number that the answer repeats.
    pub n: usize,
    /// The id of the case, for messages.
    pub id: String,
    /// PyTorch's functional name of the loss.
    pub loss: String,
    /// Every option of the loss, by PyTorch's names.
    pub options: Map<String, Value>,
    /// The tensors by PyTorch's names.
    pub inputs: Map<String, Value>,
    /// The gradient that the backward pass starts from; all ones where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cotangent: Option<Value>,
    /// The inputs whose gradients are wanted.
    pub want: Vec<String>,
    /// The exact answer, if the export was asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
}

/// The exact answer to a case, rounded to f64.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exact {
    /// The value and the gradients.
    Answer {
        /// The value, a tensor.
        value: Value,
        /// The gradients by the names of the inputs.
        gradients: Map<String, Value>,
    },
    /// Why the loss refuses the case.
    Rejected(String),
}

/// A message without fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Bye {}

/// A message of an adapter.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The first message.
    Hello(Box<Hello>),
    /// The value and the gradients of a case.
    Answer(Answered),
    /// The library's own call refused the case.
    Rejected(Rejected),
    /// The library has no such loss, option or dtype.
    Unsupported(Unsupported),
    /// The adapter or the library broke.
    Failed(Failed),
    /// The process of the adapter ended. losscheck writes this into the record of a live run.
    Crashed(Crashed),
    /// The adapter did not answer in time. losscheck writes this into the record of a live run.
    TimedOut(TimedOut),
    /// The adapter is still at work.
    Busy(Busy),
    /// The last message.
    Bye(Bye),
}

/// What an adapter says of itself and its library.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Hello {
    /// The version of the protocol.
    pub protocol: u32,
    /// The name of the column.
    pub name: String,
    /// The libraries behind it, with their versions.
    #[serde(default)]
    pub libraries: BTreeMap<String, String>,
    /// Where it computes: `cpu`, `cuda`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The losses that it provides.
    pub losses: BTreeMap<String, Provided>,
    /// The version of PyTorch that it is to agree with, if that is not the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pytorch: Option<String>,
    /// The hash of the cases, as in the greeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<String>,
    /// Whether it may write into its inputs, as kernels do that leave the gradient in the logits.
    #[serde(default)]
    pub changes_inputs: bool,
    /// How long a case may take, in a live run.
    #[serde(default)]
    pub limits: Limits,
    /// How many cases it may have before it answers the first of them, in a live run; 8 if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<NonZeroUsize>,
    /// How it wants tensors in a live run: as `bits` if it does not say.
    #[serde(default)]
    pub encoding: Encoding,
    /// The selection of cases that it is made for, if it cannot take all in reasonable time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// How long a case may take, in seconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Limits {
    /// The first case with its options, dtypes and shapes, for which a compiler compiles; 60 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// Any other case; 10 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<f64>,
}

/// A selection of cases.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Some hundreds of cases: one that has to be compiled takes seconds.
    Compiled,
}

/// How an adapter comes by a loss.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Provided {
    /// Whether the library has it.
    #[serde(default)]
    pub coverage: CoverageName,
    /// The dtypes that it is provided for; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtypes: Option<Vec<String>>,
    /// The values that an option may have, by its name; any value of an option that is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Vec<Value>>,
    /// The inputs whose gradients are computed; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradients: Option<Vec<String>>,
}

/// Whether a library has a loss.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageName {
    /// The library's own function.
    #[default]
    Native,
    /// The adapter composes it from the library's operations.
    Composed,
}

/// The value and the gradients of a case.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Answered {
    /// The number of the case.
    pub n: usize,
    /// The value, a tensor.
    pub value: Value,
    /// The gradients by the names of the inputs.
    #[serde(default)]
    pub gradients: Map<String, Value>,
    /// Whether the inputs hold what they held before.
    #[serde(default = "intact")]
    pub inputs_intact: bool,
}

fn intact() -> bool {
    true
}

/// The library's own call refused the case.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Rejected {
    /// The number of the case.
    pub n: usize,
    /// What the library says.
    pub message: String,
    /// The type of the exception.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The library has nothing for the case.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Unsupported {
    /// The number of the case.
    pub n: usize,
    /// What it has not.
    pub why: String,
}

/// The adapter or the library broke.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Failed {
    /// The number of the case.
    pub n: usize,
    /// How.
    pub message: String,
    /// Where, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Whether the process is of no use any more, as after an assertion on a GPU. It is ended, and another takes its place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub poisoned: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(poisoned: &bool) -> bool {
    !poisoned
}

/// The process of the adapter ended at a case.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Crashed {
    /// The number of the case.
    pub n: usize,
    /// How.
    pub message: String,
}

/// The adapter did not answer in time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TimedOut {
    /// The number of the case.
    pub n: usize,
    /// The limit.
    pub seconds: f64,
}

/// The adapter is still at work.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Busy {
    /// The number of the case.
    pub n: usize,
    /// With what, such as `compile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

/// A line of either side, for the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is asked for")]
pub(crate) enum Line {
    /// A message to an adapter.
    Request(Request),
    /// A message of an adapter.
    Reply(Reply),
}
