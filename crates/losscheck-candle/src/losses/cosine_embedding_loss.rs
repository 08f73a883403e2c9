use candle_core::{Result, Tensor, bail};
use losscheck_options::CosineEmbeddingLoss;

use super::broadcast::{broadcast, broadcast_to};
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::distance::scale;
use super::reduction::{reduced, sum_rows};

/// PyTorch's, inside both squares.
const EPS: f64 = 1e-12;

/// Computes [`CosineEmbeddingLoss`].
///
/// Integers (u8, u32 or i64) in `input2` or `target` become numbers of the dtype of `input1`.
///
/// # Errors
///
/// Returns an error if a shape or a dtype does not fit.
pub fn cosine_embedding_loss(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    options: CosineEmbeddingLoss,
) -> Result<Tensor> {
    float("input1", input1)?;
    let (input2, target) = (&promoted(input2, input1)?, &promoted(target, input1)?);
    float("input2", input2)?;
    let CosineEmbeddingLoss { margin, reduction } = options;
    let rank = target.rank() + 1;
    let fits =
        rank <= 2 && input1.rank() == rank && input2.rank() == rank && input1.dims().last() == input2.dims().last();
    if !fits {
        let shapes = [input1, input2, target].map(Tensor::dims);
        bail!("input1, input2 and target have shapes {shapes:?}, expected (D), (D), () or (N, D), (N, D), (N)");
    }
    let length = input1.dim(rank - 1)?;
    let rows = input1.narrow(rank - 1, 0, 0)?.dims()[..rank - 1].to_vec();
    let [rows, target] = match rank {
        1 => [target.detach(), target.detach()],
        _ => {
            let [first, second] = [input1.dim(0)?, input2.dim(0)?];
            let count = if first == 1 { second } else { rows[0] };
            let ones = Tensor::zeros(count, target.dtype(), target.device())?;
            broadcast([&ones, &target.detach()])?
        }
    };
    let count = rows.elem_count();
    let whole = |input: &Tensor| match rank {
        1 => input.reshape((1, length)),
        _ => broadcast_to(input, &[count, length]),
    };
    let (input1, input2, label) = (whole(input1)?, whole(input2)?, target.reshape((count, 1))?);
    let (x1, x2) = (input1.detach(), input2.detach());
    // In units in which no square leaves the range; below 1e-6 it is eps that counts.
    let scaled = |x: &Tensor| -> Result<(Tensor, Tensor, Tensor)> {
        let scale = scale(x)?.maximum(1e-6)?;
        let unit = x.broadcast_div(&scale)?;
        let eps = (scale.recip()? * EPS.sqrt())?.sqr()?;
        let norm = (sum_rows(&unit.sqr()?)? + eps)?.sqrt()?;
        Ok((unit.broadcast_div(&norm)?, norm, scale))
    };
    let ((u1, n1, s1), (u2, n2, s2)) = (scaled(&x1)?, scaled(&x2)?);
    let cosine = sum_rows(&(&u1 * &u2)?)?;
    let (is_alike, is_unlike) = (label.eq(1.)?, label.eq(-1.)?);
    let zeros = cosine.zeros_like()?;
    let slack = cosine.affine(1., -margin)?;
    let unlike = is_unlike.where_cond(&slack.maximum(&zeros)?, &zeros)?;
    let losses = is_alike.where_cond(&cosine.affine(-1., 1.)?, &unlike)?;
    let active = slack.gt(0.)?.where_cond(&zeros.ones_like()?, &zeros)?;
    let slope = is_alike.where_cond(&zeros.ones_like()?.neg()?, &is_unlike.where_cond(&active, &zeros)?)?;
    let mut losses = losses;
    for (argument, own, other, norm, scale) in [(&input1, &u1, &u2, n1, s1), (&input2, &u2, &u1, n2, s2)] {
        // The part of each unit vector that is across the other.
        let across = (other - own.broadcast_mul(&cosine)?)?.broadcast_div(&norm)?.broadcast_div(&scale)?;
        let slopes = across.broadcast_mul(&slope)?;
        losses = with_custom_gradient(losses, argument, move |gradient| slopes.broadcast_mul(gradient))?;
    }
    reduced(&losses.reshape(target.shape())?, reduction)
}
