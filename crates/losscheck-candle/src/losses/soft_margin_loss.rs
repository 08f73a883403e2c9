use candle_core::{Result, Tensor, bail};

use super::Reduction;
use super::broadcast::broadcast_to;
use super::check::float;
use super::custom_gradient::with_custom_gradient;
use super::ln_1p::ln_1p;

/// The logistic loss ln(1 + e^(-t x)) of a score x and a target t of 1 or -1.
///
/// The target broadcasts to the shape of the input, which is differentiable. Nothing overflows, however wrong the score.
///
/// # Errors
///
/// If the target does not broadcast to the input or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.soft_margin_loss.html>
pub fn soft_margin_loss(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    float("input", input)?;
    let Ok(t) = broadcast_to(&target.detach(), input.dims()) else {
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
    reduction.apply(&losses)
}
