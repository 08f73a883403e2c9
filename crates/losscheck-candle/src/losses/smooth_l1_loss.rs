use candle_core::{DType, Result, Tensor, bail};

use super::check::float;
use super::difference::difference;
use super::{Reduction, l1_loss};

/// The options of [`smooth_l1_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Options {
    /// Where the loss turns from quadratic to linear.
    pub beta: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for SmoothL1Options {
    fn default() -> Self {
        Self { beta: 1., reduction: Reduction::Mean }
    }
}

/// The smooth absolute error: with d = x - t it is d^2 / (2 beta) where |d| < beta, and |d| - beta / 2 beyond. With
/// `beta` 0 it is [`l1_loss`].
///
/// Input and target broadcast; both are differentiable.
///
/// # Errors
///
/// If `beta` is negative or NaN, the shapes do not broadcast, or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.smooth_l1_loss.html>
pub fn smooth_l1_loss(input: &Tensor, target: &Tensor, options: SmoothL1Options) -> Result<Tensor> {
    float("input", input)?;
    let SmoothL1Options { beta, reduction } = options;
    if beta.is_nan() || beta < 0. {
        bail!("beta is {beta}, expected a number that is not negative");
    }
    let scalar = Tensor::new(beta, input.device())?.to_dtype(input.dtype())?;
    if scalar.to_dtype(DType::F64)?.to_scalar::<f64>()? == 0. {
        return l1_loss(input, target, None, reduction);
    }
    // Both branches are s (d - c / 2) with c = clamp(d, -beta, beta) and s = c / beta, the derivative by d.
    let difference = difference(input, target)?;
    let clamped = difference.detach().clamp(-beta, beta)?;
    let slope = clamped.broadcast_div(&scalar)?;
    reduction.apply(&(slope * (difference - (clamped / 2.)?)?)?)
}
