use candle_core::{Result, Tensor};

use super::Reduction;
use super::difference::difference;

/// The squared error, (x - t)^2.
///
/// Input and target broadcast; both are differentiable.
///
/// # Errors
///
/// If the shapes do not broadcast or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.mse_loss.html>
pub fn mse_loss(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    reduction.apply(&difference(input, target)?.sqr()?)
}
