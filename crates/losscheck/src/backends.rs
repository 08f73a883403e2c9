//! The backends that need no other library: the reference itself.

use std::hint::black_box;

use losscheck_reference::Error;

use crate::backend::{Backend, Coverage, Outcome, Pass};
use crate::case::{Answer, Case};
use crate::definition::{Arrays, Evaluation, Wanted};
use crate::loss::LossKind;
use crate::tensor::{DType, Element, Tensor};

/// The reference, in the dtype of the case.
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
            DType::F32 => answer::<f32>(case),
            _ => answer::<f64>(case),
        };
        answer.map_or_else(|error| Outcome::Rejection(error.to_string()), Outcome::Answer)
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        match case.dtype() {
            DType::F32 => workload::<f32>(case, pass),
            _ => workload::<f64>(case, pass),
        }
    }
}

fn answer<T: Element>(case: &Case) -> Result<Answer, Error> {
    let Evaluation { value, gradients } = case.loss.evaluate::<T>(&Arrays::new(case), Wanted::Gradients)?;
    let gradients = gradients.into_iter().map(|(name, gradient)| (name.to_owned(), Tensor::from_array(gradient)));
    Ok(Answer { value: Tensor::from_array(value), gradients: gradients.collect() })
}

fn workload<'a, T: Element>(case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
    let inputs = Arrays::<T>::new(case);
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
