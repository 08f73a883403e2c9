//! The reference writing over its earlier results.

use std::cell::Cell;
use std::hint::black_box;

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Outcome, Pass};
use losscheck::case::Case;
use losscheck::loss::{Arithmetic, Inputs, LossExt, LossKind, Outputs, Request};
use losscheck::tensor::DType;

/// The reference, each call of which writes value and gradient over those of the call before and allocates no results.
#[derive(Debug)]
pub struct ReferenceInto;

impl Backend for ReferenceInto {
    fn name(&self) -> &str {
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
        match case.dtype() {
            DType::F16 | DType::BF16 | DType::F32 => workload::<f32>(case, pass),
            DType::F64 | DType::I64 | DType::U8 => workload::<f64>(case, pass),
        }
    }
}

fn workload<R: Arithmetic>(case: &Case, pass: Pass) -> Option<Box<dyn FnMut() + '_>> {
    let (inputs, outputs) = (Inputs::<R>::from(case), Outputs::from(pass));
    let results = Cell::new(Some(case.loss.evaluate(&inputs, outputs).ok()?));
    Some(Box::new(move || {
        let request = Request { outputs, buffers: results.take() };
        results.set(black_box(black_box(&case.loss).evaluate(black_box(&inputs), request)).ok());
    }))
}
