use ndarray::ArrayViewD;

use crate::call::{Call, IntoView};
use crate::losses::softplus::{sigmoid, softplus};
use crate::losses::{InputAndTarget, PointwiseLoss, pointwise_loss};
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real, SoftMarginLoss};

/// Computes [`SoftMarginLoss`].
///
/// However wrong the score is, the loss is about -t x and the gradient -t. PyTorch's overflow there.
pub fn soft_margin_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: SoftMarginLoss,
) -> Call<SoftMarginLoss, InputAndTarget<'a, R>, R, 1> {
    Call::new(options, (input.into_view(), target.into_view()))
}

impl PointwiseLoss<2> for SoftMarginLoss {
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; 2],
        _: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, 2>, Error> {
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
