use crate::losses::pointwise_loss;
use crate::pointwise::Pointwise;
use crate::{Error, Real, Reduction};

/// Huber's loss, quadratic near 0 and linear beyond `delta`, with d = x - t:
///
/// ```text
/// d^2 / 2                  if |d| <= delta
/// delta (|d| - delta / 2)  otherwise
/// ```
///
/// Input and target broadcast; both are differentiable. An option that is not positive is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.HuberLoss.html>; P. J. Huber, "Robust Estimation of a
/// Location Parameter", 1964.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuberLoss {
    /// Where the loss turns linear.
    pub delta: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for HuberLoss {
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl HuberLoss {
    fn check_options(&self) -> Result<(), Error> {
        if self.delta > 0.0 {
            Ok(())
        } else {
            Err(Error::Option { name: "delta", value: self.delta, expected: "a positive number" })
        }
    }
}

impl Pointwise<2> for HuberLoss {
    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (d, delta, half) = ((x - t).abs(), R::from_f64(self.delta), R::from_f64(0.5));
        if d <= delta { half * d * d } else { delta * (d - half * delta) }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (d, delta) = (x - t, R::from_f64(self.delta));
        let slope = cotangent * d.minimum(delta).maximum(-delta);
        [slope, -slope]
    }
}

pointwise_loss!(HuberLoss);
