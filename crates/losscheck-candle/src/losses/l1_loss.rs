use candle_core::{Result, Tensor};
use losscheck_options::L1Loss;

use super::check::weigh;
use super::difference::difference;
use super::reduction::weighted;

/// Computes [`L1Loss`].
///
/// Integers (u8, u32 or i64) in `target` or `weight` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if a shape or a dtype does not fit.
pub fn l1_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, options: L1Loss) -> Result<Tensor> {
    // Not `abs`, whose derivative at 0 is 1 in candle: with the sign as a constant it is the sign.
    let difference = difference(input, target)?;
    let constant = difference.detach();
    // candle's sign of NaN is 0, which would hide it from the gradient.
    let sign = constant.eq(&constant)?.where_cond(&constant.sign()?, &constant)?;
    let losses = weigh((difference * sign)?, weight, input)?;
    weighted(&losses, weight, options.reduction)
}
