use candle_core::{Result, Tensor};

use super::custom_gradient::with_custom_gradient;
use super::ln_1p::ln_1p;
use super::reduction::sum_rows;

/// The logarithms of each row's softmax, for rows of shape (M, C).
///
/// The largest logit's own term, 1, stays out of the sum s of the exponentials: its result is -ln_1p(s) and its
/// derivative by itself s / (1 + s), so that a confident prediction keeps the digits of both.
pub(super) fn log_softmax(rows: &Tensor) -> Result<Tensor> {
    if rows.elem_count() == 0 {
        return Ok(rows.clone());
    }
    let x = rows.detach().contiguous()?;
    let largest = x.argmax_keepdim(1)?;
    let shifted = x.broadcast_sub(&x.gather(&largest, 1)?)?;
    let others = shifted.exp()?;
    others.scatter_add_set(&largest, &largest.to_dtype(x.dtype())?.ones_like()?.neg()?, 1)?;
    let s = sum_rows(&others)?;
    let value = shifted.broadcast_sub(&ln_1p(&s)?)?;

    with_custom_gradient(value, rows, move |gradient| {
        // The sum of the other gradients on its own: to take the largest logit's out of the total would cancel.
        let gradient_of_others = gradient.force_contiguous()?;
        let at_largest = gradient_of_others.gather(&largest, 1)?;
        gradient_of_others.scatter_set(&largest, &at_largest.zeros_like()?, 1)?;
        let rest = sum_rows(&gradient_of_others)?;
        let total = (&rest + &at_largest)?;
        // 0, but NaN where the largest logit's own gradient is a difference of infinities in PyTorch's formula.
        let undefined = at_largest.affine(0., 0.)?;
        let rest = (rest + undefined)?;

        let denominator = s.affine(1., 1.)?;
        let result = (gradient - others.broadcast_mul(&(total / &denominator)?)?)?;
        result.scatter_set(&largest, &(((at_largest * &s)? - rest)? / denominator)?, 1)?;
        Ok(result)
    })
}
