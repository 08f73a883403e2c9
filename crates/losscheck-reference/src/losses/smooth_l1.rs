use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::{InputAndTarget, PointwiseLoss, pointwise_loss};
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real, SmoothL1Loss};

/// Computes [`SmoothL1Loss`].
pub fn smooth_l1_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: SmoothL1Loss,
) -> Call<SmoothL1Loss, InputAndTarget<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view()))
}

impl PointwiseLoss<2> for SmoothL1Loss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 2],
        _: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 2>, Error> {
        if self.beta >= 0.0 {
            Ok(Elements::unweighted(operands, self.reduction))
        } else {
            Err(Error::Option { name: "beta", value: self.beta, expected: "a number that is not negative" })
        }
    }
}

impl Pointwise<2> for SmoothL1Loss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, beta, half) = (x - t, R::from_f64(self.beta), R::from_f64(0.5));
        // The quotient is the slope's, too.
        if d.abs() < beta { half * d * (d / beta) } else { d.abs() - half * beta }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (d, beta) = (x - t, R::from_f64(self.beta));
        let slope = cotangent * if d.abs() < beta { d / beta } else { d.signum_or_zero() };
        [slope, -slope]
    }
}

pointwise_loss!(SmoothL1Loss, [input, target], 2);
