//! `torch.nn.functional.linear_cross_entropy`.

use losscheck_options::{LinearCrossEntropyLoss, Reduction};
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::{ArrayD, IxDyn};
use proptest::collection::vec;
use proptest::prelude::*;

use super::cross_entropy::CrossEntropyScale;
use super::linear::{Layer, Rounded};
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use super::{classes, linear};
use crate::tensor::{DType, Data, Tensor, Tensors};

/// What a mean divides by.
fn denominator(options: &LinearCrossEntropyLoss, inputs: &Inputs<DoubleDouble>) -> Result<classes::Denominator, Error> {
    let Some(target) = inputs.float("target") else { return Ok(classes::denominator(inputs, options.ignored_index())) };
    let classes = inputs.required("linear_weight")?.shape()[0];
    Ok(classes::Denominator::ones(target.len().checked_div(classes).unwrap_or(0)))
}

const NAMES: [&str; 4] = ["input", "linear_weight", "linear_bias", "target"];

impl LossSpec for LinearCrossEntropyLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let layer = (inputs.required("input")?, inputs.required("linear_weight")?, inputs.optional("linear_bias")?);
        let (input, linear_weight, linear_bias) = layer;
        // PyTorch takes integer weights beside probabilities alone.
        let weight = match inputs.float("target") {
            Some(_) => inputs.optional("weight")?,
            None => inputs.optional_floats("weight")?,
        };
        let has_bias = linear_bias.is_some();
        let mut evaluation = match inputs.float("target") {
            Some(target) => ValueAndGradients::of(
                self,
                (input, linear_weight, linear_bias, target, weight),
                inputs,
                NAMES,
                request,
            )?,
            None => {
                let target = classes::indices(inputs)?;
                let [input_name, weight_name, bias_name, _] = NAMES;
                let names = [input_name, weight_name, bias_name];
                ValueAndGradients::of(
                    self,
                    (input, linear_weight, linear_bias, target, weight),
                    inputs,
                    names,
                    request,
                )?
            }
        };
        evaluation.gradients.retain(|&(name, _)| has_bias || name != "linear_bias");
        Ok(evaluation)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let denominator = denominator(self, inputs)?;
        Ok(Magnitudes::new(self, inputs, &denominator)?.evaluation(self, inputs, denominator))
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = (
            prop_oneof![3 => Just(0.0), 2 => 0.0..1.0, 1 => proptest::sample::select(vec![1.0, 1.5, -0.1])],
            proptest::option::weighted(0.2, 1u32..5),
            generate::reduction(),
        );
        let case = shapes().prop_flat_map(move |shapes| {
            let dims = |shape: &[usize]| shape.to_vec();
            // One extreme number makes every score of its row or class extreme.
            let element = prop_oneof![30 => generate::ordinary(), 1 => generate::any_float(dtype)].boxed();
            let layer = (
                generate::tensor(dtype, dims(&shapes.input), element.clone()),
                generate::tensor(dtype, dims(&shapes.linear_weight), element.clone()),
                generate::optional(generate::tensor(dtype, dims(shapes.outputs()), element)),
                generate::optional(generate::tensor(dtype, dims(&shapes.linear_weight[..1]), generate::weight())),
            );
            let probabilities = generate::tensor(dtype, shapes.scores(), generate::probability());
            let probabilities = probabilities.prop_map(|target| (target, None)).boxed();
            (layer, prop_oneof![2 => indices(&shapes), 1 => probabilities])
        });
        let case = (case, options).prop_map(|((layer, (target, ignore_index)), options)| {
            let (input, linear_weight, linear_bias, weight) = layer;
            let (label_smoothing, batch_chunk_size, reduction) = options;
            let tensors = [
                ("input", Some(input)),
                ("linear_weight", Some(linear_weight)),
                ("linear_bias", linear_bias),
                ("target", Some(target)),
                ("weight", weight),
            ];
            let options = Self { ignore_index, label_smoothing, batch_chunk_size, reduction };
            (options, generate::tensors(tensors))
        });
        case.boxed()
    }
}

/// The magnitudes of the sum, or of each row.
struct Magnitudes {
    value: ArrayD<DoubleDouble>,
    gradients: [ArrayD<DoubleDouble>; 4],
}

