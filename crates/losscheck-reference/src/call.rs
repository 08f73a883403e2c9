//! A loss with its options and inputs: what the functions that are named after `torch.nn.functional` return.

use std::marker::PhantomData;

use losscheck_options::{BCEWithLogitsLoss, CrossEntropyLoss, LinearCrossEntropyLoss};
use ndarray::{ArrayBase, ArrayD, ArrayView, ArrayViewD, ArrayViewMutD, Data, Dimension};

use crate::losses::{
    InputAndClassesWeighted, InputAndTargetWeighted, InputAndTargetWeightedTwice, LinearAndClasses,
    LinearAndProbabilities,
};
use crate::{Backward, Error, Loss, Real, Shapes};

/// A loss with its options and inputs, ready to be computed.
///
/// The functions that are named after those of `torch.nn.functional` return it. Optional inputs such as a weight are set
/// by a method of their name. `K` is the number of differentiable inputs.
///
/// The gradients are vector-Jacobian products with a cotangent, as in PyTorch's `backward(cotangent)`. Without a cotangent
/// it is all ones.
#[derive(Clone, Debug)]
#[must_use = "a call computes nothing before one of its methods is asked for a result"]
pub struct Call<O, I, R, const K: usize> {
    options: O,
    inputs: I,
    arithmetic: PhantomData<R>,
}

impl<O: Loss<R, I, K>, I, R: Real, const K: usize> Call<O, I, R, K> {
    pub(crate) fn new(options: O, inputs: I) -> Self {
        Self { options, inputs, arithmetic: PhantomData }
    }

    /// Returns the shapes of the value and of the gradients.
    ///
    /// # Errors
    ///
    /// Returns an error if the shapes of the inputs do not fit each other, or an option is out of range.
    pub fn shapes(&self) -> Result<Shapes<K>, Error> {
        self.options.shapes(&self.inputs)
    }

    /// Computes the loss.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    pub fn value(self) -> Result<ArrayD<R>, Error> {
        self.options.value(self.inputs)
    }

    /// Computes the loss and the gradient of the first input, which is all that training needs.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or the cotangent does not have the shape of the loss.
    pub fn value_and_gradient(self, cotangent: Option<ArrayViewD<'_, R>>) -> Result<(ArrayD<R>, ArrayD<R>), Error> {
        self.options.value_and_gradient(self.inputs, cotangent)
    }

    /// Computes the loss and the gradients of all differentiable inputs.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or the cotangent does not have the shape of the loss.
    pub fn value_and_gradients(
        self,
        cotangent: Option<ArrayViewD<'_, R>>,
    ) -> Result<(ArrayD<R>, [ArrayD<R>; K]), Error> {
        self.options.value_and_gradients(self.inputs, cotangent)
    }

    /// Writes the loss and, if asked, gradients into the caller's buffers.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or a buffer does not have the shape that [`Call::shapes`] returns.
    pub fn evaluate_into(self, value: ArrayViewMutD<'_, R>, backward: Option<Backward<'_, R, K>>) -> Result<(), Error> {
        self.options.evaluate_into(self.inputs, value, backward)
    }
}

/// What can be viewed as an array: a view, or a reference to an array, of any number of dimensions.
pub trait IntoView<'a, T> {
    /// Returns the view. Its number of dimensions is known at run time, so that no loss is compiled for each.
    fn into_view(self) -> ArrayViewD<'a, T>;
}

impl<'a, T, S: Data<Elem = T>, D: Dimension> IntoView<'a, T> for &'a ArrayBase<S, D> {
    fn into_view(self) -> ArrayViewD<'a, T> {
        self.view().into_dyn()
    }
}

impl<'a, T, D: Dimension> IntoView<'a, T> for ArrayView<'a, T, D> {
    fn into_view(self) -> ArrayViewD<'a, T> {
        self.into_dyn()
    }
}

impl<'a, O, T, R, const K: usize> Call<O, (ArrayViewD<'a, R>, ArrayViewD<'a, T>, Option<ArrayViewD<'a, R>>), R, K> {
    /// Sets the weight of each element or of each class.
    pub fn weight(mut self, weight: impl IntoView<'a, R>) -> Self {
        self.inputs.2 = Some(weight.into_view());
        self
    }
}

