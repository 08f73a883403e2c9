use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::kink::{Hinge, passes};
use crate::losses::{InputAndTarget, PointwiseLoss, pointwise_loss};
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, HingeEmbeddingLoss, Real};

/// Computes [`HingeEmbeddingLoss`].
pub fn hinge_embedding_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: HingeEmbeddingLoss,
) -> Call<HingeEmbeddingLoss, InputAndTarget<'a, R>, R, 1> {
    Call::new(options, (input.into_view(), target.into_view()))
}

impl PointwiseLoss<2> for HingeEmbeddingLoss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 2],
        _: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 2>, Error> {
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
    fn pullback<R: Real>(&self, cotangent: R, operands: [R; 2]) -> [R; 2] {
        self.slopes(false, cotangent, operands)
    }
}

impl Hinge<2> for HingeEmbeddingLoss {
    #[inline(always)]
    fn slopes<R: Real>(&self, at_kink: bool, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let hinge = if passes(R::from_f64(self.margin) - x, at_kink) { -cotangent } else { R::ZERO };
        let unlike = if t == R::ONE { R::ZERO } else { hinge };
        let alike = if t == -R::ONE { R::ZERO } else { cotangent };
        [unlike + alike, R::ZERO]
    }
}

pointwise_loss!(HingeEmbeddingLoss, [input, target], 1);
