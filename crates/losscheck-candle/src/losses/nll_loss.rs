use candle_core::{Result, Tensor};
use losscheck_options::NLLLoss;

use super::check::class_weight;
use super::classes::Rows;

/// Computes [`NLLLoss`].
///
/// The target has the dtype u8, u32 or i64.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn nll_loss(input: &Tensor, target: &Tensor, weight: Option<&Tensor>, options: NLLLoss) -> Result<Tensor> {
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
