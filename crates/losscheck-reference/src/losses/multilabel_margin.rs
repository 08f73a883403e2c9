use ndarray::{ArrayViewMutD, Axis};

use crate::losses::InputAndClasses;
use crate::losses::multi_margin::evaluate_rows;
use crate::rowwise::{LabelList, LabelLists, RowGradients, Rows, Rowwise};
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

impl<R: Real> Rowwise<R, LabelList<'_>> for Formula {
    #[inline(always)]
    fn value(&self, scores: &[R], list: LabelList<'_>) -> R {
        let mut sum = R::Sum::ZERO;
        for &j in list.classes {
            let margin = R::Working::ONE - scores[j].widen();
            for others in list.others(scores.len()) {
                let hinge = |score: R| (margin + score.widen()).maximum(R::Working::ZERO);
                sum = sum.merge(fold::sum_of(&scores[others], hinge));
            }
        }
        R::narrow(R::working_total(sum) / R::Working::from_f64(scores.len() as f64))
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, scores: &[R], list: LabelList<'_>, gradients: RowGradients<'_, R>) -> R {
        // First how many hinges are above 0, then what they are worth.
        let counts = gradients.workspace;
        counts.clear();
        counts.resize(scores.len(), R::Working::ZERO);
        for &j in list.classes {
            let margin = R::Working::ONE - scores[j].widen();
            let is_above = |score: R| {
                if margin + score.widen() > R::Working::ZERO { R::Working::ONE } else { R::Working::ZERO }
            };
            for others in list.others(scores.len()) {
                let (scores, counts_of_others) = (&scores[others.clone()], &mut counts[others]);
                for (count, &score) in counts_of_others.iter_mut().zip(scores) {
                    *count = *count + is_above(score);
                }
                counts[j] = counts[j] - R::working_total(fold::sum_of(scores, is_above));
            }
        }
        let factor = cotangent.widen() / R::Working::from_f64(scores.len() as f64);
        for (gradient, &count) in gradients.scores.iter_mut().zip(&*counts) {
            *gradient = R::narrow(factor * count);
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
        let rows = self.rows(&inputs)?;
        evaluate_rows(&rows, &shapes, value, backward, |value, backward| rows.evaluate_into(&Formula, value, backward))
    }
}
