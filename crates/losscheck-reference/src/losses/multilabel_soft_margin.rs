use ndarray::{ArrayD, ArrayViewMutD, Axis, IxDyn};

use crate::call::{Call, IntoView};
use crate::loss::check_shape;
use crate::losses::InputAndTargetWeighted;
use crate::losses::binary_cross_entropy_with_logits::Formula;
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Backward, Error, Loss, MultiLabelSoftMarginLoss, Real, Reduction, Shapes, Sum, fold};

/// Computes [`MultiLabelSoftMarginLoss`], with an optional [weight](crate::Call::weight) for each class or element.
///
/// # Memory
///
/// Without a reduction a call allocates, beside its results, a number for each element and, for the gradient, another for each
/// element and row.
pub fn multilabel_soft_margin_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: MultiLabelSoftMarginLoss,
) -> Call<MultiLabelSoftMarginLoss, InputAndTargetWeighted<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view(), None))
}

const NAMES: [&str; 2] = ["input", "target"];

/// The elements, and the shape that they broadcast to.
fn elements<'a, R: Real>(
    options: &MultiLabelSoftMarginLoss,
    (input, target, weight): &'a InputAndTargetWeighted<'_, R>,
) -> Result<(Elements<'a, R, 2>, Vec<usize>), Error> {
    let Some(&classes) = input.shape().last() else {
        let expected = "at least one dimension, of classes".to_owned();
        return Err(Error::Shape { name: "input", shape: Vec::new(), expected });
    };
    let weight = weight.as_ref().map(|weight| weight.view());
    for (tensor, name) in [(Some(target), "target"), (weight.as_ref(), "weight")] {
        if let Some(tensor) = tensor
            && tensor.ndim() > input.ndim()
        {
            let expected = format!("at most {} dimensions, those of the input", input.ndim());
            return Err(Error::Shape { name, shape: tensor.shape().to_vec(), expected });
        }
    }
    let unreduced = Elements {
        operands: [input.view(), target.view()],
        weight,
        reduction: Reduction::None,
        denominator: Denominator::Elements,
    };
    let shape = unreduced.shapes::<2>(NAMES)?.value;
    let rows: usize = shape[..shape.len() - 1].iter().product();
    let denominator = match options.reduction {
        Reduction::Mean => classes as f64 * rows as f64,
        // The sum of no rows is 0 for any C.
        Reduction::Sum if rows == 0 => 1.0,
        Reduction::None | Reduction::Sum => classes as f64,
    };
    let denominator = Denominator::Number(denominator);
    Ok((Elements { reduction: Reduction::Mean, denominator, ..unreduced }, shape))
}

/// Runs a formula of logit and target instead of that of [`MultiLabelSoftMarginLoss`].
#[doc(hidden)]
pub fn evaluate_multilabel_into<R: Real, F: Pointwise<2>>(
    options: &MultiLabelSoftMarginLoss,
    formula: &F,
    inputs: &InputAndTargetWeighted<'_, R>,
    mut value: ArrayViewMutD<'_, R>,
    backward: Option<Backward<'_, R, 2>>,
) -> Result<(), Error> {
    let (elements, shape) = elements(options, inputs)?;
    if options.reduction != Reduction::None {
        return elements.evaluate_into(formula, NAMES, value, backward);
    }
    let (rows, classes) = (Axis(shape.len() - 1), inputs.0.shape()[inputs.0.ndim() - 1]);
    check_shape("value", value.shape(), &shape[..shape.len() - 1])?;
    let elements = Elements { reduction: Reduction::None, ..elements };
    let mut losses = ArrayD::from_elem(IxDyn(&shape), R::ZERO);
    let count = R::Sum::ZERO.plus(R::from_f64(classes as f64));
    let cotangents = match &backward {
        Some(Backward { cotangent: Some(cotangent), .. }) => {
            check_shape("cotangent", cotangent.shape(), &shape[..shape.len() - 1])?;
            let scaled = cotangent.mapv(|cotangent| cotangent / count.total()).insert_axis(rows);
            Some(scaled.broadcast(IxDyn(&shape)).expect("a row's cotangent is that of its elements").to_owned())
        }
        Some(_) => Some(ArrayD::from_elem(IxDyn(&shape), R::ONE / count.total())),
        None => None,
    };
    let backward = backward.map(|Backward { gradients, .. }| Backward {
        cotangent: cotangents.as_ref().map(|cotangents| cotangents.view()),
        gradients,
    });
    elements.evaluate_into(formula, NAMES, losses.view_mut(), backward)?;
    for (out, row) in value.iter_mut().zip(losses.lanes(rows)) {
        *out = fold::sum(row.len(), |c| row[c]).over(count);
    }
    Ok(())
}

impl<'a, R: Real> Loss<R, InputAndTargetWeighted<'a, R>, 2> for MultiLabelSoftMarginLoss {
    fn shapes(&self, inputs: &InputAndTargetWeighted<'a, R>) -> Result<Shapes<2>, Error> {
        let (elements, mut shape) = elements(self, inputs)?;
        let Shapes { value, gradients } = elements.shapes::<2>(NAMES)?;
        shape.pop();
        Ok(Shapes { value: if self.reduction == Reduction::None { shape } else { value }, gradients })
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTargetWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        evaluate_multilabel_into(self, &Formula, &inputs, value, backward)
    }
}
