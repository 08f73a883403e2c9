//! `torch.nn.AdaptiveLogSoftmaxWithLoss`, which has no function in `torch.nn.functional`.
//!
//! The options are the arguments of the class and the `result` that is asked for; the parameters are tensors by the names
//! of its `state_dict`.

mod random;
mod scale;

use std::ops::Range;

use losscheck_options::{AdaptiveLogSoftmaxWithLoss, AdaptiveResult, Reduction};
use losscheck_reference::{
    AdaptiveCall, AdaptiveParameters, AdaptiveTail, DoubleDouble, Error, Real, adaptive_log_softmax_with_loss,
};
use ndarray::{ArrayD, ArrayViewD};
use proptest::strategy::BoxedStrategy;

use self::scale::Magnitudes;
use super::classes;
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients};
use crate::tensor::{DType, Tensors};

const HEAD: [&str; 2] = ["head.weight", "head.bias"];
/// Projection and output of each tail that a case may hold.
const TAIL: [[&str; 2]; AdaptiveLogSoftmaxWithLoss::TAILS] = [
    ["tail.0.0.weight", "tail.0.1.weight"],
    ["tail.1.0.weight", "tail.1.1.weight"],
    ["tail.2.0.weight", "tail.2.1.weight"],
    ["tail.3.0.weight", "tail.3.1.weight"],
];

/// Returns the name of each parameter.
fn names<T>(parameters: &AdaptiveParameters<T>) -> impl Iterator<Item = &'static str> + use<T> {
    let [weight, bias] = HEAD;
    let tail = TAIL.into_iter().take(parameters.tail.len()).flatten();
    [weight].into_iter().chain(parameters.head_bias.is_some().then_some(bias)).chain(tail)
}

fn parameters<R: Real>(inputs: &Inputs<R>) -> Result<AdaptiveParameters<ArrayViewD<'_, R>>, Error> {
    let [weight, bias] = HEAD;
    let given = |names: &[&str; 2]| names.iter().any(|name| inputs.float(name).is_some());
    let tails = TAIL.iter().rposition(given).map_or(0, |last| last + 1);
    let tail = TAIL[..tails].iter().map(|[projection, output]| {
        Ok(AdaptiveTail { projection: inputs.required(projection)?, output: inputs.required(output)? })
    });
    Ok(AdaptiveParameters {
        head_weight: inputs.required(weight)?,
        head_bias: inputs.float(bias),
        tail: tail.collect::<Result<_, Error>>()?,
    })
}

/// Returns the call of the reference, with the target if there is one.
fn call<'a, R: Real>(
    options: &'a AdaptiveLogSoftmaxWithLoss,
    inputs: &'a Inputs<R>,
) -> Result<AdaptiveCall<'a, R>, Error> {
    let call = adaptive_log_softmax_with_loss(inputs.required("input")?, parameters(inputs)?, options);
    let has_target = inputs.indices("target").is_some() || inputs.float("target").is_some();
    Ok(if has_target { call.target(classes::indices(inputs)?) } else { call })
}

/// Returns the classes of each tail.
fn tails(options: &AdaptiveLogSoftmaxWithLoss) -> impl Iterator<Item = Range<usize>> {
    let ends = options.cutoffs.iter().skip(1).chain([&options.n_classes]);
    options.cutoffs.iter().zip(ends).map(|(&start, &end)| start..end)
}

impl LossSpec for AdaptiveLogSoftmaxWithLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        if let Some(indices) = self.indices(inputs) {
            let value = indices?.mapv(|index| R::from_f64(index as f64));
            return Ok(ValueAndGradients { value, gradients: Vec::new() });
        }
        let (call, cotangent) = (call(self, inputs)?, inputs.cotangent());
        Ok(match request.outputs {
            Outputs::Value => ValueAndGradients { value: call.value()?, gradients: Vec::new() },
            Outputs::FirstGradient => {
                let (value, gradient) = call.value_and_gradient(cotangent)?;
                ValueAndGradients { value, gradients: vec![("input", gradient)] }
            }
            Outputs::Gradients => {
                let (value, gradients) = call.value_and_gradients(cotangent)?;
                let by_parameters = names(&gradients.parameters).zip(gradients.parameters);
                ValueAndGradients {
                    value,
                    gradients: [("input", gradients.input)].into_iter().chain(by_parameters).collect(),
                }
            }
        })
    }

    fn indices<R: Real>(&self, inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>> {
        (self.result == AdaptiveResult::Predict).then(|| call(self, inputs)?.predict())
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        if self.result == AdaptiveResult::Predict {
            // Indices have no errors.
            return self.evaluate(inputs, Outputs::Value.into());
        }
        let shaped = self.evaluate(&inputs.to_f64(), Outputs::Value.into())?.value;
        let mut magnitudes = Magnitudes::new(self, inputs)?;
        magnitudes.add_all(self, inputs);
        let count = inputs.indices("target").map_or(1, |target| target.len());
        let evaluation = magnitudes.evaluation(shaped.shape(), inputs)?;
        let reduction = if self.result == AdaptiveResult::Loss { Reduction::Mean } else { Reduction::None };
        Ok(classes::divided(evaluation, reduction, classes::Denominator::ones(count)))
    }

    fn options_schema() -> schemars::Schema {
        let mut schema = schemars::schema_for!(Self);
        if let Some(cutoffs) = schema.pointer_mut("/properties/cutoffs") {
            cutoffs["maxItems"] = AdaptiveLogSoftmaxWithLoss::TAILS.into();
        }
        schema
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        random::generate(dtype)
    }
}
