use candle_core::{Result, Tensor};

use super::Reduction;
use super::check::weigh;
use super::difference::difference;

/// The absolute error, |x - t|; its gradient at x = t is 0.
///
/// Input and target broadcast; both are differentiable. A weight has the shape of the input, and the mean then divides by
/// the sum of the weights.
///
/// # Errors
///
/// If the shapes do not broadcast or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.l1_loss.html>
pub fn l1_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, reduction: Reduction) -> Result<Tensor> {
    // Not `abs`, whose derivative at 0 is 1 in candle: with the sign as a constant it is the sign.
    let difference = difference(input, target)?;
    let constant = difference.detach();
    // candle's sign of NaN is 0, which would hide it from the gradient.
    let sign = constant.eq(&constant)?.where_cond(&constant.sign()?, &constant)?;
    let losses = weigh((difference * sign)?, weight, input)?;
    reduction.apply_weighted(&losses, weight)
}
