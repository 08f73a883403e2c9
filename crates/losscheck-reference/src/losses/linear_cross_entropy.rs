use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn, Slice};

use crate::call::{ClassTarget, IntoView};
use crate::linear::{Layer, Pullback, samples_at_once};
use crate::loss::{check_buffers, check_shape};
use crate::losses::cross_entropy::check_label_smoothing;
use crate::reduction::value_shape;
use crate::rowwise::{Classes, Probabilities, Targets};
use crate::{Backward, CrossEntropyLoss, Error, LinearCrossEntropyLoss, Loss, Real, Reduction, Shapes, Sum};

/// Computes [`LinearCrossEntropyLoss`], with an optional `linear_bias` and an optional `weight` for each class.
///
/// # Memory
///
/// The scores of the whole batch are never held at once. A tenth of the batch is worked on at a time, or as much as has 2^16
/// scores. Beside its results a call allocates the scores of that part, for a gradient a tenth as many numbers again, or
/// 2^16, and about two megabytes for sums.
pub fn linear_cross_entropy<'a, R: Real, T: ClassTarget<R>>(
    input: impl IntoView<'a, R>,
    linear_weight: impl IntoView<'a, R>,
    target: impl IntoView<'a, T>,
    options: LinearCrossEntropyLoss,
) -> T::LinearCrossEntropy<'a> {
    T::linear_cross_entropy(input.into_view(), linear_weight.into_view(), target.into_view(), options)
}

/// The targets of a batch, of which a part can be taken.
trait Batch<R: Real>: Targets<R> + Sized {
    /// With a dimension of one sample in front.
    fn batched(self) -> Self;

    fn part(&self, samples: Range<usize>) -> Self;

    /// Whether each row is ignored, in the order of the samples and their positions; none is where this is empty.
    fn ignored(&self) -> Vec<bool>;

    /// The losses of the rows.
    fn cross_entropy(
        &self,
        loss: &CrossEntropyLoss,
        weight: Option<ArrayViewD<'_, R>>,
        scores: ArrayViewD<'_, R>,
        losses: ArrayViewMutD<'_, R>,
        backward: Option<ScoresBackward<'_, R>>,
    ) -> Result<(), Error>;
}

struct ScoresBackward<'a, R> {
    cotangent: ArrayViewD<'a, R>,
    scores: ArrayViewMutD<'a, R>,
    target: Option<ArrayViewMutD<'a, R>>,
}

fn part<'a, T>(array: &ArrayViewD<'a, T>, samples: Range<usize>) -> ArrayViewD<'a, T> {
    array.clone().slice_axis_move(Axis(0), Slice::from(samples))
}

impl<R: Real> Batch<R> for Classes<'_> {
    fn batched(self) -> Self {
        Self { indices: self.indices.insert_axis(Axis(0)), ..self }
    }

    fn part(&self, samples: Range<usize>) -> Self {
        Self { indices: part(&self.indices, samples), ..*self }
    }

    fn ignored(&self) -> Vec<bool> {
        self.indices.iter().map(|&index| index == self.ignore_index).collect()
    }

    fn cross_entropy(
        &self,
        loss: &CrossEntropyLoss,
        weight: Option<ArrayViewD<'_, R>>,
        scores: ArrayViewD<'_, R>,
        losses: ArrayViewMutD<'_, R>,
        backward: Option<ScoresBackward<'_, R>>,
    ) -> Result<(), Error> {
        let backward = backward.map(|b| Backward { cotangent: Some(b.cotangent), gradients: [Some(b.scores)] });
        loss.evaluate_into((scores, self.indices.view(), weight), losses, backward)
    }
}

impl<R: Real> Batch<R> for Probabilities<'_, R> {
    fn batched(self) -> Self {
        Self(self.0.insert_axis(Axis(0)))
    }

    fn part(&self, samples: Range<usize>) -> Self {
        Self(part(&self.0, samples))
    }

    fn ignored(&self) -> Vec<bool> {
        Vec::new()
    }

    fn cross_entropy(
        &self,
        loss: &CrossEntropyLoss,
        weight: Option<ArrayViewD<'_, R>>,
        scores: ArrayViewD<'_, R>,
        losses: ArrayViewMutD<'_, R>,
        backward: Option<ScoresBackward<'_, R>>,
    ) -> Result<(), Error> {
        let backward =
            backward.map(|b| Backward { cotangent: Some(b.cotangent), gradients: [Some(b.scores), b.target] });
        loss.evaluate_into((scores, self.0.view(), weight), losses, backward)
    }
}

