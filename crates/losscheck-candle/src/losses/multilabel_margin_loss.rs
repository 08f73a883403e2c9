use candle_core::{Result, Tensor, bail};

use super::Reduction;
use super::custom_gradient::with_custom_gradient;
use super::labels::{Rows, class_mask};
use super::reduction::sum_rows;

/// The margin loss of class scores x with a list of classes: the sum over the j in the list and the i not in it of
/// max(0, 1 - x_j + x_i) / C.
///
/// The input has shape (C) or (N, C) and is differentiable; the target, of the same shape and as i64, holds in each row the
/// classes that stand before the first -1.
///
/// # Errors
///
/// If an index is neither a class nor -1, or a shape or dtype does not fit.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.multilabel_margin_loss.html>
pub fn multilabel_margin_loss(input: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let rows = Rows::new(input)?;
    if target.dims() != input.dims() {
        bail!("target has shape {:?}, expected {:?}, that of the input", target.dims(), input.dims());
    }
    let indices = rows.indices(target, Some(-1))?;
    let lists: Vec<Vec<usize>> = indices
        .chunks(rows.classes)
        .map(|row| row.iter().copied().take_while(|&class| class < rows.classes).collect())
        .collect();
    let listed = class_mask(&rows, lists.iter().map(|list| list.iter().copied()))?;
    let x = rows.rows.detach().contiguous()?;
    let zeros = x.zeros_like()?;
    let (mut sums, mut slopes) = (x.narrow(1, 0, 1)?.zeros_like()?, zeros.clone());
    // The first class of each list, then the second of those that have one, and so on.
    for place in 0..lists.iter().map(Vec::len).max().unwrap_or(0) {
        let own = class_mask(&rows, lists.iter().map(|list| list.get(place).copied()))?;
        let of_class = sum_rows(&own.where_cond(&x, &zeros)?)?.affine(-1., 1.)?;
        let is_there = lists.iter().map(|list| u8::from(list.len() > place)).collect::<Vec<_>>();
        let is_there = Tensor::from_vec(is_there, (rows.count, 1), input.device())?.broadcast_as(x.shape())?;
        let hinges = listed.where_cond(&zeros, &of_class.broadcast_add(&x)?.maximum(&zeros)?)?;
        let hinges = is_there.where_cond(&hinges, &zeros)?;
        sums = (sums + sum_rows(&hinges)?)?;
        let counted = hinges.gt(0.)?.to_dtype(x.dtype())?;
        let total = sum_rows(&counted)?.neg()?.broadcast_as(x.shape())?;
        slopes = ((slopes + counted)? + own.where_cond(&total, &zeros)?)?;
    }
    let classes = rows.classes as f64;
    let losses = with_custom_gradient((sums / classes)?, &rows.rows, move |gradient| {
        slopes.broadcast_mul(&(gradient / classes)?)
    })?;
    let shape = &input.dims()[..input.rank() - 1];
    reduction.apply(&losses.reshape(shape)?)
}
