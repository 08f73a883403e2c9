use candle_core::{Result, Tensor};

use super::Reduction;
use super::broadcast::broadcast;
use super::check::float;
use super::custom_gradient::with_custom_gradient;

/// The options of [`poisson_nll_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNllOptions {
    /// Whether the input is the logarithm of the rate.
    pub log_input: bool,
    /// Whether to add Stirling's approximation of ln t! for targets above 1.
    pub full: bool,
    /// What is added to a rate before its logarithm is taken.
    pub eps: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for PoissonNllOptions {
    fn default() -> Self {
        Self { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

/// The negative log-likelihood of a count t under a Poisson distribution: e^x - t x, or without `log_input`
/// x - t ln(x + eps). With `full` a target above 1 adds t ln t - t + ln(2 pi t) / 2.
///
/// Input and target broadcast; both are differentiable.
///
/// # Errors
///
/// If the shapes do not broadcast or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.poisson_nll_loss.html>
pub fn poisson_nll_loss(input: &Tensor, target: &Tensor, options: PoissonNllOptions) -> Result<Tensor> {
    float("input", input)?;
    let PoissonNllOptions { log_input, full, eps, reduction } = options;
    let [input, target] = broadcast([input, target])?;
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
    reduction.apply(&losses)
}
