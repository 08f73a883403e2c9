use candle_core::{Result, Tensor};

use super::broadcast::broadcast;
use super::check::float;
use super::custom_gradient::with_custom_gradient;
use super::reduction::{Reduction, sum};

/// The options of [`kl_div`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlDivOptions {
    /// Whether the target holds logarithms of probabilities.
    pub log_target: bool,
    /// How the elements' losses are put together.
    pub reduction: KlDivReduction,
}

/// The reductions of [`kl_div`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KlDivReduction {
    /// One loss for each element.
    None,
    /// Their mean over the elements, which is not the divergence: that is `BatchMean`.
    #[default]
    Mean,
    /// Their sum, divided by the input's first dimension.
    BatchMean,
    /// Their sum.
    Sum,
}

/// The Kullback-Leibler divergence of log-probabilities x from probabilities t, element by element: t (ln t - x), or with
/// `log_target` e^t (t - x).
///
/// Input and target broadcast; both are differentiable.
///
/// # Errors
///
/// If the shapes do not broadcast or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.kl_div.html>
pub fn kl_div(input: &Tensor, target: &Tensor, options: KlDivOptions) -> Result<Tensor> {
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
        KlDivReduction::None => Reduction::None.apply(&losses),
        KlDivReduction::Mean => Reduction::Mean.apply(&losses),
        KlDivReduction::BatchMean => sum(&losses)? / batch as f64,
        KlDivReduction::Sum => Reduction::Sum.apply(&losses),
    }
}
