//! The reference, writing into the caller's buffers.

use std::hint::black_box;

use losscheck::backend::{Backend, Coverage, Outcome, Pass};
use losscheck::backends::Reference;
use losscheck::case::Case;
use losscheck::definition::{Arrays, Wanted};
use losscheck::loss::LossKind;
use losscheck::tensor::DType;
use losscheck_reference::Real;

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
        match case.dtype() {
            DType::F16 | DType::BF16 | DType::F32 => workload::<f32>(case, pass),
            DType::F64 | DType::I64 | DType::U8 => workload::<f64>(case, pass),
        }
    }
}

fn workload<'a, R: Real>(case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
    let inputs = Arrays::<R>::new(case);
    let wanted = match pass {
        Pass::Forward => Wanted::Value,
        Pass::ForwardAndGradient => Wanted::FirstGradient,
    };
    inputs.lend(case.loss.evaluate(&inputs, wanted).ok()?);
    Some(Box::new(move || {
        let results = black_box(&case.loss).evaluate(black_box(&inputs), wanted);
        inputs.lend(black_box(results).expect("what worked once works again"));
    }))
}
