//! What a library has to offer to be tested: one trait, one method per question.

use crate::case::{Answer, Case};
use crate::loss::LossKind;

/// Something that evaluates cases: the reference, candle, libtorch, or yours.
///
/// A panic inside a method becomes a verdict of its own; it does not end the run.
pub trait Backend: Sync {
    /// The name on the command line and in the tables.
    fn name(&self) -> &'static str;

    /// The library behind it, with its version.
    fn version(&self) -> String;

    /// How it comes by a loss.
    fn coverage(&self, loss: LossKind) -> Coverage;

    /// Evaluates the case: the value, and the gradient of every input that [`Case::differentiable`] names.
    fn evaluate(&self, case: &Case) -> Outcome;

    /// The case as a closure to time, its inputs converted beforehand; `None` where the backend has no such loss or
    /// refuses the case. [`Pass::ForwardAndGradient`] takes the gradient of the first differentiable input alone, as
    /// training does.
    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>>;
}

/// How a backend comes by a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The library's own function.
    Native,
    /// The adapter composes it from the library's tensor operations.
    Composed,
    /// There is no such loss.
    Missing,
}

/// What a backend says of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It computes.
    Answer(Answer),
    /// It refuses the input, with its message.
    Rejection(String),
    /// The library has nothing for this case, and why: the loss or an option of it is missing.
    NotProvided(String),
}

/// What a benchmark times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The value alone, without recording a graph.
    Forward,
    /// The value and the gradient of the first differentiable input.
    ForwardAndGradient,
}
