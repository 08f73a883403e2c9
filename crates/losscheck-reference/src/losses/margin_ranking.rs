use ndarray::ArrayViewD;

use crate::losses::pointwise_loss;
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real, Reduction};

/// Ranking loss of two scores, the first of which should be the higher by a margin where t is 1, the second where t is -1:
///
/// ```text
/// max(0, -t (x1 - x2) + margin)
/// ```
///
/// The three tensors have the same number of dimensions and broadcast. All are differentiable, the hinge with slope 1 at
/// 0 as PyTorch has it: scores that are equal with a margin of 0 still have a gradient.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.MarginRankingLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRankingLoss {
    /// The difference of scores that is asked for.
    pub margin: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl MarginRankingLoss {
    fn elements<'a, R>(&self, operands: [ArrayViewD<'a, R>; 3]) -> Result<Elements<'a, R, 3>, Error> {
        let rank = operands[0].ndim();
        for (operand, name) in operands.iter().zip(["input1", "input2", "target"]) {
            if operand.ndim() != rank {
                let expected = format!("one of {rank} dimensions, as many as input1 has");
                return Err(Error::Shape { name, shape: operand.shape().to_vec(), expected });
            }
        }
        Ok(Elements::unweighted(operands, self.reduction))
    }

    #[inline(always)]
    fn shortfall<R: Real>(&self, [x1, x2, t]: [R; 3]) -> R {
        R::from_f64(self.margin) - t * (x1 - x2)
    }
}

impl Pointwise<3> for MarginRankingLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, operands: [R; 3]) -> R {
        self.shortfall(operands).maximum(R::ZERO)
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x1, x2, t]: [R; 3]) -> [R; 3] {
        let slope = if self.shortfall([x1, x2, t]) >= R::ZERO { cotangent } else { R::ZERO };
        [-(slope * t), slope * t, -(slope * (x1 - x2))]
    }
}

pointwise_loss!(MarginRankingLoss, [input1, input2, target], 3);
