use candle_core::{Result, Tensor};

use super::Reduction;
use super::check::{broadcast, float, probabilities, same_shape};
use super::custom_gradient::with_custom_gradient;
use super::ln_1p::ln_1p;

/// Binary cross-entropy of probabilities, -w (t max(ln x, -100) + (1 - t) max(ln(1 - x), -100)).
///
/// Input and target have the same shape, to which `weight` broadcasts. Input and target are differentiable; the gradient
/// by the input is PyTorch's, w (x - t) / max(x (1 - x), 1e-12), which the clamp does not enter. The mean divides by the
/// number of elements, whatever their weights.
///
/// # Errors
///
/// If input or target have elements outside of [0, 1] (NaN is outside), or a shape or dtype does not fit.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.binary_cross_entropy.html>
pub fn binary_cross_entropy(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
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
        None => reduction.apply(&losses),
        Some(weight) => reduction.apply(&(&losses * broadcast("weight", weight, input.dims())?)?),
    }
}
