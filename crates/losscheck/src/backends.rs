//! The backends that need no other library: the reference itself.

use std::hint::black_box;

use losscheck_reference::{Error, Real};

use crate::backend::{Backend, Coverage, Outcome, Pass};
use crate::case::{Answer, Case, Tensors};
use crate::definition::{Arrays, Evaluation, Wanted};
use crate::loss::LossKind;
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
        match case.dtype() {
            DType::F16 | DType::BF16 | DType::F32 => workload::<f32>(case, pass),
            DType::F64 | DType::I64 | DType::U8 => workload::<f64>(case, pass),
        }
    }
}

fn answer<R: Real>(case: &Case) -> Result<Answer, Error> {
    let inputs = Arrays::<R>::new(case);
    if let Some(indices) = case.loss.indices(&inputs) {
        return Ok(Answer { value: Tensor::from_indices(indices?), gradients: Tensors::new() });
    }
    let Evaluation { value, gradients } = case.loss.evaluate(&inputs, Wanted::Gradients)?;
    let tensor = |array| Tensor::from_array(case.dtype(), array);
    let gradients = gradients.iter().map(|(name, gradient)| ((*name).to_owned(), tensor(gradient))).collect();
    Ok(Answer { value: tensor(&value), gradients })
}

fn workload<'a, R: Real>(case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
    let inputs = Arrays::<R>::new(case);
    let wanted = match pass {
        Pass::Forward => Wanted::Value,
        Pass::ForwardAndGradient => Wanted::FirstGradient,
    };
    case.loss.evaluate(&inputs, wanted).ok()?;
    Some(Box::new(move || {
        let result = black_box(&case.loss).evaluate(black_box(&inputs), wanted);
        drop(black_box(result));
    }))
}
