use candle_core::{Result, Tensor};

use super::Reduction;
use super::check::weigh;
use super::difference::difference;

/// The squared error, (x - t)^2.
///
/// Input and target broadcast; both are differentiable. A weight has the shape of the input, and the mean then divides by
/// the sum of the weights.
///
/// # Errors
///
/// If the shapes do not broadcast or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.mse_loss.html>
pub fn mse_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, reduction: Reduction) -> Result<Tensor> {
    let losses = weigh(difference(input, target)?.sqr()?, weight, input)?;
    reduction.apply_weighted(&losses, weight)
}
