use losscheck_options::GaussianNLLLoss;
use tch::Tensor;

use super::reduced;
use crate::{Rejection, Result};

/// The tensor operations of `torch.nn.functional.gaussian_nll_loss`, which is Python alone.
pub(super) fn gaussian_nll_loss(
    input: &Tensor,
    target: &Tensor,
    var: &Tensor,
    options: &GaussianNLLLoss,
) -> Result<Tensor> {
    if var.f_lt(0.0)?.f_any()?.f_int64_value(&[])? != 0 {
        return Err(Rejection("var has negative entry/entries".to_owned()));
    }
    // tch panics if an operator that takes a scalar fails, and after a panic inside of `no_grad` gradients stay off.
    if !var.f_is_floating_point()? {
        return Err(Rejection(format!("result type Float can't be cast to the desired output type {:?}", var.kind())));
    }
    let mut var = fitted(var, &input.size())?.f_alias_copy()?;
    // Without a graph: the gradient passes the clamp as if nothing had happened.
    let _ = tch::no_grad(|| var.f_clamp_min_(options.eps))?;
    let square = input.f_sub(target)?.f_square()?;
    let mut losses = var.f_log()?.f_add(&square.f_div(&var)?)?.f_mul_scalar(0.5)?;
    if options.full {
        losses = losses.f_add_scalar(0.5 * (2.0 * std::f64::consts::PI).ln())?;
    }
    reduced(losses, options.reduction)
}

fn fitted(var: &Tensor, input: &[i64]) -> Result<Tensor> {
    let size = var.size();
    if input.split_last().is_some_and(|(_, rest)| rest == size) {
        return Ok(var.f_unsqueeze(-1)?);
    }
    let differing = input.iter().zip(&size).filter(|(x, v)| x != v);
    let has_one_dimension_1 = differing.map(|(_, &v)| v).sum::<i64>() == 1;
    if size == input || (size.len() == input.len() && has_one_dimension_1) {
        return Ok(var.shallow_clone());
    }
    Err(Rejection("var is of incorrect size".to_owned()))
}
