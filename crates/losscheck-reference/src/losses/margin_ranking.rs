use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::kink::{Hinge, passes};
use crate::losses::{PointwiseLoss, Triple, pointwise_loss};
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, MarginRankingLoss, Real};

/// Computes [`MarginRankingLoss`].
pub fn margin_ranking_loss<'a, R: Real>(
    input1: impl IntoView<'a, R>,
    input2: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: MarginRankingLoss,
) -> Call<MarginRankingLoss, Triple<'a, R>, R, 3> {
    Call::new(options, (input1.into_view(), input2.into_view(), target.into_view()))
}

impl PointwiseLoss<3> for MarginRankingLoss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 3],
        _: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 3>, Error> {
        let rank = operands[0].ndim();
        for (operand, name) in operands.iter().zip(["input1", "input2", "target"]) {
            if operand.ndim() != rank {
                let expected = format!("one of {rank} dimensions, as many as input1 has");
                return Err(Error::Shape { name, shape: operand.shape().to_vec(), expected });
            }
        }
        Ok(Elements::unweighted(operands, self.reduction))
    }
}

#[inline(always)]
fn shortfall<R: Real>(margin: f64, [x1, x2, t]: [R; 3]) -> R {
    R::from_f64(margin) - t * (x1 - x2)
}

impl Pointwise<3> for MarginRankingLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, operands: [R; 3]) -> R {
        shortfall(self.margin, operands).maximum(R::ZERO)
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x1, x2, t]: [R; 3]) -> [R; 3] {
        self.slopes(false, cotangent, [x1, x2, t])
    }
}

impl Hinge<3> for MarginRankingLoss {
    #[inline(always)]
    fn slopes<R: Real>(&self, at_kink: bool, cotangent: R, [x1, x2, t]: [R; 3]) -> [R; 3] {
        let slope = if passes(shortfall(self.margin, [x1, x2, t]), at_kink) { cotangent } else { R::ZERO };
        [-(slope * t), slope * t, -(slope * (x1 - x2))]
    }
}

pointwise_loss!(MarginRankingLoss, [input1, input2, target], 3);
