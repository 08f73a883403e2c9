use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::losses::InputAndClasses;
use crate::rowwise::{Classes, RowGradients, Rows, Rowwise, weight_of};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes};

/// Negative log-likelihood of log-probabilities, for a row with class y:
///
/// ```text
/// -w_y x_y
/// ```
///
/// The input has shape (C), (N, C) or (N, C, d1, ...), the target the same without C. The mean divides by the sum of the
/// weights w_y of the rows that are not ignored, and is NaN where that is 0. The input is differentiable. An index
/// that is neither a class nor `ignore_index` is an error.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.NLLLoss.html>
#[derive(Clone, Debug)]
pub struct NLLLoss<'a, R> {
    /// A weight for each class.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// Rows with this target count for nothing.
    pub ignore_index: i64,
    /// How the rows' losses are put together.
    pub reduction: Reduction,
}

/// [`NLLLoss`] by the deprecated name that PyTorch has for images.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.NLLLoss.html>
pub type NLLLoss2d<'a, R> = NLLLoss<'a, R>;

impl<R> Default for NLLLoss<'_, R> {
    fn default() -> Self {
        Self { weight: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

struct Formula<'a, R> {
    weight: Option<ArrayViewD<'a, R>>,
}

impl<R: Real> Rowwise<R, usize> for Formula<'_, R> {
    #[inline(always)]
    fn value(&self, scores: &[R], class: usize) -> R {
        -(weight_of(&self.weight, class) * scores[class])
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, scores: &[R], class: usize, gradients: RowGradients<'_, R>) -> R {
        gradients.scores.fill(R::ZERO);
        gradients.scores[class] = -(cotangent * weight_of(&self.weight, class));
        self.value(scores, class)
    }

    fn value_takes_all(&self) -> bool {
        false
    }
}

impl<R: Real> NLLLoss<'_, R> {
    fn rows<'a>(&'a self, (input, target): &'a InputAndClasses<'_, R>) -> Rows<'a, R, Classes<'a>> {
        Rows {
            scores: input.view(),
            targets: Classes { indices: target.view(), ignore_index: self.ignore_index },
            weight: self.weight.as_ref().map(|weight| weight.view()),
            reduction: self.reduction,
        }
    }
}

impl<'a, R: Real> Loss<R, InputAndClasses<'a, R>, 1> for NLLLoss<'_, R> {
    fn shapes(&self, inputs: &InputAndClasses<'a, R>) -> Result<Shapes<1>, Error> {
        self.rows(inputs).shapes()
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClasses<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        let rows = self.rows(&inputs);
        rows.evaluate_into(&Formula { weight: rows.weight.clone() }, value, backward)
    }
}
