use candle_core::{Result, Tensor, bail};
use losscheck_options::MarginRankingLoss;

use super::broadcast::broadcast;
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::reduction::reduced;

/// Computes [`MarginRankingLoss`].
///
/// Integers (u8, u32 or i64) in `input2` or `target` become numbers of the dtype of `input1`.
///
/// # Errors
///
/// Returns an error if the numbers of dimensions differ, the shapes do not broadcast, or the dtypes differ.
pub fn margin_ranking_loss(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    options: MarginRankingLoss,
) -> Result<Tensor> {
    float("input1", input1)?;
    if input1.rank() != input2.rank() || input1.rank() != target.rank() {
        let shapes = [input1, input2, target].map(Tensor::dims);
        bail!("input1, input2 and target have shapes {shapes:?}, expected the same number of dimensions");
    }
    let [input1, input2, target] = broadcast([input1, &promoted(input2, input1)?, &promoted(target, input1)?])?;
    let difference = (input1.detach() - input2.detach())?;
    let t = target.detach();
    let shortfall = (&t * &difference)?.affine(-1., options.margin)?;
    let zeros = shortfall.zeros_like()?;
    let is_short = shortfall.gt(0.)?;
    let mut losses = shortfall.maximum(&zeros)?;
    for (argument, slope) in [(&input1, t.neg()?), (&input2, t), (&target, difference.neg()?)] {
        let (is_short, zeros) = (is_short.clone(), zeros.clone());
        losses =
            with_custom_gradient(losses, argument, move |gradient| is_short.where_cond(gradient, &zeros)? * &slope)?;
    }
    reduced(&losses, options.reduction)
}
