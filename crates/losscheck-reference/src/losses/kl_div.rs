use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::{InputAndTarget, PointwiseLoss, pointwise_loss};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Error, KLDivLoss, KLDivReduction, Real, Reduction, Sum};

/// Computes [`KLDivLoss`].
pub fn kl_div<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: KLDivLoss,
) -> Call<KLDivLoss, InputAndTarget<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view()))
}

impl PointwiseLoss<2> for KLDivLoss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 2],
        _: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 2>, Error> {
        // PyTorch leaves the sum of a scalar as it is.
        let batch = operands[0].shape().first().map_or(1.0, |&batch| batch as f64);
        let (reduction, denominator) = match self.reduction {
            KLDivReduction::None => (Reduction::None, Denominator::Elements),
            KLDivReduction::Mean => (Reduction::Mean, Denominator::Elements),
            KLDivReduction::BatchMean => (Reduction::Mean, Denominator::Number(batch)),
            KLDivReduction::Sum => (Reduction::Sum, Denominator::Elements),
        };
        Ok(Elements { operands, weight: None, reduction, denominator })
    }
}

impl Pointwise<2> for KLDivLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        if self.log_target {
            return t.exp() * (t - x);
        }
        let ln = t.ln();
        // As -(0 x), so that an infinite or undefined prediction shows.
        if t == R::ZERO { -(t * x) } else { t * (ln - x) }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (probability, by_target) = if self.log_target {
            let probability = t.exp();
            let sum = R::Sum::ZERO.plus(t).plus(-x).plus(R::ONE);
            (probability, probability * sum.total())
        } else {
            (t, (t.ln() - x) + R::ONE)
        };
        [-(cotangent * probability), cotangent * by_target]
    }
}

pointwise_loss!(KLDivLoss, [input, target], 2);