impl<'a, R> Call<BCEWithLogitsLoss, InputAndTargetWeightedTwice<'a, R>, R, 2> {
    /// Sets the weight of each element.
    pub fn weight(mut self, weight: impl IntoView<'a, R>) -> Self {
        self.inputs.2 = Some(weight.into_view());
        self
    }

    /// Sets the weight of the positive part of each element.
    pub fn pos_weight(mut self, pos_weight: impl IntoView<'a, R>) -> Self {
        self.inputs.3 = Some(pos_weight.into_view());
        self
    }
}

/// A linear layer's inputs, weight and bias, a target, and a weight for each class.
type Linear<'a, R, T> =
    (ArrayViewD<'a, R>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>, ArrayViewD<'a, T>, Option<ArrayViewD<'a, R>>);

impl<'a, R, T, const K: usize> Call<LinearCrossEntropyLoss, Linear<'a, R, T>, R, K> {
    /// Sets the bias of the linear layer.
    pub fn linear_bias(mut self, linear_bias: impl IntoView<'a, R>) -> Self {
        self.inputs.2 = Some(linear_bias.into_view());
        self
    }

    /// Sets the weight of each class.
    pub fn weight(mut self, weight: impl IntoView<'a, R>) -> Self {
        self.inputs.4 = Some(weight.into_view());
        self
    }
}

/// An element of the target of [`cross_entropy`](crate::cross_entropy) and [`linear_cross_entropy`](crate::linear_cross_entropy): the index of a class, `i64`, or a
/// probability, of the dtype of the input.
pub trait ClassTarget<R: 'static>: Sized + 'static {
    /// The call of [`cross_entropy`](crate::cross_entropy).
    type CrossEntropy<'a>;

    /// The call of [`linear_cross_entropy`](crate::linear_cross_entropy).
    type LinearCrossEntropy<'a>;

    #[doc(hidden)]
    fn cross_entropy<'a>(
        input: ArrayViewD<'a, R>,
        target: ArrayViewD<'a, Self>,
        options: CrossEntropyLoss,
    ) -> Self::CrossEntropy<'a>;

    #[doc(hidden)]
    fn linear_cross_entropy<'a>(
        input: ArrayViewD<'a, R>,
        linear_weight: ArrayViewD<'a, R>,
        target: ArrayViewD<'a, Self>,
        options: LinearCrossEntropyLoss,
    ) -> Self::LinearCrossEntropy<'a>;
}

impl<R: Real> ClassTarget<R> for i64 {
    type CrossEntropy<'a> = Call<CrossEntropyLoss, InputAndClassesWeighted<'a, R>, R, 1>;
    type LinearCrossEntropy<'a> = Call<LinearCrossEntropyLoss, LinearAndClasses<'a, R>, R, 3>;

    fn cross_entropy<'a>(
        input: ArrayViewD<'a, R>,
        target: ArrayViewD<'a, Self>,
        options: CrossEntropyLoss,
    ) -> Self::CrossEntropy<'a> {
        Call::new(options, (input, target, None))
    }

    fn linear_cross_entropy<'a>(
        input: ArrayViewD<'a, R>,
        linear_weight: ArrayViewD<'a, R>,
        target: ArrayViewD<'a, Self>,
        options: LinearCrossEntropyLoss,
    ) -> Self::LinearCrossEntropy<'a> {
        Call::new(options, (input, linear_weight, None, target, None))
    }
}

impl<R: Real> ClassTarget<R> for R {
    type CrossEntropy<'a> = Call<CrossEntropyLoss, InputAndTargetWeighted<'a, R>, R, 2>;
    type LinearCrossEntropy<'a> = Call<LinearCrossEntropyLoss, LinearAndProbabilities<'a, R>, R, 4>;

    fn cross_entropy<'a>(
        input: ArrayViewD<'a, R>,
        target: ArrayViewD<'a, Self>,
        options: CrossEntropyLoss,
    ) -> Self::CrossEntropy<'a> {
        Call::new(options, (input, target, None))
    }

    fn linear_cross_entropy<'a>(
        input: ArrayViewD<'a, R>,
        linear_weight: ArrayViewD<'a, R>,
        target: ArrayViewD<'a, Self>,
        options: LinearCrossEntropyLoss,
    ) -> Self::LinearCrossEntropy<'a> {
        Call::new(options, (input, linear_weight, None, target, None))
    }
}