/// The inputs of one call.
struct Inputs<'a, R, T> {
    input: ArrayViewD<'a, R>,
    linear_weight: ArrayViewD<'a, R>,
    linear_bias: Option<ArrayViewD<'a, R>>,
    target: T,
    weight: Option<ArrayViewD<'a, R>>,
}

impl<'a, R: Real, T> Inputs<'a, R, T> {
    fn new(
        input: &'a ArrayViewD<'_, R>,
        linear_weight: &'a ArrayViewD<'_, R>,
        linear_bias: &'a Option<ArrayViewD<'_, R>>,
        target: T,
        weight: &'a Option<ArrayViewD<'_, R>>,
    ) -> Self {
        let linear_bias = linear_bias.as_ref().map(|bias| bias.view());
        let weight = weight.as_ref().map(|weight| weight.view());
        Self { input: input.view(), linear_weight: linear_weight.view(), linear_bias, target, weight }
    }
}

/// Where the gradients of one call go.
struct Gradients<'a, R> {
    cotangent: Option<ArrayViewD<'a, R>>,
    input: Option<ArrayViewMutD<'a, R>>,
    linear_weight: Option<ArrayViewMutD<'a, R>>,
    linear_bias: Option<ArrayViewMutD<'a, R>>,
    target: Option<ArrayViewMutD<'a, R>>,
}

/// The shapes of all that there is.
struct AllShapes {
    value: Vec<usize>,
    input: Vec<usize>,
    linear_weight: Vec<usize>,
    linear_bias: Vec<usize>,
    target: Vec<usize>,
}

fn shapes_of<R: Real, T: Targets<R>>(
    options: &LinearCrossEntropyLoss,
    inputs: &Inputs<'_, R, T>,
) -> Result<AllShapes, Error> {
    let (input, linear_weight) = (inputs.input.shape(), inputs.linear_weight.shape());
    let wrong = |name, shape: &[usize], expected: String| Err(Error::Shape { name, shape: shape.to_vec(), expected });
    let ([features] | [_, features]) = input else {
        return wrong("input", input, "(K) or (N, K)".to_owned());
    };
    let is_batched = input.len() == 2;
    let [classes, positions @ .., width] = linear_weight else {
        return wrong("linear_weight", linear_weight, "(C, K) or (C, d1, ..., K)".to_owned());
    };
    if width != features || !positions.is_empty() && !is_batched {
        let dims = if is_batched { "(C, ..., " } else { "(C, " };
        return wrong("linear_weight", linear_weight, format!("{dims}{features})"));
    }
    let out = &linear_weight[..linear_weight.len() - 1];
    if let Some(bias) = &inputs.linear_bias {
        check_shape("linear_bias", bias.shape(), out)?;
    }
    let scores = [&input[..input.len() - 1], out].concat();
    inputs.target.check_shape(&scores, usize::from(is_batched))?;
    if let Some(weight) = &inputs.weight {
        check_shape("weight", weight.shape(), &[*classes])?;
    }
    check_label_smoothing(options.label_smoothing)?;
    let rows = [&input[..input.len() - 1], positions].concat();
    Ok(AllShapes {
        value: value_shape(options.reduction, &rows).to_vec(),
        input: input.to_vec(),
        linear_weight: linear_weight.to_vec(),
        linear_bias: if inputs.linear_bias.is_some() { out.to_vec() } else { vec![0] },
        target: scores,
    })
}

fn of_rows(options: &LinearCrossEntropyLoss) -> CrossEntropyLoss {
    CrossEntropyLoss {
        ignore_index: options.ignored_index(),
        label_smoothing: options.label_smoothing,
        reduction: Reduction::None,
    }
}

