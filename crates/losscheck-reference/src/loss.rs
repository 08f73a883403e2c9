//! What every loss offers.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};

use crate::{Error, Real};

/// A loss over the arithmetic `R`, taking the inputs `I`, a tuple of views, of which the first `K` are differentiable.
///
/// The usual way to call a loss is its function, for example [`cross_entropy`](crate::cross_entropy): it takes arrays and views of
/// any number of dimensions, and optional inputs need not be mentioned. The trait is for code that is generic over losses, and for
/// losses that have no function, such as [`CTCLossByLogProbs`](crate::CTCLossByLogProbs). An optional input, such as a weight, is
/// an `Option` in the tuple.
///
/// The gradients are vector-Jacobian products, as in PyTorch's `backward(cotangent)`: what `autograd` would store in
/// `.grad`. Without a cotangent it is all ones.
///
/// # Memory
///
/// Beside its results a call allocates at most:
///
/// - in each thread that works on it, 8 KiB and, where the loss is one of rows (of class scores, or of vectors), 24 bytes for
///   each element of a row, or 512 where a row has fewer than 64;
/// - in each thread, 8 KiB or a row for each tensor that is broadcast, or does not lie in the order that it is gone through;
/// - 16 bytes for each element of a gradient whose tensor is broadcast;
/// - what the documentation of these adds: [`ctc_loss`](crate::ctc_loss), [`linear_cross_entropy`](crate::linear_cross_entropy),
///   [`multilabel_soft_margin_loss`](crate::multilabel_soft_margin_loss), and
///   [`AdaptiveLogSoftmaxWithLoss`](crate::AdaptiveLogSoftmaxWithLoss), whose methods are the same.
pub trait Loss<R: Real, I, const K: usize> {
    /// Returns the shapes of the value and of the `K` gradients for these inputs.
    ///
    /// # Errors
    ///
    /// Returns an error if the shapes of the inputs do not fit each other, or an option is out of range.
    fn shapes(&self, inputs: &I) -> Result<Shapes<K>, Error>;

    /// Writes the value and, if asked, gradients into the caller's buffers, overwriting them.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or a buffer does not have the shape that [`Loss::shapes`] returns.
    fn evaluate_into(
        &self,
        inputs: I,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, K>>,
    ) -> Result<(), Error>;

    /// Computes the loss.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn value(&self, inputs: I) -> Result<ArrayD<R>, Error> {
        let mut value = zeros(&self.shapes(&inputs)?.value);
        self.evaluate_into(inputs, value.view_mut(), None)?;
        Ok(value)
    }

    /// Writes the loss into the caller's buffer.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or the buffer does not have the shape that [`Loss::shapes`] returns.
    fn value_into(&self, inputs: I, value: ArrayViewMutD<'_, R>) -> Result<(), Error> {
        self.evaluate_into(inputs, value, None)
    }

    /// Computes the loss and the gradient of the first input, which is all that training needs.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or the cotangent does not have the shape of the loss.
    fn value_and_gradient(
        &self,
        inputs: I,
        cotangent: Option<ArrayViewD<'_, R>>,
    ) -> Result<(ArrayD<R>, ArrayD<R>), Error> {
        let shapes = self.shapes(&inputs)?;
        let mut value = zeros(&shapes.value);
        let mut gradient = zeros(&shapes.gradients[0]);
        self.value_and_gradient_into(inputs, cotangent, value.view_mut(), gradient.view_mut())?;
        Ok((value, gradient))
    }

    /// Writes the loss and the gradient of the first input into the caller's buffers.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or a buffer does not have the shape that [`Loss::shapes`] returns.
    fn value_and_gradient_into(
        &self,
        inputs: I,
        cotangent: Option<ArrayViewD<'_, R>>,
        value: ArrayViewMutD<'_, R>,
        gradient: ArrayViewMutD<'_, R>,
    ) -> Result<(), Error> {
        let mut gradients = [const { None }; K];
        gradients[0] = Some(gradient);
        self.evaluate_into(inputs, value, Some(Backward { cotangent, gradients }))
    }

    /// Computes the loss and the gradients of all differentiable inputs.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid, or the cotangent does not have the shape of the loss.
    fn value_and_gradients(
        &self,
        inputs: I,
        cotangent: Option<ArrayViewD<'_, R>>,
    ) -> Result<(ArrayD<R>, [ArrayD<R>; K]), Error> {
        let shapes = self.shapes(&inputs)?;
        let mut value = zeros(&shapes.value);
        let mut gradients = shapes.gradients.map(|shape| zeros(&shape));
        let buffers = gradients.each_mut().map(|gradient| Some(gradient.view_mut()));
        self.evaluate_into(inputs, value.view_mut(), Some(Backward { cotangent, gradients: buffers }))?;
        Ok((value, gradients))
    }
}

