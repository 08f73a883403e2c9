//! `torch.nn.AdaptiveLogSoftmaxWithLoss`, which has no function in `torch.nn.functional`.
//!
//! The options are the arguments of the class and the `result` that is asked for; the parameters are tensors by the names
//! of its `state_dict`.

mod random;
mod scale;

use std::ops::Range;

use losscheck_reference::{
    AdaptiveLogSoftmaxWithLoss, AdaptiveParameters, AdaptiveTail, DoubleDouble, Error, Real, Reduction,
};
use ndarray::{ArrayD, ArrayViewD};
use proptest::strategy::BoxedStrategy;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use self::scale::Magnitudes;
use super::classes;
use super::{Inputs, LossSpec, Outputs, Request, Signature, ValueAndGradients};
use crate::tensor::{DType, Tensors};

/// The options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The number of elements of a sample. PyTorch has no default for this, nor for the next two.
    pub in_features: usize,
    /// The number of classes.
    pub n_classes: usize,
    /// The first class of each tail, of which a case can hold four.
    #[serde(deserialize_with = "cutoffs")]
    #[schemars(length(max = 4))]
    pub cutoffs: Vec<usize>,
    /// By how much the tails' projections shrink.
    #[serde(with = "super::number")]
    #[schemars(schema_with = "super::number::schema")]
    pub div_value: f64,
    /// Whether the head has a bias.
    pub head_bias: bool,
    /// Which of PyTorch's results is asked for.
    pub result: AdaptiveResult,
}

/// PyTorch's results: two of `forward`, and two methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AdaptiveResult {
    /// `forward(input, target).loss`.
    #[default]
    Loss,
    /// `forward(input, target).output`.
    Output,
    /// `log_prob(input)`.
    LogProb,
    /// `predict(input)`: integers, without gradients.
    Predict,
}

fn cutoffs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    let cutoffs = Vec::deserialize(deserializer)?;
    if cutoffs.len() > TAIL.len() {
        let expected = format!("at most {}, for a case can name no more tails", TAIL.len());
        return Err(serde::de::Error::invalid_length(cutoffs.len(), &expected.as_str()));
    }
    Ok(cutoffs)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            in_features: 0,
            n_classes: 0,
            cutoffs: Vec::new(),
            div_value: 4.0,
            head_bias: false,
            result: AdaptiveResult::Loss,
        }
    }
}

const HEAD: [&str; 2] = ["head.weight", "head.bias"];
/// Projection and output of each tail that a case may hold.
const TAIL: [[&str; 2]; 4] = [
    ["tail.0.0.weight", "tail.0.1.weight"],
    ["tail.1.0.weight", "tail.1.1.weight"],
    ["tail.2.0.weight", "tail.2.1.weight"],
    ["tail.3.0.weight", "tail.3.1.weight"],
];

/// The name of each parameter.
fn names<T>(parameters: &AdaptiveParameters<T>) -> impl Iterator<Item = &'static str> {
    let [weight, bias] = HEAD;
    let tail = TAIL.into_iter().take(parameters.tail.len()).flatten();
    [weight].into_iter().chain(parameters.head_bias.as_ref().map(|_| bias)).chain(tail)
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

impl Options {
    fn loss(&self) -> AdaptiveLogSoftmaxWithLoss {
        AdaptiveLogSoftmaxWithLoss {
            in_features: self.in_features,
            n_classes: self.n_classes,
            cutoffs: self.cutoffs.clone(),
            div_value: self.div_value,
            head_bias: self.head_bias,
        }
    }

    fn with(&self, result: AdaptiveResult) -> Self {
        Self { result, ..self.clone() }
    }

    /// The classes of each tail.
    fn tails(&self) -> impl Iterator<Item = Range<usize>> {
        let ends = self.cutoffs.iter().skip(1).chain([&self.n_classes]);
        self.cutoffs.iter().zip(ends).map(|(&start, &end)| start..end)
    }
}

impl LossSpec for Options {
    const SIGNATURE: Signature = Signature {
        required: &["input", "head.weight", "tail.0.0.weight", "tail.0.1.weight"],
        optional: &[
            "target",
            "head.bias",
            "tail.1.0.weight",
            "tail.1.1.weight",
            "tail.2.0.weight",
            "tail.2.1.weight",
            "tail.3.0.weight",
            "tail.3.1.weight",
        ],
        integers: &["target"],
        differentiable: &[
            "input",
            "head.weight",
            "head.bias",
            "tail.0.0.weight",
            "tail.0.1.weight",
            "tail.1.0.weight",
            "tail.1.1.weight",
            "tail.2.0.weight",
            "tail.2.1.weight",
            "tail.3.0.weight",
            "tail.3.1.weight",
        ],
    };

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        use losscheck_reference::AdaptiveResult as Result;

        if let Some(indices) = self.indices(inputs) {
            let value = indices?.mapv(|index| R::from_f64(index as f64));
            return Ok(ValueAndGradients { value, gradients: Vec::new() });
        }
        let result = match self.result {
            AdaptiveResult::Loss => Result::Loss(classes::indices(inputs)?),
            AdaptiveResult::Output => Result::Output(classes::indices(inputs)?),
            _ => without_target(inputs).map(|()| Result::LogProb)?,
        };
        let (loss, parameters) = (self.loss(), parameters(inputs)?);
        let (input, cotangent) = (inputs.required("input")?, inputs.cotangent());
        Ok(match request.outputs {
            Outputs::Value => {
                ValueAndGradients { value: loss.value(&parameters, input, result)?, gradients: Vec::new() }
            }
            Outputs::FirstGradient => {
                let (value, gradient) = loss.value_and_gradient(&parameters, input, result, cotangent)?;
                ValueAndGradients { value, gradients: vec![("input", gradient)] }
            }
            Outputs::Gradients => {
                let (value, gradients) = loss.value_and_gradients(&parameters, input, result, cotangent)?;
                let by_parameters = names(&parameters).zip(gradients.parameters);
                ValueAndGradients {
                    value,
                    gradients: [("input", gradients.input)].into_iter().chain(by_parameters).collect(),
                }
            }
        })
    }

    fn indices<R: Real>(&self, inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>> {
        (self.result == AdaptiveResult::Predict).then(|| {
            without_target(inputs)?;
            self.loss().predict(&parameters(inputs)?, inputs.required("input")?)
        })
    }

    fn argmax_candidates(&self) -> Option<Self> {
        (self.result == AdaptiveResult::Predict).then(|| self.with(AdaptiveResult::LogProb))
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

    fn reduction(&self) -> Option<&'static str> {
        None
    }

    fn with_reduction(&self, _: Reduction) -> Option<Self> {
        None
    }

    fn unreduced(&self) -> Self {
        match self.result {
            AdaptiveResult::Loss => self.with(AdaptiveResult::Output),
            AdaptiveResult::Predict => self.with(AdaptiveResult::LogProb),
            AdaptiveResult::Output | AdaptiveResult::LogProb => self.clone(),
        }
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        random::generate(dtype)
    }
}

/// That there is no target, which `log_prob` and `predict` do not take.
fn without_target<R: Real>(inputs: &Inputs<R>) -> Result<(), Error> {
    let shape = inputs.indices("target").map(|target| target.shape().to_vec());
    match shape.or_else(|| inputs.float("target").map(|target| target.shape().to_vec())) {
        Some(shape) => Err(Error::Shape { name: "target", shape, expected: "none for this result".to_owned() }),
        None => Ok(()),
    }
}
