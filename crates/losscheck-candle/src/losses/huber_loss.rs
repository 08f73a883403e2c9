use candle_core::{Result, Tensor, bail};

use super::Reduction;
use super::check::weigh;
use super::difference::difference;

/// The options of [`huber_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuberOptions {
    /// Where the loss turns from quadratic to linear.
    pub delta: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for HuberOptions {
    fn default() -> Self {
        Self { delta: 1., reduction: Reduction::Mean }
    }
}

/// Huber's loss: with d = x - t it is d^2 / 2 where |d| <= delta, and delta (|d| - delta / 2) beyond.
///
/// Input and target broadcast; both are differentiable. A weight has the shape of the input, and does not count in what the
/// mean divides by.
///
/// # Errors
///
/// If `delta` is not positive, the shapes do not broadcast, or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.huber_loss.html>
pub fn huber_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, options: HuberOptions) -> Result<Tensor> {
    let HuberOptions { delta, reduction } = options;
    if delta.is_nan() || delta <= 0. {
        bail!("delta is {delta}, expected a positive number");
    }
    // Both branches are c (d - c / 2) with c = clamp(d, -delta, delta), and the derivative by d is c itself.
    let difference = difference(input, target)?;
    let clamped = difference.detach().clamp(-delta, delta)?;
    let losses = (&clamped * (&difference - (&clamped / 2.)?)?)?;
    reduction.apply(&weigh(losses, weight, input)?)
}
