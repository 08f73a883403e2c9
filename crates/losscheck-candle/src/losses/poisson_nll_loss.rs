use candle_core::{Result, Tensor};
use losscheck_options::PoissonNLLLoss;

use super::broadcast::broadcast;
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::reduction::reduced;

/// Computes [`PoissonNLLLoss`].
///
/// Integers (u8, u32 or i64) in `target` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if the shapes do not broadcast or the dtypes differ.
pub fn poisson_nll_loss(input: &Tensor, target: &Tensor, options: PoissonNLLLoss) -> Result<Tensor> {
    float("input", input)?;
    let PoissonNLLLoss { log_input, full, eps, reduction } = options;
    let [input, target] = broadcast([input, &promoted(target, input)?])?;
    let (x, t) = (input.detach(), target.detach());
    let rate = if log_input { x.exp()? } else { x.affine(1., eps)? };
    let (mut losses, mut by_target) = if log_input {
        ((&rate - (&t * &x)?)?, x.neg()?)
    } else {
        let ln = rate.log()?;
        ((&x - (&t * &ln)?)?, ln.neg()?)
    };
    if full {
        let (none, ln, zeros) = (t.le(1.)?, t.log()?, t.zeros_like()?);
        let half_ln = ln.affine(0.5, 0.5 * (2. * std::f64::consts::PI).ln())?;
        let stirling = (((&t * &ln)? - &t)? + half_ln)?;
        losses = (losses + none.where_cond(&zeros, &stirling)?)?;
        let slope = (ln + t.recip()?.affine(0.5, 0.)?)?;
        by_target = (by_target + none.where_cond(&zeros, &slope)?)?;
    }
    let by_input = move |gradient: &Tensor| {
        if log_input {
            gradient * (&rate - &t)?
        } else {
            // The product first: t over a tiny rate may be out of range where it is not.
            gradient - ((gradient * &t)? / &rate)?
        }
    };
    let losses = with_custom_gradient(losses, &input, by_input)?;
    let losses = with_custom_gradient(losses, &target, move |gradient| gradient * &by_target)?;
    reduced(&losses, reduction)
}
