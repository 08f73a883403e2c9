mod clusters;
mod parameters;

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn};

use self::clusters::{Clusters, Gradients};
pub use self::parameters::{AdaptiveParameters, AdaptiveTail};
use crate::loss::{check_shape, zeros};
use crate::reduction;
use crate::rowwise::check_indices;
use crate::{Error, Real, Sum};

/// Adaptive softmax, for many classes of very different frequency, and its loss.
///
/// The classes are sorted by frequency and cut into clusters. A linear layer, the head, scores the classes of the first
/// cluster, the shortlist, and each other cluster as a whole; a cluster's tail scores its classes by a projection of the
/// input and a second layer. With ln p the logarithms of the softmax of such scores, for a class c of the tail i
///
/// ```text
/// log_prob(c) = ln p_head(c)                          in the shortlist
///             = ln p_head(tail i) + ln p_tail_i(c)    beyond
/// output_n    = log_prob(target_n)
/// loss        = mean_n -output_n
/// ```
///
/// Beside options this takes parameters, in [`AdaptiveParameters`]; what it computes of them an [`AdaptiveResult`] says.
/// Since their number is that of the clusters this is no [`Loss`](crate::Loss), but its methods are the same: [`value`](Self::value),
/// [`value_and_gradient`](Self::value_and_gradient), [`value_and_gradients`](Self::value_and_gradients) and, into the
/// caller's buffers, [`evaluate_into`](Self::evaluate_into). [`predict`](Self::predict) gives classes.
///
/// The input has shape (N, in_features) and the target (N), or (in_features) and (); [`AdaptiveResult::LogProb`] and
/// `predict` take a batch alone. Input and parameters are differentiable; a tail that no target falls into is not looked
/// at, and has gradient 0. The mean is NaN for an empty batch.
///
/// A tail works on the samples that fall into it, a tenth of the batch at a time, or as much as has 2^16 scores, so that
/// beside its results a call for the loss allocates the scores of that in one cluster, where it has a gradient as many numbers
/// again, and about two megabytes for sums.
///
/// What is refused: cutoffs that are not increasing numbers from 1 to n_classes - 1, or none; a `div_value` that is not
/// positive; parameters of other shapes than [`parameter_shapes`](Self::parameter_shapes) gives; a target that is no class.
///
/// ```
/// use losscheck_reference::{AdaptiveLogSoftmaxWithLoss, AdaptiveResult};
/// use ndarray::{ArrayD, IxDyn, array};
///
/// let criterion = AdaptiveLogSoftmaxWithLoss::new(4, 6, [2, 4]);
/// let parameters = criterion.parameter_shapes()?.map(|shape| ArrayD::from_elem(IxDyn(&shape), 0.5_f32));
/// let parameters = parameters.as_ref().map(|parameter| parameter.view());
/// let input = array![[1.0, 0.5, -0.5, 2.0], [0.0, 1.0, 1.0, 0.0]].into_dyn();
/// let target = array![0_i64, 5].into_dyn();
///
/// let loss = AdaptiveResult::Loss(target.view());
/// let (loss, gradients) = criterion.value_and_gradients(&parameters, input.view(), loss, None)?;
/// assert_eq!(gradients.input.shape(), input.shape());
/// assert_eq!(gradients.parameters.tail[0].output.shape(), [2, 1]);
/// # Ok::<(), losscheck_reference::Error>(())
/// ```
///
/// Sources: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html>; E. Grave et al.,
/// "Efficient softmax approximation for GPUs", 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveLogSoftmaxWithLoss {
    /// The number of elements of a sample.
    pub in_features: usize,
    /// The number of classes.
    pub n_classes: usize,
    /// The first class of each tail.
    pub cutoffs: Vec<usize>,
    /// By how much the tails' projections shrink: that of tail i, from 0, has floor(in_features / div_value^(i + 1))
    /// outputs, which may be none.
    pub div_value: f64,
    /// Whether the head has a bias.
    pub head_bias: bool,
}

