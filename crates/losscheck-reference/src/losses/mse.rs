use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::{InputAndTargetWeighted, PointwiseLoss, check_weight_of_input, pointwise_loss};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Error, MSELoss, Real};

/// Computes [`MSELoss`], with an optional [weight](crate::Call::weight).
pub fn mse_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: MSELoss,
) -> Call<MSELoss, InputAndTargetWeighted<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view(), None))
}

impl PointwiseLoss<2> for MSELoss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 2],
        weight: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 2>, Error> {
        check_weight_of_input(weight.as_ref(), &operands[0])?;
        Ok(Elements { operands, weight, reduction: self.reduction, denominator: Denominator::Weights })
    }
}

impl Pointwise<2> for MSELoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let d = x - t;
        d * d
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let slope = (cotangent + cotangent) * (x - t);
        [slope, -slope]
    }
}

pointwise_loss!(MSELoss, [input, target], 2, weight);
