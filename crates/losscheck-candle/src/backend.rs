//! candle as losscheck backends.

use std::hint::black_box;

use candle_core::{Error, Result, Tensor};
use losscheck_backend::Loss;
use losscheck_backend::backend::{Outcome, Pass};
use losscheck_backend::case::{Answer, Case};
use losscheck_backend::tensor::Tensors;

use self::inputs::Inputs;

mod candle;
mod candle_nn;
mod convert;
mod inputs;
#[cfg(test)]
mod tests;

pub use candle::Candle;
pub use candle_nn::CandleNn;

/// The release of candle-core and candle-nn: neither crate tells its own.
const VERSION: &str = "0.11.1";

/// How a backend evaluates cases.
struct Adapter {
    to_candle: fn(&losscheck_backend::tensor::Tensor) -> Result<Tensor>,
    evaluate: fn(&Case, &Inputs) -> Result<Tensor>,
}

impl Adapter {
    fn outcome(&self, case: &Case) -> Outcome {
        match self.answer(case) {
            Ok(answer) => Outcome::Answer(answer),
            Err(error) => Outcome::Rejection(message(error)),
        }
    }

    /// The value of the loss and the gradients that the case asks for.
    fn answer(&self, case: &Case) -> Result<Answer> {
        let names: Vec<_> = case.differentiable().collect();
        let inputs = Inputs::new(case, &names, self.to_candle)?;
        let value = (self.evaluate)(case, &inputs)?;
        if !value.dtype().is_float() {
            // Indices.
            return Ok(Answer { value: convert::from_candle(&value, case)?, gradients: Tensors::new() });
        }
        let cotangent = case.cotangent.as_ref().map(self.to_candle).transpose()?;
        let found = root(value.clone(), cotangent.as_ref())?.backward()?;

        let mut gradients = Tensors::new();
        for name in names {
            let leaf = inputs.require(name)?;
            // candle's operations on tensors without elements return their first operand, so that the others are not in
            // the graph; nothing can depend on them. Nor can anything on a tail that no target falls into. Any other
            // gradient that is missing stays missing.
            let unused = matches!(case.loss, Loss::AdaptiveLogSoftmaxWithLoss(_)) && name.starts_with("tail.");
            let nothing = || unused || case.inputs.values().any(|tensor| tensor.is_empty());
            let gradient = match found.get(leaf) {
                Some(gradient) => convert::from_candle(gradient, case)?,
                None if nothing() => convert::from_candle(&leaf.zeros_like()?, case)?,
                None => continue,
            };
            gradients.insert(name.to_owned(), gradient);
        }
        Ok(Answer { value: convert::from_candle(&value, case)?, gradients })
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        let tracked: &[&str] = match pass {
            Pass::Forward => &[],
            Pass::ForwardAndGradient => &case.loss.kind().signature().differentiable[..1],
        };
        let inputs = Inputs::new(case, tracked, self.to_candle).ok()?;
        let cotangent = case.cotangent.as_ref().map(self.to_candle).transpose().ok()?;
        let work = move || -> Result<()> {
            let value = (self.evaluate)(case, black_box(&inputs))?;
            match pass {
                Pass::Forward => drop(black_box(value)),
                Pass::ForwardAndGradient => drop(black_box(root(value, cotangent.as_ref())?.backward()?)),
            }
            Ok(())
        };
        work().ok()?;
        Some(Box::new(move || work().expect("what worked once works again")))
    }
}

/// What to call `backward` on: candle starts from ones; after this product, that is the cotangent, bit for bit.
fn root(value: Tensor, cotangent: Option<&Tensor>) -> Result<Tensor> {
    match cotangent {
        None => Ok(value),
        Some(cotangent) => value * cotangent,
    }
}

/// The message without the back trace that candle appends when `RUST_BACKTRACE` is set.
fn message(error: Error) -> String {
    match error {
        Error::WithBacktrace { inner, .. } => message(*inner),
        error => error.to_string(),
    }
}
