use candle_core::{Result, Tensor};
use losscheck_options::{KLDivLoss, KLDivReduction, Reduction};

use super::broadcast::broadcast;
use super::check::float;
use super::custom_gradient::with_custom_gradient;
use super::reduction::{reduced, sum};

/// Computes [`KLDivLoss`].
///
/// # Errors
///
/// Returns an error if the shapes do not broadcast or the dtypes differ.
pub fn kl_div(input: &Tensor, target: &Tensor, options: KLDivLoss) -> Result<Tensor> {
    float("input", input)?;
    let batch = input.dims().first().copied().unwrap_or(1);
    let [input, target] = broadcast([input, target])?;
    let (x, t) = (input.detach(), target.detach());
    let (losses, probability, by_target) = if options.log_target {
        let (probability, difference) = (t.exp()?, (&t - &x)?);
        ((&probability * &difference)?, probability.clone(), (&probability * difference.affine(1., 1.)?)?)
    } else {
        let difference = (t.log()? - &x)?;
        // 0 times an infinite prediction is NaN, as in PyTorch.
        let at_0 = (&t * &x)?.neg()?;
        let losses = t.eq(0.)?.where_cond(&at_0, &(&t * &difference)?)?;
        (losses, t, difference.affine(1., 1.)?)
    };
    let losses = with_custom_gradient(losses, &input, move |gradient| (gradient * &probability)?.neg())?;
    let losses = with_custom_gradient(losses, &target, move |gradient| gradient * &by_target)?;
    match options.reduction {
        KLDivReduction::None => reduced(&losses, Reduction::None),
        KLDivReduction::Mean => reduced(&losses, Reduction::Mean),
        KLDivReduction::BatchMean => sum(&losses)? / batch as f64,
        KLDivReduction::Sum => reduced(&losses, Reduction::Sum),
    }
}
