use candle_core::{Result, Tensor, bail};

use super::binary_cross_entropy_with_logits;
use super::broadcast::{broadcast, broadcast_to};
use super::reduction::{Reduction, sum_rows};

/// Binary cross-entropy of logits, averaged over the classes, which are the input's last dimension.
///
/// Target and weight broadcast with the input, without adding dimensions; input and target are differentiable.
///
/// # Errors
///
/// If the input has no dimension, or a shape or dtype does not fit.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.multilabel_soft_margin_loss.html>
pub fn multilabel_soft_margin_loss(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    let Some(&classes) = input.dims().last() else { bail!("input is a scalar, expected a dimension of classes") };
    let ones = input.detach().ones_like()?;
    let weight = weight.map_or(ones, Tensor::detach);
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
    let losses = binary_cross_entropy_with_logits(&input, &target, Some(&weight), None, Reduction::None)?;
    let (last, rows) = losses.dims().split_last().expect("the input has a dimension");
    let shape = rows.to_vec();
    let sums = sum_rows(&losses.reshape((rows.iter().product::<usize>(), *last))?)?;
    reduction.apply(&(sums / classes as f64)?.reshape(shape)?)
}
