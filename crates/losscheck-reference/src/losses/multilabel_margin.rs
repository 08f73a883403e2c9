use ndarray::ArrayViewMutD;

use crate::call::{Call, IntoView};
use crate::losses::InputAndClasses;
use crate::losses::multi_margin::{evaluate_rows, matrix, with_dimensions};
use crate::rowwise::{LabelList, LabelLists, RowGradients, Rows, Rowwise};
use crate::{Backward, Error, Loss, MultiLabelMarginLoss, Real, Reduction, Shapes, Sum, fold};

/// Computes [`MultiLabelMarginLoss`].
pub fn multilabel_margin_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, i64>,
    options: MultiLabelMarginLoss,
) -> Call<MultiLabelMarginLoss, InputAndClasses<'a, R>, R, 1> {
    Call::new(options, (input.into_view(), target.into_view()))
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

fn rows<'a, R: Real>(
    reduction: Reduction,
    (input, target): &'a InputAndClasses<'_, R>,
) -> Result<Rows<'a, R, LabelLists<'a>>, Error> {
    let scores = matrix(input)?;
    // A scalar and a vector of one element stand for each other.
    let is_one_by_one = input.ndim() < 2 && target.ndim() < 2 && input.len() == 1 && target.len() == 1;
    if target.shape() != input.shape() && !is_one_by_one {
        let expected = format!("{:?}, that of the input", input.shape());
        return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
    }
    let lists = with_dimensions(target.view(), 2);
    Ok(Rows { scores, targets: LabelLists(lists), weight: None, reduction })
}

impl<'a, R: Real> Loss<R, InputAndClasses<'a, R>, 1> for MultiLabelMarginLoss {
    fn shapes(&self, inputs: &InputAndClasses<'a, R>) -> Result<Shapes<1>, Error> {
        let Shapes { value, .. } = rows(self.reduction, inputs)?.shapes::<1>()?;
        let value = if inputs.0.ndim() < 2 { Vec::new() } else { value };
        Ok(Shapes { value, gradients: [inputs.0.shape().to_vec()] })
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClasses<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        let shapes = self.shapes(&inputs)?;
        let rows = rows(self.reduction, &inputs)?;
        evaluate_rows(&rows, &shapes, value, backward, |value, backward| rows.evaluate_into(&Formula, value, backward))
    }
}
