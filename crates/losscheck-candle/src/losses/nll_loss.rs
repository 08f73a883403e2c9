use candle_core::{Result, Tensor};

use super::Reduction;
use super::check::class_weight;
use super::classes::Rows;

/// The options of [`nll_loss`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NllOptions {
    /// Samples of this class have loss and gradient 0 and do not count in the mean.
    pub ignore_index: i64,
    /// How the samples' losses are put together.
    pub reduction: Reduction,
}

impl Default for NllOptions {
    fn default() -> Self {
        Self { ignore_index: -100, reduction: Reduction::Mean }
    }
}

/// The negative log-likelihood of the target's class, -w\[t\] x\[t\], of log-probabilities x.
///
/// The input has shape (C), (N, C) or (N, C, d1, ...) and is differentiable. The target has the input's shape without C
/// and holds class indices as u8, u32 or i64. `weight` has shape (C). The mean divides by the sum of the weights of the
/// samples that are not ignored, and is NaN if all are.
///
/// # Errors
///
/// If a class is out of bounds and not `ignore_index`, or a shape or dtype does not fit.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.nll_loss.html>
pub fn nll_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, options: NllOptions) -> Result<Tensor> {
    let rows = Rows::new(input)?;
    let indices = rows.indices(target, options.ignore_index)?;
    let weight = weight.map(|weight| class_weight(weight, rows.classes)).transpose()?;
    let weights = weight.map(|weight| indices.weights(&weight)).transpose()?;
    let mut losses = indices.pick(&rows.rows)?.neg()?;
    if let Some(weights) = &weights {
        losses = (losses * weights)?;
    }
    indices.reduce(options.reduction, &rows, &indices.mask(&losses)?, weights.as_ref())
}
