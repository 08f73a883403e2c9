use ndarray::ArrayViewD;

use crate::losses::pointwise_loss;
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real, Reduction};

/// Hinge loss of a distance x and a label t, 1 where the pair is alike and -1 where it is not:
///
/// ```text
/// x                   if t = 1
/// max(0, margin - x)  if t = -1
/// ```
///
/// As in PyTorch any other label adds up both, which is max(margin, x). Input and target broadcast; the input is differentiable, with slope -1 where
/// x is the margin.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.HingeEmbeddingLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingLoss {
    /// The distance from which pairs that are not alike cost nothing.
    pub margin: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbeddingLoss {
    fn elements<'a, R>(&self, operands: [ArrayViewD<'a, R>; 2]) -> Result<Elements<'a, R, 2>, Error> {
        Ok(Elements::unweighted(operands, self.reduction))
    }
}

impl Pointwise<2> for HingeEmbeddingLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let margin = R::from_f64(self.margin);
        let hinge = (margin - x).maximum(R::ZERO);
        let both = if x == R::from_f64(f64::NEG_INFINITY) { x + hinge } else { margin.maximum(x) };
        let other = if t == -R::ONE { hinge } else { both };
        if t == R::ONE { x } else { other }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let hinge = if R::from_f64(self.margin) - x >= R::ZERO { -cotangent } else { R::ZERO };
        let unlike = if t == R::ONE { R::ZERO } else { hinge };
        let alike = if t == -R::ONE { R::ZERO } else { cotangent };
        [unlike + alike, R::ZERO]
    }
}

pointwise_loss!(HingeEmbeddingLoss, [input, target], 1);
