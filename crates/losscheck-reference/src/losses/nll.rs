use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::call::{Call, IntoView};
use crate::losses::InputAndClassesWeighted;
use crate::rowwise::{Classes, RowGradients, Rows, Rowwise, weight_of};
use crate::{Backward, Error, Loss, NLLLoss, NLLLoss2d, Real, Shapes};

/// Computes [`NLLLoss`], with an optional [weight](crate::Call::weight) for each class.
pub fn nll_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, i64>,
    options: NLLLoss,
) -> Call<NLLLoss, InputAndClassesWeighted<'a, R>, R, 1> {
    Call::new(options, (input.into_view(), target.into_view(), None))
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

fn rows<'a, R: Real>(
    options: &NLLLoss,
    (input, target, weight): &'a InputAndClassesWeighted<'_, R>,
) -> Rows<'a, R, Classes<'a>> {
    Rows {
        scores: input.view(),
        targets: Classes { indices: target.view(), ignore_index: options.ignore_index },
        weight: weight.as_ref().map(|weight| weight.view()),
        reduction: options.reduction,
    }
}

impl<'a, R: Real> Loss<R, InputAndClassesWeighted<'a, R>, 1> for NLLLoss {
    fn shapes(&self, inputs: &InputAndClassesWeighted<'a, R>) -> Result<Shapes<1>, Error> {
        rows(self, inputs).shapes()
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClassesWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        let rows = rows(self, &inputs);
        rows.evaluate_into(&Formula { weight: rows.weight.clone() }, value, backward)
    }
}

impl<'a, R: Real> Loss<R, InputAndClassesWeighted<'a, R>, 1> for NLLLoss2d {
    fn shapes(&self, inputs: &InputAndClassesWeighted<'a, R>) -> Result<Shapes<1>, Error> {
        NLLLoss::from(*self).shapes(inputs)
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClassesWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        NLLLoss::from(*self).evaluate_into(inputs, value, backward)
    }
}
