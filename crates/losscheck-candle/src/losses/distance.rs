use candle_core::{Result, Tensor};
use losscheck_options::DistanceFunction;

use super::reduction::sum_rows;

/// A distance of two vectors: one of the [`DistanceFunction`]s, or a norm with options.
#[derive(Clone, Copy)]
pub(super) enum Distance {
    /// The p-norm of the difference, to each element of which `eps` is added.
    Pairwise { p: f64, eps: f64 },
    /// The sum of the absolute differences.
    Manhattan,
    /// The sum of the squared differences.
    SquaredEuclidean,
}

impl From<DistanceFunction> for Distance {
    fn from(function: DistanceFunction) -> Self {
        match function {
            DistanceFunction::Pairwise => Self::Pairwise { p: 2., eps: 1e-6 },
            DistanceFunction::Manhattan => Self::Manhattan,
            DistanceFunction::SquaredEuclidean => Self::SquaredEuclidean,
        }
    }
}

impl Distance {
    /// The distances of the rows of two matrices, as a column, and their derivatives by the first.
    pub(super) fn of(self, a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
        let difference = (a - b)?;
        match self {
            Self::Pairwise { p, eps } => norm(&difference.affine(1., eps)?, p),
            Self::Manhattan => norm(&difference, 1.),
            Self::SquaredEuclidean => Ok((sum_rows(&difference.sqr()?)?, difference.affine(2., 0.)?)),
        }
    }
}

/// The largest magnitude of each row, to divide it by, so that no power leaves the range; 1 where there is none.
pub(super) fn scale(matrix: &Tensor) -> Result<Tensor> {
    if matrix.elem_count() == 0 {
        return sum_rows(matrix)?.ones_like();
    }
    let magnitude = matrix.abs()?;
    // NaN is not less, and candle's largest would keep it.
    let finite = magnitude.lt(f64::INFINITY)?.where_cond(&magnitude, &magnitude.zeros_like()?)?;
    let largest = finite.max_keepdim(1)?;
    largest.gt(0.)?.where_cond(&largest, &largest.ones_like()?)
}

fn norm(d: &Tensor, p: f64) -> Result<(Tensor, Tensor)> {
    let (magnitude, sign, zeros) = (d.abs()?, d.sign()?, d.zeros_like()?);
    let is_zero = d.eq(0.)?;
    if d.elem_count() == 0 {
        let of_nothing = if p == f64::NEG_INFINITY { f64::INFINITY } else { 0. };
        return Ok((sum_rows(&zeros)?.affine(1., of_nothing)?, zeros));
    }
    let (norm, slopes) = if p == 2. {
        let scale = scale(d)?;
        let norm = (sum_rows(&d.broadcast_div(&scale)?.sqr()?)?.sqrt()? * scale)?;
        let slopes = d.broadcast_div(&norm)?;
        (norm, slopes)
    } else if p == 1. {
        (sum_rows(&magnitude)?, sign)
    } else if p.is_infinite() {
        let extreme = if p > 0. { magnitude.max_keepdim(1)? } else { magnitude.min_keepdim(1)? };
        // candle's keep NaN in the first place alone.
        let is_nan = magnitude.ne(&magnitude)?.to_dtype(d.dtype())?;
        let has_nan = sum_rows(&is_nan)?.gt(0.)?;
        let norm = has_nan.where_cond(&extreme.affine(0., f64::NAN)?, &extreme)?;
        let is_extreme = magnitude.broadcast_eq(&norm)?.to_dtype(d.dtype())?;
        let ties = sum_rows(&is_extreme)?;
        (norm, (sign * is_extreme.broadcast_div(&ties)?)?)
    } else if p == 0. {
        (sum_rows(&is_zero.where_cond(&magnitude, &magnitude.ones_like()?)?)?, zeros.clone())
    } else {
        let scale = scale(d)?;
        let norm = sum_rows(&magnitude.broadcast_div(&scale)?.powf(p)?)?.powf(1. / p)?;
        let power = if p > 0. && p < 2. {
            // Such a power is in range where the ratio may not be.
            magnitude.powf(p - 1.)?.broadcast_div(&scale.powf(p - 1.)?)?.broadcast_div(&norm.powf(p - 1.)?)?
        } else {
            magnitude.broadcast_div(&scale)?.broadcast_div(&norm)?.powf(p - 1.)?
        };
        ((norm * scale)?, (sign * power)?)
    };
    Ok((norm, is_zero.where_cond(&zeros, &slopes)?))
}
