use ndarray::ArrayViewD;

use crate::losses::{pointwise_loss, weight_of_input};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Error, Real, Reduction};

/// Mean squared error: `(x - t)^2`.
///
/// Input and target broadcast; both are differentiable. A weight has the shape of the input; the mean then divides by the
/// sum of the weights.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.MSELoss.html>
#[derive(Clone, Debug)]
pub struct MSELoss<'a, R> {
    /// A factor on each element's loss, as `torch.nn.functional` has it.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl<R> Default for MSELoss<'_, R> {
    fn default() -> Self {
        Self { weight: None, reduction: Reduction::Mean }
    }
}

impl<R: Real> MSELoss<'_, R> {
    fn elements<'a>(&'a self, operands: [ArrayViewD<'a, R>; 2]) -> Result<Elements<'a, R, 2>, Error> {
        let weight = weight_of_input(&self.weight, &operands[0])?;
        Ok(Elements { operands, weight, reduction: self.reduction, denominator: Denominator::Weights })
    }
}

impl<T: Sync> Pointwise<2> for MSELoss<'_, T> {
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

pointwise_loss!(MSELoss<'_, R>, [input, target], 2);
