use candle_core::{Result, Tensor};

use super::check::countable;
use super::custom_gradient::with_custom_gradient;
use super::reduction::sum_rows;

/// The scores of a linear layer, x W^T + b, for rows x of shape (N, K), a weight W of shape (Q, K) and a bias b of (Q).
pub(super) fn linear(rows: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let scores = product(&rows.unsqueeze(0)?, &weight.t()?.unsqueeze(0)?)?.squeeze(0)?;
    match bias {
        Some(bias) if scores.elem_count() > 0 => {
            let sum = |gradient: &Tensor| sum_rows(&gradient.t()?.contiguous()?)?.squeeze(1);
            with_custom_gradient(scores.broadcast_add(&bias.detach())?, bias, sum)
        }
        _ => Ok(scores),
    }
}

/// The product of two batches of matrices; candle has none without elements.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((batch, rows, inner), columns) = (a.dims3()?, b.dim(2)?);
    countable(&[batch, rows, inner, columns])?;
    if [batch, rows, inner, columns].contains(&0) {
        return Tensor::zeros((batch, rows, columns), a.dtype(), a.device());
    }
    a.contiguous()?.matmul(&b.contiguous()?)
}
