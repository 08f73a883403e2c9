use crate::losses::pointwise_loss;
use crate::pointwise::Pointwise;
use crate::{Error, Real, Reduction};

/// Mean absolute error: `|x - t|`, whose gradient at 0 is 0.
///
/// Input and target broadcast; both are differentiable.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.L1Loss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct L1Loss {
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl L1Loss {
    fn check_options(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Pointwise<2> for L1Loss {
    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        (x - t).abs()
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let slope = cotangent * (x - t).signum_or_zero();
        [slope, -slope]
    }
}

pointwise_loss!(L1Loss);
