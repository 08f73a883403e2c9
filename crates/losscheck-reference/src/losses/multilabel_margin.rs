use ndarray::{ArrayViewMutD, Axis};

use crate::losses::InputAndClasses;
use crate::losses::multi_margin::evaluate_rows;
use crate::rowwise::{LabelLists, RowGradients, Rows, Rowwise};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes, Sum, fold};

/// Margin loss of class scores x for a row with a list of classes y, over the C classes:
///
/// ```text
/// sum over j in y, i not in y of max(0, 1 - x_j + x_i) / C
/// ```
///
/// The input has shape (C) or (N, C), the target the same: in each row the classes that stand before the first -1; one
/// that stands twice counts twice. The input is differentiable, with slope 0 where a hinge is exactly 0. An index that
/// is neither a class nor -1 is an error.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiLabelMarginLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MultiLabelMarginLoss {
    /// How the rows' losses are put together.
    pub reduction: Reduction,
}

struct Formula;

impl Formula {
    /// max(0, 1 - x_j + x_i) for a class i that is not in the list.
    #[inline(always)]
    fn hinge<R: Real>(scores: &[R], list: &[i64], j: i64, i: usize) -> R::Guarded {
        let z = (R::Guarded::ONE - scores[j as usize].guarded()) + scores[i].guarded();
        if list.contains(&(i as i64)) { R::Guarded::ZERO } else { z.maximum(R::Guarded::ZERO) }
    }
}

impl<R: Real> Rowwise<R, &[i64]> for Formula {
    #[inline(always)]
    fn value(&self, scores: &[R], list: &[i64]) -> R {
        let of_class = |&j: &i64| fold::sum(scores.len(), |i| Self::hinge(scores, list, j, i));
        let sum = list.iter().map(of_class).fold(<R::Guarded as Real>::Sum::ZERO, Sum::merge);
        R::rounded(sum.total() / R::Guarded::from_f64(scores.len() as f64))
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, scores: &[R], list: &[i64], gradients: RowGradients<'_, R>) -> R {
        let is_positive = |j, i| if Self::hinge(scores, list, j, i) > R::Guarded::ZERO { R::ONE } else { R::ZERO };
        // First the hinges that are counted, then what they are worth.
        for (i, gradient) in gradients.scores.iter_mut().enumerate() {
            *gradient = list.iter().fold(R::ZERO, |count, &j| count + is_positive(j, i));
        }
        for &j in list {
            let hinges = fold::sum(scores.len(), |i| is_positive(j, i)).total();
            let gradient = &mut gradients.scores[j as usize];
            *gradient = *gradient - hinges;
        }
        let factor = cotangent.guarded() / R::Guarded::from_f64(scores.len() as f64);
        for gradient in gradients.scores.iter_mut() {
            *gradient = R::rounded(factor * gradient.guarded());
        }
        self.value(scores, list)
    }
}

impl MultiLabelMarginLoss {
    fn rows<'a, R: Real>(
        &self,
        (input, target): &'a InputAndClasses<'_, R>,
    ) -> Result<Rows<'a, R, LabelLists<'a>>, Error> {
        let is_vector = input.ndim() == 1;
        if !(is_vector || input.ndim() == 2) || input.shape().last() == Some(&0) {
            let expected = "(C) or (N, C), with at least one class".to_owned();
            return Err(Error::Shape { name: "input", shape: input.shape().to_vec(), expected });
        }
        if target.shape() != input.shape() {
            let expected = format!("{:?}, that of the input", input.shape());
            return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
        }
        let (scores, lists) = if is_vector {
            (input.view().insert_axis(Axis(0)), target.view().insert_axis(Axis(0)))
        } else {
            (input.view(), target.view())
        };
        Ok(Rows { scores, targets: LabelLists(lists), weight: None, reduction: self.reduction })
    }
}

impl<'a, R: Real> Loss<R, InputAndClasses<'a, R>, 1> for MultiLabelMarginLoss {
    fn shapes(&self, inputs: &InputAndClasses<'a, R>) -> Result<Shapes<1>, Error> {
        let Shapes { value, .. } = self.rows(inputs)?.shapes::<1>()?;
        let value = if inputs.0.ndim() == 1 { Vec::new() } else { value };
        Ok(Shapes { value, gradients: [inputs.0.shape().to_vec()] })
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClasses<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        let shapes = self.shapes(&inputs)?;
        evaluate_rows(&self.rows(&inputs)?, &Formula, &shapes, value, backward)
    }
}
