use candle_core::{Result, Tensor, bail};
use losscheck_options::SoftMarginLoss;

use super::broadcast::broadcast_to;
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::ln_1p::ln_1p;
use super::reduction::reduced;

/// Computes [`SoftMarginLoss`].
///
/// Nothing overflows, however wrong the score is.
///
/// Integers (u8, u32 or i64) in `target` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if the target does not broadcast to the input or the dtypes differ.
pub fn soft_margin_loss(input: &Tensor, target: &Tensor, options: SoftMarginLoss) -> Result<Tensor> {
    float("input", input)?;
    let Ok(t) = broadcast_to(&promoted(target, input)?.detach(), input.dims()) else {
        bail!("target has shape {:?}, expected one that broadcasts to {:?}", target.dims(), input.dims());
    };
    let z = (&t * input.detach())?.neg()?;
    let e = z.abs()?.neg()?.exp()?;
    let losses = (z.relu()? + ln_1p(&e)?)?;
    let losses = with_custom_gradient(losses, input, move |gradient| {
        let numerator = z.ge(0.)?.where_cond(&e.ones_like()?, &e)?;
        let sigmoid = (numerator / e.affine(1., 1.)?)?;
        gradient * (&t * sigmoid)?.neg()?
    })?;
    reduced(&losses, options.reduction)
}