/// Shapes and options are checked.
fn run<R: Real, T: Batch<R>>(
    options: &LinearCrossEntropyLoss,
    inputs: Inputs<'_, R, T>,
    value: ArrayViewMutD<'_, R>,
    gradients: Option<Gradients<'_, R>>,
) -> Result<(), Error> {
    let is_reduced = options.reduction != Reduction::None;
    let (inputs, mut value, mut gradients) = batched(inputs, value, gradients, is_reduced);
    let Inputs { input, linear_weight, linear_bias, target, weight } = inputs;
    let out = linear_weight.shape()[..linear_weight.ndim() - 1].to_vec();
    let (samples, classes, positions) = (input.shape()[0], out[0], &out[1..]);
    let places: usize = positions.iter().product();
    let divisor = target.divisor(classes, samples * places, &weight)?;
    let divisor = if options.reduction == Reduction::Mean { divisor } else { R::Sum::ZERO.plus(R::ONE) };
    let cotangent = gradients.as_ref().and_then(|gradients| gradients.cotangent.clone());
    let common = cotangent.as_ref().filter(|_| is_reduced).and_then(|cotangent| cotangent.first());
    let common = common.copied().unwrap_or(R::ONE) / divisor.total();
    for gradient in
        gradients.iter_mut().flat_map(|gradients| [&mut gradients.linear_weight, &mut gradients.linear_bias])
    {
        gradient.iter_mut().for_each(|gradient| gradient.fill(R::ZERO));
    }

    let layer = Layer::new(&input, &linear_weight, linear_bias.as_ref());
    let loss = of_rows(options);
    let mut sum = R::Sum::ZERO;
    let outputs = out.iter().product();
    let step = samples_at_once(samples, outputs);
    for start in (0..samples).step_by(step) {
        let part = start..samples.min(start + step);
        let zeros = |samples: usize, dims: &[usize]| ArrayD::from_elem(IxDyn(&[&[samples], dims].concat()), R::ZERO);
        let (mut scores, mut losses) = (zeros(part.len(), &out), zeros(part.len(), positions));
        layer.scores(part.clone(), scores.as_slice_mut().unwrap_or_default());
        let target = target.part(part.clone());
        match &mut gradients {
            None => target.cross_entropy(&loss, weight.clone(), scores.view(), losses.view_mut(), None)?,
            Some(gradients) => {
                // A few samples at a time, whose gradients then take the place of their scores.
                let step = samples_at_once(part.len(), outputs);
                for first in (0..part.len()).step_by(step) {
                    let few = first..part.len().min(first + step);
                    let of_part = Slice::from(few.clone());
                    let of_batch = Slice::from(start + few.start..start + few.end);
                    let losses = losses.slice_axis_mut(Axis(0), of_part);
                    let cotangent = match &cotangent {
                        Some(cotangent) if !is_reduced => cotangent.slice_axis(Axis(0), of_batch).to_owned(),
                        _ => ArrayD::from_elem(losses.raw_dim(), common),
                    };
                    let of_target = gradients.target.as_mut();
                    let mut by_scores = zeros(few.len(), &out);
                    let backward = ScoresBackward {
                        cotangent: cotangent.view(),
                        scores: by_scores.view_mut(),
                        target: of_target.map(|gradient| gradient.slice_axis_mut(Axis(0), of_batch)),
                    };
                    let mut scores = scores.slice_axis_mut(Axis(0), of_part);
                    target.part(few).cross_entropy(&loss, weight.clone(), scores.view(), losses, Some(backward))?;
                    scores.assign(&by_scores);
                }
                let ignored = target.ignored();
                let counts = |sample: usize, output: usize| {
                    !ignored.get(sample * places + output % places).is_some_and(|&ignored| ignored)
                };
                let by_scores = scores.as_slice().unwrap_or_default();
                let pullback = Pullback { layer: &layer, samples: part.clone(), by_scores, counts };
                gradients.add(&pullback);
            }
        }
        if is_reduced {
            sum = losses.iter().fold(sum, |sum, &loss| sum.plus(loss));
        } else {
            value.slice_axis_mut(Axis(0), Slice::from(part)).assign(&losses);
        }
    }
    if is_reduced {
        value.fill(sum.over(divisor));
    }
    Ok(())
}

impl<R: Real> Gradients<'_, R> {
    fn add(&mut self, pullback: &Pullback<'_, '_, R, impl Fn(usize, usize) -> bool>) {
        if let Some(gradient) = &mut self.input {
            pullback.write_input(gradient);
        }
        if let Some(gradient) = &mut self.linear_weight {
            pullback.add_to_weight(gradient);
        }
        if let Some(gradient) = &mut self.linear_bias {
            pullback.add_to_bias(gradient);
        }
    }
}