impl Magnitudes {
    /// A score has an error in proportion to the terms that it is the sum of; see [`linear::surprise`].
    fn new(
        options: &LinearCrossEntropyLoss,
        inputs: &Inputs<DoubleDouble>,
        denominator: &classes::Denominator,
    ) -> Result<Self, Error> {
        let (input, linear_weight) = (inputs.required("input")?, inputs.required("linear_weight")?);
        let reduction = classes::summed(options.reduction);
        let summed = LinearCrossEntropyLoss { reduction, ..*options };
        let evaluation = summed.evaluate(&inputs.to_f64(), Outputs::Value.into())?;
        let features = *input.shape().last().unwrap_or(&0);
        let shape = linear_weight.shape();
        let (outputs, classes) = (shape[..shape.len() - 1].iter().product::<usize>(), shape[0]);
        let positions: usize = shape[1..shape.len() - 1].iter().product();
        let samples = if input.ndim() == 1 { 1 } else { input.shape()[0] };
        let x = linear::exact(input.iter().copied());
        let mut layer = Layer::new(&linear_weight, inputs.float("linear_bias"), inputs);
        if options.reduction == Reduction::Mean {
            layer.slopes_are_divided_by(denominator.sum.to_f64());
        }
        let terms = CrossEntropyScale {
            weight: inputs.float("weight").map(|weight| weight.iter().map(|weight| weight.to_f64()).collect()),
            label_smoothing: options.label_smoothing,
            smallest_normal: inputs.smallest_normal(),
        };
        let indices: Option<Vec<i64>> = inputs.indices("target").map(|target| target.iter().copied().collect());
        let probabilities: Option<Vec<f64>> =
            inputs.float("target").map(|target| target.iter().map(|p| p.to_f64()).collect());
        let cotangents: Vec<f64> = inputs.cotangent().iter().flatten().map(|c| c.to_f64().abs()).collect();

        let mut value = ArrayD::from_elem(evaluation.value.raw_dim(), DoubleDouble::ZERO);
        let mut by_x = vec![0.0; x.len()];
        let mut by_target = vec![0.0; samples * outputs];
        for row in 0..samples * positions {
            let (sample, position) = (row / positions, row % positions);
            if indices.as_ref().is_some_and(|indices| indices[row] == options.ignored_index()) {
                continue;
            }
            let output = |class: usize| class * positions + position;
            let x_row = sample * features..(sample + 1) * features;
            let scores: Vec<Rounded> =
                (0..classes).map(|class| layer.score(output(class), &x[x_row.clone()])).collect();
            let surprise = linear::surprise(&scores, inputs);
            let is_reduced = reduction != Reduction::None;
            let cotangent = *cotangents.get(if is_reduced { 0 } else { row }).unwrap_or(&1.0);
            let place = |class: usize| sample * outputs + output(class);
            let coefficients = match (&indices, &probabilities) {
                (Some(indices), _) => terms.coefficients(|c| if c as i64 == indices[row] { 1.0 } else { 0.0 }, classes),
                (None, probabilities) => {
                    let target = probabilities.as_ref().expect("a target of one kind or the other");
                    terms.coefficients(|c| target[place(c)], classes)
                }
            };
            let loss = match &indices {
                // Only the target's own term, so that infinities elsewhere do not make it NaN.
                Some(indices) if options.label_smoothing <= 0.0 => {
                    let class = indices[row] as usize;
                    coefficients[class] * surprise[class].0
                }
                _ => CrossEntropyScale::sum(&surprise, &coefficients),
            };
            let at = if is_reduced { 0 } else { row };
            let total = value.as_slice_mut().expect("in order");
            total[at] = total[at] + DoubleDouble::from_f64(loss);

            if cotangent == 0.0 {
                continue;
            }
            let by_scores = linear::slopes(&terms, cotangent, &scores, &surprise, &coefficients);
            for (class, slope) in by_scores.into_iter().enumerate() {
                layer.pull_back(output(class), slope, &x[x_row.clone()], &mut by_x[x_row.clone()]);
                by_target[place(class)] = cotangent * terms.weight(class) * surprise[class].0;
            }
        }
        let shaped = |elements: Vec<f64>, shape: &[usize]| {
            let elements = elements.into_iter().map(DoubleDouble::from_f64).collect();
            ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape asks for")
        };
        let scores = [&input.shape()[..input.ndim() - 1], &shape[..shape.len() - 1]].concat();
        let gradients = [
            shaped(by_x, input.shape()),
            shaped(layer.by_weight, shape),
            shaped(layer.by_bias, &shape[..shape.len() - 1]),
            shaped(by_target, &scores),
        ];
        Ok(Self { value, gradients })
    }

    fn evaluation(
        self,
        options: &LinearCrossEntropyLoss,
        inputs: &Inputs<DoubleDouble>,
        denominator: classes::Denominator,
    ) -> ValueAndGradients<DoubleDouble> {
        let given = |name: &str| inputs.float(name).is_some();
        let gradients = NAMES.into_iter().zip(self.gradients).filter(|&(name, _)| given(name)).collect();
        classes::divided(ValueAndGradients { value: self.value, gradients }, options.reduction, denominator)
    }
}

#[derive(Clone, Debug)]
struct Shapes {
    input: Vec<usize>,
    linear_weight: Vec<usize>,
}

impl Shapes {
    fn outputs(&self) -> &[usize] {
        &self.linear_weight[..self.linear_weight.len() - 1]
    }

    fn scores(&self) -> Vec<usize> {
        [&self.input[..self.input.len() - 1], self.outputs()].concat()
    }
}

fn shapes() -> impl Strategy<Value = Shapes> {
    let dim = || prop_oneof![1 => Just(0usize), 12 => 1usize..=4];
    let features = prop_oneof![1 => Just(0usize), 8 => 1usize..=4, 2 => 20usize..=40];
    let batch = proptest::option::weighted(0.8, prop_oneof![1 => Just(0usize), 12 => 1usize..=4, 2 => 17usize..=20]);
    (batch, features, 1usize..=5, vec(dim(), 0..=2)).prop_map(|(batch, features, classes, positions)| {
        let positions = if batch.is_some() { positions } else { Vec::new() };
        Shapes {
            input: batch.into_iter().chain([features]).collect(),
            linear_weight: [classes].into_iter().chain(positions).chain([features]).collect(),
        }
    })
}

/// A class for each row, now and then one that is ignored or wrong; with the `ignore_index`.
fn indices(shapes: &Shapes) -> BoxedStrategy<(Tensor, Option<i64>)> {
    let mut rows = shapes.scores();
    let classes = rows.remove(shapes.input.len() - 1);
    let count: usize = rows.iter().product();
    prop_oneof![2 => Just(None), 1 => (0..classes as i64).prop_map(Some)]
        .prop_flat_map(move |ignore_index| {
            let rows = rows.clone();
            let index = prop_oneof![60 => 0..classes as i64, 10 => Just(ignore_index.unwrap_or(-100)),
                1 => proptest::sample::select(vec![-1, classes as i64])];
            vec(index, count).prop_map(move |indices| {
                let target = Tensor::new(rows.clone(), Data::I64(indices)).expect("as many indices as rows");
                (target, ignore_index)
            })
        })
        .boxed()
}
