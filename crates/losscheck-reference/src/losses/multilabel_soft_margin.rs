use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, IxDyn};

use crate::loss::check_shape;
use crate::losses::InputAndTarget;
use crate::losses::binary_cross_entropy_with_logits::Formula;
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes, Sum, fold};

/// Binary cross-entropy of logits x, averaged over the C classes, with p = sigmoid(x):
///
/// ```text
/// -sum_c w_c (t_c ln p_c + (1 - t_c) ln(1 - p_c)) / C
/// ```
///
/// The last dimension of the input is that of the classes, each row of them has one loss. Target and weight broadcast with
/// the input, without adding dimensions, the weight without adding elements; as in PyTorch, C is the input's own. Input and
/// target are differentiable.
///
/// The formula is that of [`BCEWithLogitsLoss`](crate::BCEWithLogitsLoss).
///
/// Without a reduction a call allocates, beside its results, a number for each element and, for the gradient, another
/// for each element and row.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiLabelSoftMarginLoss.html>
#[derive(Clone, Debug)]
pub struct MultiLabelSoftMarginLoss<'a, R> {
    /// A factor on each class's term, or on each element's.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// How the rows' losses are put together.
    pub reduction: Reduction,
}

impl<R> Default for MultiLabelSoftMarginLoss<'_, R> {
    fn default() -> Self {
        Self { weight: None, reduction: Reduction::Mean }
    }
}

const NAMES: [&str; 2] = ["input", "target"];

impl<R: Real> MultiLabelSoftMarginLoss<'_, R> {
    /// The elements, and the shape that they broadcast to.
    fn elements<'a>(
        &'a self,
        (input, target): &'a InputAndTarget<'_, R>,
    ) -> Result<(Elements<'a, R, 2>, Vec<usize>), Error> {
        let Some(&classes) = input.shape().last() else {
            let expected = "at least one dimension, of classes".to_owned();
            return Err(Error::Shape { name: "input", shape: Vec::new(), expected });
        };
        let weight = self.weight.as_ref().map(|weight| weight.view());
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
        let denominator = match self.reduction {
            Reduction::Mean => classes as f64 * rows as f64,
            // The sum of no rows is 0, whatever C.
            Reduction::Sum if rows == 0 => 1.0,
            Reduction::None | Reduction::Sum => classes as f64,
        };
        let denominator = Denominator::Number(denominator);
        Ok((Elements { reduction: Reduction::Mean, denominator, ..unreduced }, shape))
    }

    /// Runs a formula of logit and target in the place of the loss's own.
    #[doc(hidden)]
    pub fn evaluate_formula_into<F: Pointwise<2>>(
        &self,
        formula: &F,
        inputs: &InputAndTarget<'_, R>,
        mut value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let (elements, shape) = self.elements(inputs)?;
        if self.reduction != Reduction::None {
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
}

impl<'a, R: Real> Loss<R, InputAndTarget<'a, R>, 2> for MultiLabelSoftMarginLoss<'_, R> {
    fn shapes(&self, inputs: &InputAndTarget<'a, R>) -> Result<Shapes<2>, Error> {
        let (elements, mut shape) = self.elements(inputs)?;
        let Shapes { value, gradients } = elements.shapes::<2>(NAMES)?;
        shape.pop();
        Ok(Shapes { value: if self.reduction == Reduction::None { shape } else { value }, gradients })
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTarget<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        self.evaluate_formula_into(&Formula, &inputs, value, backward)
    }
}
