use candle_core::{Result, Tensor};
use losscheck_options::BCELoss;

use super::check::{broadcast, float, probabilities, same_shape};
use super::custom_gradient::with_custom_gradient;
use super::ln_1p::ln_1p;
use super::reduction::reduced;

/// Computes [`BCELoss`].
///
/// Integers (u8, u32 or i64) in `weight` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn binary_cross_entropy(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: BCELoss,
) -> Result<Tensor> {
    float("input", input)?;
    same_shape(input, target)?;
    probabilities("input", input)?;
    probabilities("target", target)?;
    let (x, t) = (input.detach(), target.detach());
    let (ln_x, ln_1mx) = (x.log()?, ln_1p(&x.neg()?)?);

    let positive = (&t * ln_x.maximum(-100.)?)?;
    let negative = (t.affine(-1., 1.)? * ln_1mx.maximum(-100.)?)?;
    let losses = (positive + negative)?.neg()?;

    let losses = with_custom_gradient(losses, input, move |gradient| {
        let variance = (&x * x.affine(-1., 1.)?)?.maximum(1e-12)?;
        gradient * ((&x - &t)? / variance)?
    })?;
    let losses = with_custom_gradient(losses, target, move |gradient| gradient * (&ln_1mx - &ln_x)?)?;
    match weight {
        None => reduced(&losses, options.reduction),
        Some(weight) => reduced(&(&losses * broadcast("weight", weight, input)?)?, options.reduction),
    }
}
