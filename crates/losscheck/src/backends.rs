//! The backends that need no other library: the reference itself.

use std::hint::black_box;

use losscheck_reference::Error;
use ndarray::ArrayD;

use crate::backend::{Backend, Coverage, Outcome, Pass};
use crate::case::{Answer, Case, Tensors};
use crate::definition::{Arrays, Evaluation, Wanted};
use crate::loss::{Arithmetic, LossKind};
use crate::tensor::{DType, Tensor};

/// The reference, in the dtype of the case; in 16 bits it computes in f32 and rounds each result once.
#[derive(Debug)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn version(&self) -> String {
        concat!("losscheck-reference ", env!("CARGO_PKG_VERSION")).to_owned()
    }

    fn coverage(&self, _: LossKind) -> Coverage {
        Coverage::Native
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        let answer = match case.dtype() {
            DType::F16 | DType::BF16 | DType::F32 => answer::<f32>(case),
            DType::F64 | DType::I64 | DType::U8 => answer::<f64>(case),
        };
        answer.map_or_else(|error| Outcome::Rejection(error.to_string()), Outcome::Answer)
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        workload_of(case, pass, false)
    }
}

/// The reference where value and gradient are written over what the call before gave: no call allocates its results.
#[derive(Debug)]
pub struct ReferenceInto;

impl Backend for ReferenceInto {
    fn name(&self) -> &'static str {
        "reference-into"
    }

    fn version(&self) -> String {
        Reference.version()
    }

    fn coverage(&self, loss: LossKind) -> Coverage {
        match loss {
            // It has no such variant: its outputs depend on the number of tails.
            LossKind::AdaptiveLogSoftmaxWithLoss => Coverage::Missing,
            loss => Reference.coverage(loss),
        }
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        Reference.evaluate(case)
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        workload_of(case, pass, true)
    }
}

fn workload_of<'a>(case: &'a Case, pass: Pass, is_into: bool) -> Option<Box<dyn FnMut() + 'a>> {
    match case.dtype() {
        DType::F16 | DType::BF16 | DType::F32 => workload::<f32>(case, pass, is_into),
        DType::F64 | DType::I64 | DType::U8 => workload::<f64>(case, pass, is_into),
    }
}

/// The value of a case, worked out by the reference in f64 whatever the dtype.
///
/// # Errors
///
/// Where the reference refuses the inputs.
pub fn value_in_f64(case: &Case) -> Result<ArrayD<f64>, Error> {
    Ok(case.loss.evaluate(&Arrays::new(case), Wanted::Value)?.value)
}

fn answer<R: Arithmetic>(case: &Case) -> Result<Answer, Error> {
    let inputs = Arrays::<R>::new(case);
    if let Some(indices) = case.loss.indices(&inputs) {
        return Ok(Answer { value: Tensor::from_indices(indices?), gradients: Tensors::new() });
    }
    let Evaluation { value, gradients } = case.loss.evaluate(&inputs, Wanted::Gradients)?;
    let tensor = |array| Tensor::from_array(case.dtype(), array);
    let gradients = gradients.iter().map(|(name, gradient)| ((*name).to_owned(), tensor(gradient))).collect();
    Ok(Answer { value: tensor(&value), gradients })
}

fn workload<'a, R: Arithmetic>(case: &'a Case, pass: Pass, is_into: bool) -> Option<Box<dyn FnMut() + 'a>> {
    let inputs = Arrays::<R>::new(case);
    let wanted = match pass {
        Pass::Forward => Wanted::Value,
        Pass::ForwardAndGradient => Wanted::FirstGradient,
    };
    let results = case.loss.evaluate(&inputs, wanted).ok()?;
    if is_into {
        inputs.lend(results);
    }
    Some(Box::new(move || {
        let results = black_box(black_box(&case.loss).evaluate(black_box(&inputs), wanted));
        if is_into && let Ok(results) = results {
            inputs.lend(results);
        }
    }))
}
