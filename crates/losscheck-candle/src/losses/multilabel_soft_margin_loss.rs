use candle_core::{Result, Tensor, bail};
use losscheck_options::{BCEWithLogitsLoss, MultiLabelSoftMarginLoss, Reduction};

use super::binary_cross_entropy_with_logits;
use super::broadcast::{broadcast, broadcast_to};
use super::check::{float, promoted};
use super::reduction::{reduced, sum_rows};

/// Computes [`MultiLabelSoftMarginLoss`].
///
/// Integers (u8, u32 or i64) in `target` or `weight` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if a shape or a dtype does not fit.
pub fn multilabel_soft_margin_loss(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: MultiLabelSoftMarginLoss,
) -> Result<Tensor> {
    let Some(&classes) = input.dims().last() else { bail!("input is a scalar, expected a dimension of classes") };
    float("input", input)?;
    let target = &promoted(target, input)?;
    let ones = input.detach().ones_like()?;
    let weight = weight.map_or(Ok(ones), |weight| promoted(weight, input))?.detach();
    if target.rank() > input.rank() || weight.rank() > input.rank() {
        let shapes = [target.dims(), weight.dims()];
        bail!(
            "target and weight have shapes {shapes:?}, expected at most the {} dimensions of the input",
            input.rank()
        );
    }
    let [input, target] = broadcast([input, target])?;
    let Ok(weight) = broadcast_to(&weight, input.dims()) else {
        bail!("weight has shape {:?}, expected one that broadcasts to {:?}", weight.dims(), input.dims());
    };
    let unreduced = BCEWithLogitsLoss { reduction: Reduction::None };
    let losses = binary_cross_entropy_with_logits(&input, &target, Some(&weight), None, unreduced)?;
    let (last, rows) = losses.dims().split_last().expect("the input has a dimension");
    let shape = rows.to_vec();
    let sums = sum_rows(&losses.reshape((rows.iter().product::<usize>(), *last))?)?;
    reduced(&(sums / classes as f64)?.reshape(shape)?, options.reduction)
}
