use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::{InputAndTargetWeighted, PointwiseLoss, check_weight_of_input, pointwise_loss};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::real::within;
use crate::{Error, HuberLoss, Real};

/// Computes [`HuberLoss`], with an optional [weight](crate::Call::weight).
pub fn huber_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: HuberLoss,
) -> Call<HuberLoss, InputAndTargetWeighted<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view(), None))
}

impl PointwiseLoss<2> for HuberLoss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 2],
        weight: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 2>, Error> {
        if self.delta.is_nan() || self.delta <= 0.0 {
            return Err(Error::Option { name: "delta", value: self.delta, expected: "a positive number" });
        }
        check_weight_of_input(weight.as_ref(), &operands[0])?;
        Ok(Elements { operands, weight, reduction: self.reduction, denominator: Denominator::Elements })
    }
}

impl Pointwise<2> for HuberLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, delta, half) = ((x - t).abs(), R::from_f64(self.delta), R::from_f64(0.5));
        if d <= delta { half * d * d } else { delta * (d - half * delta) }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (d, delta) = (x - t, R::from_f64(self.delta));
        let slope = cotangent * within((-delta, delta), d);
        [slope, -slope]
    }
}

pointwise_loss!(HuberLoss, [input, target], 2, weight);
