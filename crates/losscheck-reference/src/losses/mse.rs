use crate::losses::pointwise_loss;
use crate::pointwise::Pointwise;
use crate::{Error, Real, Reduction};

/// Mean squared error: `(x - t)^2`.
///
/// Input and target broadcast; both are differentiable.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.MSELoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MSELoss {
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl MSELoss {
    fn check_options(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Pointwise<2> for MSELoss {
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

pointwise_loss!(MSELoss);