/// Makes a batch of one of an input without a batch.
fn batched<'i, 'v, 'g, R: Real, T: Batch<R>>(
    inputs: Inputs<'i, R, T>,
    value: ArrayViewMutD<'v, R>,
    gradients: Option<Gradients<'g, R>>,
    is_reduced: bool,
) -> (Inputs<'i, R, T>, ArrayViewMutD<'v, R>, Option<Gradients<'g, R>>) {
    if inputs.input.ndim() == 2 {
        return (inputs, value, gradients);
    }
    let front = Axis(0);
    let gradients = gradients.map(|gradients| Gradients {
        cotangent: gradients.cotangent.map(|it| if is_reduced { it } else { it.insert_axis(front) }),
        input: gradients.input.map(|gradient| gradient.insert_axis(front)),
        target: gradients.target.map(|gradient| gradient.insert_axis(front)),
        ..gradients
    });
    let inputs = Inputs { input: inputs.input.insert_axis(front), target: inputs.target.batched(), ..inputs };
    (inputs, if is_reduced { value } else { value.insert_axis(front) }, gradients)
}

/// Inputs of a linear layer, its weight, maybe its bias, class indices, and maybe a weight for each class.
pub type LinearAndClasses<'a, R> =
    (ArrayViewD<'a, R>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>, ArrayViewD<'a, i64>, Option<ArrayViewD<'a, R>>);
/// Inputs of a linear layer, its weight, maybe its bias, probabilities of the classes, and maybe a weight for each class.
pub type LinearAndProbabilities<'a, R> =
    (ArrayViewD<'a, R>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>);

fn with_classes<'a, R: Real>(
    options: &LinearCrossEntropyLoss,
    (input, linear_weight, linear_bias, target, weight): &'a LinearAndClasses<'_, R>,
) -> Inputs<'a, R, Classes<'a>> {
    let target = Classes { indices: target.view(), ignore_index: options.ignored_index() };
    Inputs::new(input, linear_weight, linear_bias, target, weight)
}

fn with_probabilities<'a, R: Real>(
    options: &LinearCrossEntropyLoss,
    (input, linear_weight, linear_bias, target, weight): &'a LinearAndProbabilities<'_, R>,
) -> Result<Inputs<'a, R, Probabilities<'a, R>>, Error> {
    if let Some(ignore_index) = options.ignore_index {
        let (value, expected) = (ignore_index as f64, "left out, for it means nothing beside probabilities");
        return Err(Error::Option { name: "ignore_index", value, expected });
    }
    Ok(Inputs::new(input, linear_weight, linear_bias, Probabilities(target.view()), weight))
}

impl<'a, R: Real> Loss<R, LinearAndClasses<'a, R>, 3> for LinearCrossEntropyLoss {
    /// The gradient of a bias that is not there has shape (0).
    fn shapes(&self, inputs: &LinearAndClasses<'a, R>) -> Result<Shapes<3>, Error> {
        let AllShapes { value, input, linear_weight, linear_bias, .. } = shapes_of(self, &with_classes(self, inputs))?;
        Ok(Shapes { value, gradients: [input, linear_weight, linear_bias] })
    }

    fn evaluate_into(
        &self,
        inputs: LinearAndClasses<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        check_buffers(&self.shapes(&inputs)?, &value, &backward)?;
        let gradients = backward.map(|Backward { cotangent, gradients: [input, linear_weight, linear_bias] }| {
            Gradients { cotangent, input, linear_weight, linear_bias, target: None }
        });
        run(self, with_classes(self, &inputs), value, gradients)
    }
}

impl<'a, R: Real> Loss<R, LinearAndProbabilities<'a, R>, 4> for LinearCrossEntropyLoss {
    /// The gradient of a bias that is not there has shape (0).
    fn shapes(&self, inputs: &LinearAndProbabilities<'a, R>) -> Result<Shapes<4>, Error> {
        let AllShapes { value, input, linear_weight, linear_bias, target } =
            shapes_of(self, &with_probabilities(self, inputs)?)?;
        Ok(Shapes { value, gradients: [input, linear_weight, linear_bias, target] })
    }

    fn evaluate_into(
        &self,
        inputs: LinearAndProbabilities<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 4>>,
    ) -> Result<(), Error> {
        check_buffers(&self.shapes(&inputs)?, &value, &backward)?;
        let gradients =
            backward.map(|Backward { cotangent, gradients: [input, linear_weight, linear_bias, target] }| Gradients {
                cotangent,
                input,
                linear_weight,
                linear_bias,
                target,
            });
        run(self, with_probabilities(self, &inputs)?, value, gradients)
    }
}
