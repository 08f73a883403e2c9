use ndarray::ArrayViewD;

use crate::losses::pointwise_loss;
use crate::losses::softplus::{sigmoid, softplus};
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real, Reduction};

/// Logistic loss of a score x and a label t of 1 or -1:
///
/// ```text
/// ln(1 + e^(-t x))
/// ```
///
/// The target broadcasts to the shape of the input, which is differentiable. However wrong the score, the loss is about
/// -t x and the gradient -t, where PyTorch's overflow.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.SoftMarginLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftMarginLoss {
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl SoftMarginLoss {
    fn elements<'a, R>(&self, operands: [ArrayViewD<'a, R>; 2]) -> Result<Elements<'a, R, 2>, Error> {
        let [input, target] = &operands;
        if target.broadcast(input.raw_dim()).is_none() {
            let expected = format!("one that broadcasts to {:?}, that of the input", input.shape());
            return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
        }
        Ok(Elements::unweighted(operands, self.reduction))
    }
}

impl Pointwise<2> for SoftMarginLoss {
    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        softplus(-(t * x))
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        [cotangent * -(t * sigmoid(-(t * x))), R::ZERO]
    }
}

pointwise_loss!(SoftMarginLoss, [input, target], 1);
