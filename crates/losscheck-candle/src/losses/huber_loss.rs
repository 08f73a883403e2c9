use candle_core::{Result, Tensor, bail};
use losscheck_options::HuberLoss;

use super::check::weigh;
use super::difference::difference;
use super::reduction::reduced;

/// Computes [`HuberLoss`].
///
/// Integers (u8, u32 or i64) in `target` or `weight` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn huber_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, options: HuberLoss) -> Result<Tensor> {
    let HuberLoss { delta, reduction } = options;
    if delta.is_nan() || delta <= 0. {
        bail!("delta is {delta}, expected a positive number");
    }
    // Both branches are c (d - c / 2) with c = clamp(d, -delta, delta), and the derivative by d is c itself.
    let difference = difference(input, target)?;
    let clamped = difference.detach().clamp(-delta, delta)?;
    let losses = (&clamped * (&difference - (&clamped / 2.)?)?)?;
    reduced(&weigh(losses, weight, input)?, reduction)
}
