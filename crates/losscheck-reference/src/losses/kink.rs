//! What a hinge max(0, z) passes on of its gradient where z is exactly 0.
//!
//! PyTorch's `clamp_min` passes nothing since version 2.14, and passed everything before
//! (<https://github.com/pytorch/pytorch/pull/191142>). The losses follow the current version.

use ndarray::ArrayViewD;

use crate::losses::{PointwiseLoss, pointwise_loss};
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, HingeEmbeddingLoss, MarginRankingLoss, Real};

/// A loss with a hinge whose gradient passes at the kink, as in PyTorch up to version 2.13.
#[derive(Clone, Copy, Debug)]
pub struct PassingAtKink<L>(pub L);

/// Whether the gradient of a hinge passes.
#[inline(always)]
pub(super) fn passes<R: Real>(hinge: R, at_kink: bool) -> bool {
    if at_kink { hinge >= R::ZERO } else { hinge > R::ZERO }
}

/// A formula with a hinge.
pub(super) trait Hinge<const N: usize>: PointwiseLoss<N> {
    /// What [`Pointwise::pullback`] returns if the gradient passes at the kink, or if it does not.
    fn slopes<R: Real>(&self, at_kink: bool, cotangent: R, operands: [R; N]) -> [R; N];
}

impl<L: Hinge<N>, const N: usize> Pointwise<N> for PassingAtKink<L> {
    const NEEDS_EXTRA_PRECISION: bool = L::NEEDS_EXTRA_PRECISION;
    const IS_FAST: bool = false;

    fn value<R: Real>(&self, operands: [R; N]) -> R {
        self.0.value(operands)
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N] {
        self.0.slopes(true, cotangent, operands)
    }
}

impl<L: Hinge<N>, const N: usize> PointwiseLoss<N> for PassingAtKink<L> {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; N],
        weight: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, N>, Error> {
        self.0.elements(operands, weight)
    }
}

pointwise_loss!(PassingAtKink<HingeEmbeddingLoss>, [input, target], 1);
pointwise_loss!(PassingAtKink<MarginRankingLoss>, [input1, input2, target], 3);
