use candle_core::{Result, Tensor};
use losscheck_options::BCEWithLogitsLoss;

use super::check::{broadcast, float, same_shape};
use super::custom_gradient::with_custom_gradient;
use super::ln_1p::ln_1p;
use super::reduction::reduced;

/// Computes [`BCEWithLogitsLoss`].
///
/// With softplus(x) = ln(1 + e^x) the logarithms are -softplus(-x) and -softplus(x), and softplus(x) is
/// max(x, 0) + ln_1p(e^-|x|): no logit overflows, and a confident prediction keeps the digits of its loss and gradient.
///
/// Integers (u8, u32 or i64) in `weight` or `pos_weight` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if a shape or a dtype does not fit.
pub fn binary_cross_entropy_with_logits(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    pos_weight: Option<&Tensor>,
    options: BCEWithLogitsLoss,
) -> Result<Tensor> {
    float("input", input)?;
    same_shape(input, target)?;
    // Integers would be multiplied by those of a `pos_weight`, which may overflow.
    float("target", target)?;
    let (x, t) = (input.detach(), target.detach());
    let is_positive = x.ge(0.)?;
    let e = x.abs()?.neg()?.exp()?;
    let rest = ln_1p(&e)?;
    // 1 - sigmoid(|x|), the smaller one of p and 1 - p.
    let smaller = (&e / e.affine(1., 1.)?)?;
    let negative = t.affine(-1., 1.)?;

    let losses = match pos_weight {
        None => {
            let linear = (is_positive.where_cond(&negative, &t)? * x.abs()?)?;
            let losses = (linear + rest)?;
            let losses = with_custom_gradient(losses, input, move |gradient| {
                // p - t
                gradient * is_positive.where_cond(&(&negative - &smaller)?, &(&smaller - &t)?)?
            })?;
            with_custom_gradient(losses, target, move |gradient| gradient * x.neg()?)?
        }
        Some(pos_weight) => {
            let pos_weight = broadcast("pos_weight", pos_weight, input)?;
            let positive = (&pos_weight * t)?;
            let (above_0, below_0) = (x.relu()?, x.neg()?.relu()?);
            let losses = ((&positive * (&below_0 + &rest)?)? + (&negative * (&above_0 + &rest)?)?)?;
            let losses = with_custom_gradient(losses, input, move |gradient| {
                // (1 - t) p - pos_weight t (1 - p)
                let larger = smaller.affine(-1., 1.)?;
                let above = ((&negative * &larger)? - (&positive * &smaller)?)?;
                let below = ((&negative * &smaller)? - (&positive * &larger)?)?;
                gradient * is_positive.where_cond(&above, &below)?
            })?;
            with_custom_gradient(losses, target, move |gradient| {
                // pos_weight softplus(-x) - softplus(x), where only one of the last two terms is not 0.
                let of_rest = (pos_weight.affine(1., -1.)? * &rest)?;
                gradient * ((of_rest + (&pos_weight * &below_0)?)? - &above_0)?
            })?
        }
    };
    match weight {
        None => reduced(&losses, options.reduction),
        Some(weight) => reduced(&(&losses * broadcast("weight", weight, input)?)?, options.reduction),
    }
}
