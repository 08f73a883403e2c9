mod clusters;
mod parameters;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn};

use self::clusters::{Clusters, Gradients};
pub use self::parameters::{AdaptiveParameters, AdaptiveTail};
use self::parameters::{check_parameters, tails};
use losscheck_options::AdaptiveResult;

use crate::call::IntoView;
use crate::loss::{check_shape, zeros};
use crate::reduction;
use crate::rowwise::check_indices;
use crate::{AdaptiveLogSoftmaxWithLoss, Error, Real, Sum};

/// Computes [`AdaptiveLogSoftmaxWithLoss`] with its parameters.
///
/// The option `result` says which of PyTorch's results is computed. The loss and the output take a
/// [target](AdaptiveCall::target), the others none.
///
/// A tail works on the samples that fall into it, a tenth of the batch at a time, or as many as have 2^16 scores. Beside its
/// results a call for the loss allocates the scores of that many samples in one cluster, as many numbers again if it
/// computes gradients, and about two megabytes for sums.
///
/// ```
/// use losscheck_reference::{AdaptiveLogSoftmaxWithLoss, AdaptiveParameters, adaptive_log_softmax_with_loss};
/// use ndarray::{ArrayD, array};
///
/// let options = AdaptiveLogSoftmaxWithLoss { in_features: 4, n_classes: 6, cutoffs: vec![2, 4], ..Default::default() };
/// let parameters = AdaptiveParameters::shapes(&options)?.map(|shape| ArrayD::from_elem(shape, 0.5_f32));
/// let input = array![[1.0, 0.5, -0.5, 2.0], [0.0, 1.0, 1.0, 0.0]];
/// let target = array![0_i64, 5];
///
/// let call = adaptive_log_softmax_with_loss(&input, parameters.view(), &options).target(&target);
/// let (loss, gradients) = call.value_and_gradients(None)?;
/// assert_eq!(gradients.input.shape(), input.shape());
/// assert_eq!(gradients.parameters.tail[0].output.shape(), [2, 1]);
/// # Ok::<(), losscheck_reference::Error>(())
/// ```
pub fn adaptive_log_softmax_with_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    parameters: AdaptiveParameters<ArrayViewD<'a, R>>,
    options: &'a AdaptiveLogSoftmaxWithLoss,
) -> AdaptiveCall<'a, R> {
    AdaptiveCall { options, parameters, input: input.into_view(), target: None }
}

/// An adaptive softmax with its options, parameters and inputs, ready to be computed.
///
/// [`adaptive_log_softmax_with_loss`] returns it. Since the number of the parameters is that of the clusters, the loss is no
/// [`Loss`](crate::Loss), but the methods are those of a [`Call`](crate::Call).
#[derive(Clone, Debug)]
#[must_use = "a call computes nothing before one of its methods is asked for a result"]
pub struct AdaptiveCall<'a, R> {
    options: &'a AdaptiveLogSoftmaxWithLoss,
    parameters: AdaptiveParameters<ArrayViewD<'a, R>>,
    input: ArrayViewD<'a, R>,
    target: Option<ArrayViewD<'a, i64>>,
}

