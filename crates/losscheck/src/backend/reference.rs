//! The backend that needs no other library: the reference itself.

use std::hint::black_box;

use losscheck_reference::Error;
use ndarray::ArrayD;

use super::{Backend, Coverage, Outcome, Pass};
use crate::case::{Answer, Case};
use crate::loss::{Arithmetic, Inputs, LossExt, LossKind, Outputs, ValueAndGradients};
use crate::tensor::{DType, Tensor, TensorExt, Tensors};

/// The reference, which computes in the dtype of the case. In 16 bits it computes in f32 and rounds each result once.
#[derive(Debug)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &str {
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

/// Returns the value of a case, which the reference computes in f64 for any dtype of the case.
///
/// # Errors
///
/// Returns an error if the inputs are invalid.
pub fn value_in_f64(case: &Case) -> Result<ArrayD<f64>, Error> {
    Ok(case.loss.evaluate(&Inputs::from(case), Outputs::Value)?.value)
}

fn answer<R: Arithmetic>(case: &Case) -> Result<Answer, Error> {
    let inputs = Inputs::<R>::from(case);
    if let Some(indices) = case.loss.indices(&inputs) {
        return Ok(Answer { value: Tensor::from_index_array(indices?), gradients: Tensors::new() });
    }
    let (first, wanted) = (case.loss.kind().signature().differentiable[0], case.differentiable().collect::<Vec<_>>());
    let outputs = match wanted[..] {
        [] => Outputs::Value,
        [name] if name == first => Outputs::FirstGradient,
        _ => Outputs::Gradients,
    };
    let ValueAndGradients { value, mut gradients } = case.loss.evaluate(&inputs, outputs)?;
    gradients.retain(|(name, _)| wanted.contains(name));
    let tensor = |array| Tensor::from_array(case.dtype(), array);
    let gradients = gradients.iter().map(|(name, gradient)| ((*name).to_owned(), tensor(gradient))).collect();
    Ok(Answer { value: tensor(&value), gradients })
}

fn workload<R: Arithmetic>(case: &Case, pass: Pass) -> Option<Box<dyn FnMut() + '_>> {
    let (inputs, outputs) = (Inputs::<R>::from(case), Outputs::from(pass));
    case.loss.evaluate(&inputs, outputs).ok()?;
    Some(Box::new(move || {
        let _ = black_box(black_box(&case.loss).evaluate(black_box(&inputs), outputs));
    }))
}
