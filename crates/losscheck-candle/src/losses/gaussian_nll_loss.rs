use candle_core::{Result, Tensor, bail};
use losscheck_options::GaussianNLLLoss;

use super::broadcast::broadcast;
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::reduction::reduced;

/// Computes [`GaussianNLLLoss`].
///
/// Integers (u8, u32 or i64) in `target` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn gaussian_nll_loss(input: &Tensor, target: &Tensor, var: &Tensor, options: GaussianNLLLoss) -> Result<Tensor> {
    float("input", input)?;
    let GaussianNLLLoss { full, eps, reduction } = options;
    if var.elem_count() > 0 && var.detach().lt(0.)?.flatten_all()?.max(0)?.to_scalar::<u8>()? != 0 {
        bail!("var has negative elements");
    }
    let [input, target, var] = broadcast([input, &promoted(target, input)?, &fitted(var, input.dims())?])?;
    let (difference, variance) = ((input.detach() - target.detach())?, var.detach());
    let v = variance.lt(eps)?.where_cond(&variance.ones_like()?.affine(0., eps)?, &variance)?;
    let slope = (&difference / &v)?;
    let square = (&difference * &slope)?;
    let constant = if full { 0.5 * (2. * std::f64::consts::PI).ln() } else { 0. };
    let mut losses = (v.log()? + &square)?.affine(0.5, constant)?;
    let by_var = (square.affine(-0.5, 0.5)? / v)?;
    for (argument, slope) in [(&input, slope.clone()), (&target, slope.neg()?), (&var, by_var)] {
        losses = with_custom_gradient(losses, argument, move |gradient| gradient * &slope)?;
    }
    reduced(&losses, reduction)
}

/// The variance in a shape that broadcasts to the input's.
fn fitted(var: &Tensor, input: &[usize]) -> Result<Tensor> {
    if input.split_last().is_some_and(|(_, rest)| rest == var.dims()) {
        return var.unsqueeze(var.rank());
    }
    let differing = input.iter().zip(var.dims()).filter(|(x, v)| x != v);
    let has_one_dimension_1 = differing.fold(0_usize, |sum, (_, &v)| sum.saturating_add(v)) == 1;
    if var.dims() == input || (var.rank() == input.len() && has_one_dimension_1) {
        return Ok(var.clone());
    }
    bail!("var has shape {:?}, expected {input:?}, that without the last dimension or with one of 1", var.dims())
}
