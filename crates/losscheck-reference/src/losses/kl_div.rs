use std::str::FromStr;

use ndarray::ArrayViewD;

use crate::losses::pointwise_loss;
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::reduction::named;
use crate::{Error, Real, Reduction, Sum};

/// Kullback-Leibler divergence, pointwise, of log-probabilities x from probabilities t:
///
/// ```text
/// t (ln t - x)    0 where t = 0
/// e^t (t - x)     with log_target
/// ```
///
/// Input and target broadcast; both are differentiable.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.KLDivLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KLDivLoss {
    /// Whether the target holds logarithms of probabilities.
    pub log_target: bool,
    /// How the elements' losses are put together.
    pub reduction: KLDivReduction,
}

/// The reductions of [`KLDivLoss`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KLDivReduction {
    /// Each loss by itself.
    None,
    /// The sum over the losses, divided by their number; the divergence itself is `BatchMean`.
    #[default]
    Mean,
    /// The sum over the losses, divided by the input's first dimension: the divergence, averaged over the batch.
    BatchMean,
    /// The sum over the losses.
    Sum,
}

impl KLDivReduction {
    /// Every reduction.
    pub const ALL: [Self; 4] = [Self::None, Self::Mean, Self::BatchMean, Self::Sum];

    /// PyTorch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::BatchMean => "batchmean",
            Self::Sum => "sum",
        }
    }
}

impl FromStr for KLDivReduction {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        named(&Self::ALL, Self::name, name)
    }
}

impl KLDivLoss {
    fn elements<'a, R>(&self, operands: [ArrayViewD<'a, R>; 2]) -> Result<Elements<'a, R, 2>, Error> {
        // PyTorch leaves the sum of a scalar as it is.
        let batch = operands[0].shape().first().map_or(1.0, |&batch| batch as f64);
        let (reduction, denominator) = match self.reduction {
            KLDivReduction::None => (Reduction::None, Denominator::Elements),
            KLDivReduction::Mean => (Reduction::Mean, Denominator::Elements),
            KLDivReduction::BatchMean => (Reduction::Mean, Denominator::Number(batch)),
            KLDivReduction::Sum => (Reduction::Sum, Denominator::Elements),
        };
        Ok(Elements { operands, weight: None, reduction, denominator })
    }
}

impl Pointwise<2> for KLDivLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        if self.log_target {
            return t.exp() * (t - x);
        }
        let ln = t.ln();
        // As -(0 x), so that an infinite or undefined prediction shows.
        if t == R::ZERO { -(t * x) } else { t * (ln - x) }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (probability, by_target) = if self.log_target {
            let probability = t.exp();
            let sum = R::Sum::ZERO.plus(t).plus(-x).plus(R::ONE);
            (probability, probability * sum.total())
        } else {
            (t, (t.ln() - x) + R::ONE)
        };
        [-(cotangent * probability), cotangent * by_target]
    }
}

pointwise_loss!(KLDivLoss, [input, target], 2);