/// What [`AdaptiveLogSoftmaxWithLoss`] computes, of these targets where it takes any.
#[derive(Clone, Debug)]
pub enum AdaptiveResult<'a> {
    /// PyTorch's `forward(input, target).loss`: the mean of the samples' losses.
    Loss(ArrayViewD<'a, i64>),
    /// PyTorch's `forward(input, target).output`: for each sample the log-probability of its target.
    Output(ArrayViewD<'a, i64>),
    /// PyTorch's `log_prob(input)`: for each sample those of all classes, (N, n_classes).
    LogProb,
}

impl AdaptiveResult<'_> {
    fn target(&self) -> Option<&ArrayViewD<'_, i64>> {
        match self {
            Self::Loss(target) | Self::Output(target) => Some(target),
            Self::LogProb => None,
        }
    }
}

/// The gradients of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveGradients<R> {
    /// That of the input.
    pub input: ArrayD<R>,
    /// Those of the parameters.
    pub parameters: AdaptiveParameters<ArrayD<R>>,
}

/// The backward pass that goes along with a value.
#[derive(Debug)]
pub struct AdaptiveBackward<'a, R> {
    /// The gradient that it starts from, of the value's shape; all ones where absent.
    pub cotangent: Option<ArrayViewD<'a, R>>,
    /// Where the input's gradient goes; it is not computed where that is `None`.
    pub input: Option<ArrayViewMutD<'a, R>>,
    /// Where those of the parameters go, of their shapes; they are not computed where that is `None`.
    pub parameters: Option<AdaptiveParameters<ArrayViewMutD<'a, R>>>,
}

impl AdaptiveLogSoftmaxWithLoss {
    /// With PyTorch's defaults: a `div_value` of 4, and no bias.
    pub fn new(in_features: usize, n_classes: usize, cutoffs: impl Into<Vec<usize>>) -> Self {
        Self { in_features, n_classes, cutoffs: cutoffs.into(), div_value: 4.0, head_bias: false }
    }

    /// The shapes of the parameters.
    ///
    /// # Errors
    ///
    /// Where an option is out of range.
    pub fn parameter_shapes(&self) -> Result<AdaptiveParameters<Vec<usize>>, Error> {
        let Self { in_features, n_classes, ref cutoffs, div_value, head_bias } = *self;
        let increases = cutoffs.iter().zip(cutoffs.iter().skip(1).chain([&n_classes])).all(|(a, b)| a < b);
        let shortlist = cutoffs.first().copied().filter(|&first| first > 0 && increases);
        let shortlist = shortlist.ok_or_else(|| Error::Cutoffs { cutoffs: cutoffs.clone(), n_classes })?;
        // PyTorch lets it be negative where there is nothing to divide.
        if !(div_value > 0.0 || div_value < 0.0 && in_features == 0) {
            return Err(Error::Option { name: "div_value", value: div_value, expected: "a positive number" });
        }
        let outputs = shortlist + cutoffs.len();
        let tail = self.tails().enumerate().map(|(i, classes)| {
            let width = floor_div(in_features as f64, div_value.powf((i + 1) as f64)) as usize;
            AdaptiveTail { projection: vec![width, in_features], output: vec![classes.len(), width] }
        });
        Ok(AdaptiveParameters {
            head_weight: vec![outputs, in_features],
            head_bias: head_bias.then(|| vec![outputs]),
            tail: tail.collect(),
        })
    }