/// The gradients of a result of [`AdaptiveLogSoftmaxWithLoss`].
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveGradients<R> {
    /// The gradient of the input.
    pub input: ArrayD<R>,
    /// The gradients of the parameters.
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

impl<'a, R: Real> AdaptiveCall<'a, R> {
    /// Sets the class of each sample.
    pub fn target(mut self, target: impl IntoView<'a, i64>) -> Self {
        self.target = Some(target.into_view());
        self
    }

    /// Returns the shape of the value.
    ///
    /// # Errors
    ///
    /// Returns an error if an option is out of range, or the shapes do not fit each other.
    pub fn value_shape(&self) -> Result<Vec<usize>, Error> {
        let Self { options, parameters, input, target } = self;
        check_parameters(options, &parameters.as_ref().map(|parameter| parameter.shape()))?;
        let (width, shape) = (options.in_features, input.shape());
        let wrong = |expected: String| Err(Error::Shape { name: "input", shape: shape.to_vec(), expected });
        match (options.result, target, shape) {
            (AdaptiveResult::Predict, ..) => {
                Err(Error::Combination { name: "result", found: "is `Predict`", expected: "a result with a gradient" })
            }
            (AdaptiveResult::LogProb, None, [samples, last]) if *last == width => Ok(vec![*samples, options.n_classes]),
            (AdaptiveResult::LogProb, None, _) => wrong(format!("(N, {width})")),
            (AdaptiveResult::LogProb, Some(_), _) => Err(UNWANTED),
            (AdaptiveResult::Loss | AdaptiveResult::Output, None, _) => {
                Err(Error::Combination { name: "target", found: "is missing", expected: "the class of each sample" })
            }
            (AdaptiveResult::Loss | AdaptiveResult::Output, Some(target), [batch @ .., last])
                if *last == width && batch.len() < 2 =>
            {
                check_shape("target", target.shape(), batch)?;
                Ok(if options.result == AdaptiveResult::Loss { Vec::new() } else { batch.to_vec() })
            }
            _ => wrong(format!("({width}) or (N, {width})")),
        }
    }

    /// Computes the loss, or another result.
    ///
    /// # Errors
    ///
    /// Returns an error if the options, parameters or inputs are invalid, or if the result is the predicted classes, which
    /// [`predict`](Self::predict) returns.
    pub fn value(self) -> Result<ArrayD<R>, Error> {
        let mut value = zeros(&self.value_shape()?);
        self.evaluate_into(value.view_mut(), None)?;
        Ok(value)
    }

    /// Computes the result and the gradient of the input.
    ///
    /// # Errors
    ///
    /// Returns an error if the options, parameters or inputs are invalid, or the cotangent does not have the shape of the
    /// result.
    pub fn value_and_gradient(self, cotangent: Option<ArrayViewD<'_, R>>) -> Result<(ArrayD<R>, ArrayD<R>), Error> {
        let mut value = zeros(&self.value_shape()?);
        let mut gradient = zeros(self.input.shape());
        let backward = AdaptiveBackward { cotangent, input: Some(gradient.view_mut()), parameters: None };
        self.evaluate_into(value.view_mut(), Some(backward))?;
        Ok((value, gradient))
    }

    /// Computes the result and the gradients of the input and of the parameters.
    ///
    /// # Errors
    ///
    /// Returns an error if the options, parameters or inputs are invalid, or the cotangent does not have the shape of the
    /// result.
    pub fn value_and_gradients(
        self,
        cotangent: Option<ArrayViewD<'_, R>>,
    ) -> Result<(ArrayD<R>, AdaptiveGradients<R>), Error> {
        let mut value = zeros(&self.value_shape()?);
        let mut gradients = AdaptiveGradients {
            input: zeros(self.input.shape()),
            parameters: self.parameters.as_ref().map(|parameter| zeros(parameter.shape())),
        };
        let backward = AdaptiveBackward {
            cotangent,
            input: Some(gradients.input.view_mut()),
            parameters: Some(gradients.parameters.as_mut().map(|gradient| gradient.view_mut())),
        };
        self.evaluate_into(value.view_mut(), Some(backward))?;
        Ok((value, gradients))
    }

    /// Writes the result and, if asked, gradients into the caller's buffers.
    ///
    /// # Errors
    ///
    /// Returns an error if the options, parameters or inputs are invalid, or a buffer has a wrong shape.
    pub fn evaluate_into(
        self,
        mut value: ArrayViewMutD<'_, R>,
        backward: Option<AdaptiveBackward<'_, R>>,
    ) -> Result<(), Error> {
        let shape = self.value_shape()?;
        let Self { options, parameters, input, target } = self;
        check_shape("value", value.shape(), &shape)?;
        if let Some(backward) = &backward {
            backward.check(options, input.shape(), &shape)?;
        }
        if let Some(target) = &target {
            check_indices(target, 1, options.n_classes, None)?;
        }
        let clusters = Clusters::new(options, &parameters);
        let (cotangent, mut gradients) = match backward {
            Some(AdaptiveBackward { cotangent, input, parameters }) => (cotangent, Gradients::new(input, parameters)),
            None => (None, None),
        };
        let Some(target) = target else {
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
        let is_reduced = options.result == AdaptiveResult::Loss;
        // The cotangents are those of the losses, of which the output has the other sign.
        let cotangents: Vec<R> = match cotangent {
            cotangent if is_reduced => {
                let cotangent = cotangent.and_then(|cotangent| cotangent.first().copied()).unwrap_or(R::ONE);
                vec![cotangent / count.total(); target.len()]
            }
            Some(cotangent) => cotangent.iter().map(|&cotangent| -cotangent).collect(),
            None => vec![-R::ONE; target.len()],
        };
        let losses = clusters.losses(&input, &target, &cotangents, gradients)?;
        if is_reduced {
            value.fill(losses.into_iter().fold(R::Sum::ZERO, Sum::merge).over(count));
        } else {
            value.iter_mut().zip(losses).for_each(|(output, loss)| *output = -loss.total());
        }
        Ok(())
    }

    /// Computes PyTorch's `predict(input)`: for each sample the class with the largest log-probability, the first one if there
    /// are several. NaN counts as the largest. The option `result` has no effect.
    ///
    /// A sample whose largest score in the head is that of a class of the shortlist is not taken to the tails.
    ///
    /// # Errors
    ///
    /// Returns an error if the options, parameters or input are invalid, or if there is a target.
    pub fn predict(self) -> Result<ArrayD<i64>, Error> {
        let mut classes = ArrayD::from_elem(IxDyn(&[self.input.shape().first().copied().unwrap_or(0)]), 0);
        self.predict_into(classes.view_mut())?;
        Ok(classes)
    }

    /// Writes the predicted classes into the caller's buffer.
    ///
    /// # Errors
    ///
    /// Returns an error if the options, parameters or input are invalid, if there is a target, or if the buffer has a wrong
    /// shape.
    pub fn predict_into(self, mut classes: ArrayViewMutD<'_, i64>) -> Result<(), Error> {
        let Self { options, parameters, input, target } = self;
        check_parameters(options, &parameters.as_ref().map(|parameter| parameter.shape()))?;
        if target.is_some() {
            return Err(UNWANTED);
        }
        if input.ndim() != 2 || input.shape()[1] != options.in_features {
            let expected = format!("(N, {})", options.in_features);
            return Err(Error::Shape { name: "input", shape: input.shape().to_vec(), expected });
        }
        check_shape("classes", classes.shape(), &input.shape()[..1])?;
        Clusters::new(options, &parameters)
            .predict(&input, |sample, class| classes[[sample].as_slice()] = class as i64);
        Ok(())
    }
}

/// The error for a target that the result does not take.
const UNWANTED: Error =
    Error::Combination { name: "target", found: "is present", expected: "none, since the result is not of a target" };

impl<R: Real> AdaptiveBackward<'_, R> {
    fn check(&self, options: &AdaptiveLogSoftmaxWithLoss, input: &[usize], value: &[usize]) -> Result<(), Error> {
        if let Some(cotangent) = &self.cotangent {
            check_shape("cotangent", cotangent.shape(), value)?;
        }
        if let Some(gradient) = &self.input {
            check_shape("gradient", gradient.shape(), input)?;
        }
        self.parameters
            .as_ref()
            .map_or(Ok(()), |gradients| check_parameters(options, &gradients.as_ref().map(|gradient| gradient.shape())))
    }
}
