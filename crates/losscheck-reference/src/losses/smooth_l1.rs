use ndarray::ArrayViewD;

use crate::losses::pointwise_loss;
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real, Reduction};

/// Smooth L1 loss, quadratic near 0 and linear beyond `beta`, with d = x - t:
///
/// ```text
/// d^2 / (2 beta)   if |d| < beta
/// |d| - beta / 2   otherwise
/// ```
///
/// With a `beta` of 0 it is [`L1Loss`](crate::L1Loss), whose gradient at 0 is 0. Input and target broadcast; both are
/// differentiable. A negative option is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.SmoothL1Loss.html>; R. Girshick, "Fast R-CNN", 2015.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Loss {
    /// Where the loss turns linear.
    pub beta: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        Self { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl SmoothL1Loss {
    fn elements<'a, R>(&self, operands: [ArrayViewD<'a, R>; 2]) -> Result<Elements<'a, R, 2>, Error> {
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