    /// The shape of a result.
    ///
    /// # Errors
    ///
    /// Where an option is out of range, or a shape does not fit.
    pub fn value_shape<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: &ArrayViewD<'_, R>,
        result: &AdaptiveResult<'_>,
    ) -> Result<Vec<usize>, Error> {
        self.check_parameters(&parameters.as_ref().map(|parameter| parameter.shape()))?;
        let (Self { in_features, n_classes, .. }, shape) = (self, input.shape());
        let wrong = |expected: String| Err(Error::Shape { name: "input", shape: shape.to_vec(), expected });
        match (result, shape) {
            (AdaptiveResult::LogProb, [samples, width]) if width == in_features => Ok(vec![*samples, *n_classes]),
            (AdaptiveResult::LogProb, _) => wrong(format!("(N, {in_features})")),
            (AdaptiveResult::Loss(target) | AdaptiveResult::Output(target), [batch @ .., width])
                if width == in_features && batch.len() < 2 =>
            {
                check_shape("target", target.shape(), batch)?;
                Ok(if matches!(result, AdaptiveResult::Loss(_)) { Vec::new() } else { batch.to_vec() })
            }
            _ => wrong(format!("({in_features}) or (N, {in_features})")),
        }
    }

    /// The result.
    ///
    /// # Errors
    ///
    /// Where the options, parameters or inputs are refused.
    pub fn value<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: ArrayViewD<'_, R>,
        result: AdaptiveResult<'_>,
    ) -> Result<ArrayD<R>, Error> {
        let mut value = zeros(&self.value_shape(parameters, &input, &result)?);
        self.evaluate_into(parameters, input, result, value.view_mut(), None)?;
        Ok(value)
    }

    /// The result and the gradient of the input.
    ///
    /// # Errors
    ///
    /// Where the options, parameters or inputs are refused.
    pub fn value_and_gradient<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: ArrayViewD<'_, R>,
        result: AdaptiveResult<'_>,
        cotangent: Option<ArrayViewD<'_, R>>,
    ) -> Result<(ArrayD<R>, ArrayD<R>), Error> {
        let mut value = zeros(&self.value_shape(parameters, &input, &result)?);
        let mut gradient = zeros(input.shape());
        let backward = AdaptiveBackward { cotangent, input: Some(gradient.view_mut()), parameters: None };
        self.evaluate_into(parameters, input, result, value.view_mut(), Some(backward))?;
        Ok((value, gradient))
    }

    /// The result and the gradients of the input and of the parameters.
    ///
    /// # Errors
    ///
    /// Where the options, parameters or inputs are refused.
    pub fn value_and_gradients<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: ArrayViewD<'_, R>,
        result: AdaptiveResult<'_>,
        cotangent: Option<ArrayViewD<'_, R>>,
    ) -> Result<(ArrayD<R>, AdaptiveGradients<R>), Error> {
        let mut value = zeros(&self.value_shape(parameters, &input, &result)?);
        let mut gradients = AdaptiveGradients {
            input: zeros(input.shape()),
            parameters: parameters.as_ref().map(|parameter| zeros(parameter.shape())),
        };
        let backward = AdaptiveBackward {
            cotangent,
            input: Some(gradients.input.view_mut()),
            parameters: Some(gradients.parameters.as_mut().map(|gradient| gradient.view_mut())),
        };
        self.evaluate_into(parameters, input, result, value.view_mut(), Some(backward))?;
        Ok((value, gradients))
    }

    /// Writes the result and, if asked, gradients into the caller's buffers, overwriting them.
    ///
    /// # Errors
    ///
    /// Where the options, parameters or inputs are refused, or a buffer has a wrong shape.
    pub fn evaluate_into<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: ArrayViewD<'_, R>,
        result: AdaptiveResult<'_>,
        mut value: ArrayViewMutD<'_, R>,
        backward: Option<AdaptiveBackward<'_, R>>,
    ) -> Result<(), Error> {
        let shape = self.value_shape(parameters, &input, &result)?;
        check_shape("value", value.shape(), &shape)?;
        if let Some(backward) = &backward {
            backward.check(self, input.shape(), &shape)?;
        }
        if let Some(target) = result.target() {
            check_indices(target, 1, self.n_classes, None)?;
        }
        let clusters = Clusters::new(self, parameters);
        let (cotangent, mut gradients) = match backward {
            Some(AdaptiveBackward { cotangent, input, parameters }) => (cotangent, Gradients::new(input, parameters)),
            None => (None, None),
        };
        let Some(target) = result.target() else {
            clusters.log_prob(&input, value, cotangent, gradients);
            return Ok(());
        };
        let is_batched = target.ndim() == 1;
        let input = if is_batched { input } else { input.insert_axis(Axis(0)) };
        if let Some(gradients) = gradients.as_mut().filter(|_| !is_batched) {
            gradients.input = gradients.input.take().map(|gradient| gradient.insert_axis(Axis(0)));
        }
        let target: Vec<usize> = target.iter().map(|&class| class as usize).collect();
        let count = reduction::count::<R>(target.len());
        // By the losses, of which the output has the other sign.
        let cotangents: Vec<R> = match (&result, cotangent) {
            (AdaptiveResult::Output(_), Some(cotangent)) => cotangent.iter().map(|&cotangent| -cotangent).collect(),
            (AdaptiveResult::Output(_), None) => vec![-R::ONE; target.len()],
            (_, cotangent) => {
                let cotangent = cotangent.and_then(|cotangent| cotangent.first().copied()).unwrap_or(R::ONE);
                vec![cotangent / count.total(); target.len()]
            }
        };
        let losses = clusters.losses(&input, &target, &cotangents, gradients)?;
        match result {
            AdaptiveResult::Loss(_) => value.fill(losses.into_iter().fold(R::Sum::ZERO, Sum::merge).over(count)),
            _ => value.iter_mut().zip(losses).for_each(|(output, loss)| *output = -loss.total()),
        }
        Ok(())
    }

    /// PyTorch's `predict(input)`: for each sample the class with the largest log-probability, the first of several. NaN
    /// counts as the largest.
    ///
    /// A sample whose largest score in the head is that of a class of the shortlist is not taken to the tails.
    ///
    /// # Errors
    ///
    /// Where the options, parameters or input are refused.
    pub fn predict<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: ArrayViewD<'_, R>,
    ) -> Result<ArrayD<i64>, Error> {
        let shape = self.value_shape(parameters, &input, &AdaptiveResult::LogProb)?;
        let mut classes = ArrayD::from_elem(IxDyn(&shape[..1]), 0);
        self.predict_into(parameters, input, classes.view_mut())?;
        Ok(classes)
    }

    /// [`predict`](Self::predict), into the caller's buffer.
    ///
    /// # Errors
    ///
    /// Where the options, parameters or input are refused, or the buffer has a wrong shape.
    pub fn predict_into<R: Real>(
        &self,
        parameters: &AdaptiveParameters<ArrayViewD<'_, R>>,
        input: ArrayViewD<'_, R>,
        mut classes: ArrayViewMutD<'_, i64>,
    ) -> Result<(), Error> {
        let shape = self.value_shape(parameters, &input, &AdaptiveResult::LogProb)?;
        check_shape("classes", classes.shape(), &shape[..1])?;
        Clusters::new(self, parameters).predict(&input, |sample, class| classes[[sample].as_slice()] = class as i64);
        Ok(())
    }

    /// The classes of each tail.
    fn tails(&self) -> impl Iterator<Item = Range<usize>> {
        let ends = self.cutoffs.iter().skip(1).chain([&self.n_classes]);
        self.cutoffs.iter().zip(ends).map(|(&start, &end)| start..end)
    }

    fn check_parameters(&self, shapes: &AdaptiveParameters<&[usize]>) -> Result<(), Error> {
        let expected = self.parameter_shapes()?;
        check_shape("head_weight", shapes.head_weight, &expected.head_weight)?;
        match (shapes.head_bias, &expected.head_bias) {
            (None, None) => {}
            (Some(shape), Some(expected)) => check_shape("head_bias", shape, expected)?,
            (Some(shape), None) => {
                let expected = "none, for the option `head_bias` is false".to_owned();
                return Err(Error::Shape { name: "head_bias", shape: shape.to_vec(), expected });
            }
            (None, Some(expected)) => check_shape("head_bias", &[0], expected)?,
        }
        check_shape("tail", &[shapes.tail.len()], &[self.cutoffs.len()])?;
        for (i, (own, expected)) in shapes.tail.iter().zip(&expected.tail).enumerate() {
            for (name, shape, expected) in
                [("projection", own.projection, &expected.projection), ("output", own.output, &expected.output)]
            {
                if shape != expected {
                    let expected = format!("{expected:?} in tail {i}");
                    return Err(Error::Shape { name, shape: shape.to_vec(), expected });
                }
            }
        }
        Ok(())
    }
}

/// Python's `a // b`, for a number that is not negative by a positive one.
fn floor_div(a: f64, b: f64) -> f64 {
    ((a - a % b) / b).round()
}

impl<R: Real> AdaptiveBackward<'_, R> {
    fn check(&self, loss: &AdaptiveLogSoftmaxWithLoss, input: &[usize], value: &[usize]) -> Result<(), Error> {
        if let Some(cotangent) = &self.cotangent {
            check_shape("cotangent", cotangent.shape(), value)?;
        }
        if let Some(gradient) = &self.input {
            check_shape("gradient", gradient.shape(), input)?;
        }
        self.parameters
            .as_ref()
            .map_or(Ok(()), |gradients| loss.check_parameters(&gradients.as_ref().map(|gradient| gradient.shape())))
    }
}