/// The shapes of the results of a [`Loss`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes<const K: usize> {
    /// That of the value.
    pub value: Vec<usize>,
    /// Those of the gradients.
    pub gradients: [Vec<usize>; K],
}

/// The backward pass that goes along with a value.
#[derive(Debug)]
pub struct Backward<'a, R, const K: usize> {
    /// The gradient that it starts from, of the value's shape; all ones where absent.
    pub cotangent: Option<ArrayViewD<'a, R>>,
    /// Where the gradients go; those that are `None` are not computed.
    pub gradients: [Option<ArrayViewMutD<'a, R>>; K],
}

/// A [`Backward`] as the drivers take it.
pub(crate) struct PreparedBackward<'a, R, const K: usize> {
    /// Whether gradients are asked for.
    pub(crate) is_wanted: bool,
    /// The cotangent of a reduced value; 1 if the value is not reduced.
    pub(crate) scalar: R,
    /// The cotangents of an unreduced value; `None` if they are all ones.
    pub(crate) per_element: Option<ArrayViewD<'a, R>>,
    /// The destinations of the gradients.
    pub(crate) gradients: [Option<ArrayViewMutD<'a, R>>; K],
}

impl<'a, R: Real, const K: usize> PreparedBackward<'a, R, K> {
    pub(crate) fn new(backward: Option<Backward<'a, R, K>>, is_reduced: bool) -> Self {
        let is_wanted = backward.is_some();
        let (cotangent, gradients) =
            backward.map_or((None, [const { None }; K]), |backward| (backward.cotangent, backward.gradients));
        let scalar = cotangent.as_ref().filter(|_| is_reduced).and_then(|cotangent| cotangent.first().copied());
        let per_element = cotangent.filter(|_| !is_reduced);
        Self { is_wanted, scalar: scalar.unwrap_or(R::ONE), per_element, gradients }
    }
}

/// That all buffers have the shapes that the loss gives.
pub(crate) fn check_buffers<R: Real, const K: usize>(
    shapes: &Shapes<K>,
    value: &ArrayViewMutD<'_, R>,
    backward: &Option<Backward<'_, R, K>>,
) -> Result<(), Error> {
    check_buffer_shapes(&shapes.value, shapes.gradients.each_ref().map(Vec::as_slice), value, backward)
}

/// [`check_buffers`] without a [`Shapes`], which has to be allocated.
pub(crate) fn check_buffer_shapes<R: Real, const K: usize>(
    of_value: &[usize],
    of_gradients: [&[usize]; K],
    value: &ArrayViewMutD<'_, R>,
    backward: &Option<Backward<'_, R, K>>,
) -> Result<(), Error> {
    check_shape("value", value.shape(), of_value)?;
    let Some(Backward { cotangent, gradients }) = backward else { return Ok(()) };
    if let Some(cotangent) = cotangent {
        check_shape("cotangent", cotangent.shape(), of_value)?;
    }
    for (gradient, expected) in gradients.iter().zip(of_gradients) {
        if let Some(gradient) = gradient {
            check_shape("gradient", gradient.shape(), expected)?;
        }
    }
    Ok(())
}

/// That a tensor has just this shape.
pub(crate) fn check_shape(name: &'static str, shape: &[usize], expected: &[usize]) -> Result<(), Error> {
    if shape == expected {
        Ok(())
    } else {
        Err(Error::Shape { name, shape: shape.to_vec(), expected: format!("{expected:?}") })
    }
}

/// That each element is one that the loss is defined for.
pub(crate) fn check_domain<R: Real>(
    name: &'static str,
    elements: &ArrayViewD<'_, R>,
    is_inside: impl Fn(R) -> bool,
    expected: &'static str,
) -> Result<(), Error> {
    find(elements, |x| !is_inside(x))
        .map_or(Ok(()), |(_, outside)| Err(Error::Domain { name, value: outside.to_f64(), expected }))
}

/// The position and value of the first element that `is_such` holds of.
pub(crate) fn find<T: Copy>(elements: &ArrayViewD<'_, T>, is_such: impl Fn(T) -> bool) -> Option<(usize, T)> {
    // A fold over them all is several times as fast as a search.
    if !elements.iter().fold(false, |any, &x| any | is_such(x)) {
        return None;
    }
    elements.iter().copied().enumerate().find(|&(_, x)| is_such(x))
}

pub(crate) fn zeros<R: Real>(shape: &[usize]) -> ArrayD<R> {
    ArrayD::from_elem(IxDyn(shape), R::ZERO)
}
