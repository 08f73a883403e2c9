use candle_core::{Result, Tensor, bail};
use losscheck_options::MultiMarginLoss;

use super::check::class_weight;
use super::custom_gradient::with_custom_gradient;
use super::labels::{Rows, class_mask};
use super::reduction::{reduced, sum_rows};

/// Computes [`MultiMarginLoss`].
///
/// The target has the dtype u8, u32 or i64.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn multi_margin_loss(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: MultiMarginLoss,
) -> Result<Tensor> {
    let MultiMarginLoss { p, margin, reduction } = options;
    if p != 1 && p != 2 {
        bail!("p is {p}, expected 1 or 2");
    }
    let rows = Rows::with_scalar(input)?;
    let weight = weight.map(|weight| class_weight(weight, rows.classes)).transpose()?;
    if target.rank() > 1 || target.elem_count() != rows.count {
        bail!("target has shape {:?}, expected [{}], a class for each row", target.dims(), rows.count);
    }
    let classes = rows.indices(target, None)?;
    let own = class_mask(&rows, classes.iter().map(|&class| [class]))?;
    let index = Tensor::from_vec(classes.iter().map(|&class| class as i64).collect(), rows.count, input.device())?;
    let x = rows.rows.detach().contiguous()?;
    let zeros = x.zeros_like()?;
    let of_class = x.gather(&index.unsqueeze(1)?, 1)?.affine(-1., margin)?;
    let z = own.where_cond(&zeros, &of_class.broadcast_add(&x)?.maximum(&zeros)?)?;
    let share = match &weight {
        Some(weight) => (weight.index_select(&index, 0)?.unsqueeze(1)? / rows.classes as f64)?,
        None => x.narrow(1, 0, 1)?.ones_like()?.affine(1. / rows.classes as f64, 0.)?,
    };
    let terms = if p == 2 { z.sqr()? } else { z.clone() };
    // Hinges of 0 are left out of the products with the weights, which may be infinite.
    let losses = sum_rows(&z.ne(0.)?.where_cond(&terms.broadcast_mul(&share)?, &zeros)?)?;
    let losses = with_custom_gradient(losses, &rows.rows, move |gradient| {
        let slopes = if p == 2 { z.affine(2., 0.)? } else { z.ones_like()? };
        let slopes = z.gt(0.)?.where_cond(&slopes.broadcast_mul(&(gradient * &share)?)?, &zeros)?;
        own.where_cond(&sum_rows(&slopes)?.neg()?.broadcast_as(slopes.shape())?, &slopes)
    })?;
    let shape: &[usize] = if target.rank() == 0 { &[] } else { &[rows.count] };
    reduced(&losses.reshape(shape)?, reduction)
}
