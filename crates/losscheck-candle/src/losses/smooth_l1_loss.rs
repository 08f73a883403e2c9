use candle_core::{DType, Result, Tensor, bail};
use losscheck_options::{L1Loss, SmoothL1Loss};

use super::check::float;
use super::difference::difference;
use super::l1_loss;
use super::reduction::reduced;

/// Computes [`SmoothL1Loss`].
///
/// Integers (u8, u32 or i64) in `target` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if `beta` is negative or NaN, the shapes do not broadcast, or the dtypes differ.
pub fn smooth_l1_loss(input: &Tensor, target: &Tensor, options: SmoothL1Loss) -> Result<Tensor> {
    float("input", input)?;
    let SmoothL1Loss { beta, reduction } = options;
    if beta.is_nan() || beta < 0. {
        bail!("beta is {beta}, expected a number that is not negative");
    }
    let scalar = Tensor::new(beta, input.device())?.to_dtype(input.dtype())?;
    if scalar.to_dtype(DType::F64)?.to_scalar::<f64>()? == 0. {
        return l1_loss(input, target, None, L1Loss { reduction });
    }
    // Both branches are s (d - c / 2) with c = clamp(d, -beta, beta) and s = c / beta, the derivative by d.
    let difference = difference(input, target)?;
    let clamped = difference.detach().clamp(-beta, beta)?;
    let slope = clamped.broadcast_div(&scalar)?;
    reduced(&(slope * (difference - (clamped / 2.)?)?)?, reduction)
}
