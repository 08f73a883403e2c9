use ndarray::ArrayViewD;

use crate::losses::{pointwise_loss, weight_of_input};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::real::within;
use crate::{Error, Real, Reduction};

/// Huber's loss, quadratic near 0 and linear beyond `delta`, with d = x - t:
///
/// ```text
/// d^2 / 2                  if |d| <= delta
/// delta (|d| - delta / 2)  otherwise
/// ```
///
/// Input and target broadcast; both are differentiable. A weight has the shape of the input; the mean divides by the
/// number of elements all the same, unlike that of [`L1Loss`](crate::L1Loss) and [`MSELoss`](crate::MSELoss). A `delta`
/// that is not positive is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.HuberLoss.html>; P. J. Huber, "Robust Estimation of a
/// Location Parameter", 1964.
#[derive(Clone, Debug)]
pub struct HuberLoss<'a, R> {
    /// A factor on each element's loss, as `torch.nn.functional` has it.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// Where the loss turns linear.
    pub delta: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl<R> Default for HuberLoss<'_, R> {
    fn default() -> Self {
        Self { weight: None, delta: 1.0, reduction: Reduction::Mean }
    }
}

impl<R: Real> HuberLoss<'_, R> {
    fn elements<'a>(&'a self, operands: [ArrayViewD<'a, R>; 2]) -> Result<Elements<'a, R, 2>, Error> {
        if self.delta.is_nan() || self.delta <= 0.0 {
            return Err(Error::Option { name: "delta", value: self.delta, expected: "a positive number" });
        }
        let weight = weight_of_input(&self.weight, &operands[0])?;
        Ok(Elements { operands, weight, reduction: self.reduction, denominator: Denominator::Elements })
    }
}

impl<T: Sync> Pointwise<2> for HuberLoss<'_, T> {
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

pointwise_loss!(HuberLoss<'_, R>, [input, target], 2);
