use candle_core::{Result, Tensor};
use losscheck_options::MSELoss;

use super::check::weigh;
use super::difference::difference;
use super::reduction::weighted;

/// Computes [`MSELoss`].
///
/// Integers (u8, u32 or i64) in `target` or `weight` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if a shape or a dtype does not fit.
pub fn mse_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, options: MSELoss) -> Result<Tensor> {
    let losses = weigh(difference(input, target)?.sqr()?, weight, input)?;
    weighted(&losses, weight, options.reduction)
}
