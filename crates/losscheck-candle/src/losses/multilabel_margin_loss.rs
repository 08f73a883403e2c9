use candle_core::{Result, Tensor, bail};
use losscheck_options::MultiLabelMarginLoss;

use super::custom_gradient::with_custom_gradient;
use super::labels::{Rows, class_mask};
use super::reduction::{reduced, sum_rows};

/// Computes [`MultiLabelMarginLoss`].
///
/// The target has the dtype i64 or, if it has no -1, u8 or u32.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn multilabel_margin_loss(input: &Tensor, target: &Tensor, options: MultiLabelMarginLoss) -> Result<Tensor> {
    let rows = Rows::with_scalar(input)?;
    // A scalar and a vector of one element stand for each other.
    let is_one_by_one = [input, target].iter().all(|tensor| tensor.rank() < 2 && tensor.elem_count() == 1);
    if target.dims() != input.dims() && !is_one_by_one {
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
    let shape = &input.dims()[..input.rank().saturating_sub(1)];
    reduced(&losses.reshape(shape)?, options.reduction)
}
