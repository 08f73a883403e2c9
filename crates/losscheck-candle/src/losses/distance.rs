use candle_core::{Result, Tensor};

use super::reduction::sum_rows;

/// The distances of [`triplet_margin_with_distance_loss`](super::triplet_margin_with_distance_loss).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DistanceFunction {
    /// The p-norm of the difference, to each element of which `eps` is added.
    Pairwise {
        /// The degree of the norm.
        p: f64,
        /// What is added to each difference.
        eps: f64,
    },
    /// The sum of the absolute differences.
    Manhattan,
    /// The sum of the squared differences.
    SquaredEuclidean,
}

impl Default for DistanceFunction {
    fn default() -> Self {
        Self::Pairwise { p: 2., eps: 1e-6 }
    }
}

impl DistanceFunction {
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
        return Ok((sum_rows(&zeros)?, zeros));
    }
    let (norm, slopes) = if p == 2. {
        let scale = scale(d)?;
        let norm = (sum_rows(&d.broadcast_div(&scale)?.sqr()?)?.sqrt()? * scale)?;
        let slopes = d.broadcast_div(&norm)?;
        (norm, slopes)
    } else if p == 1. {
        (sum_rows(&magnitude)?, sign)
    } else if p == f64::INFINITY {
        // candle's largest keeps NaN in the first place alone; times 0 it shows wherever it is.
        let norm = (magnitude.max_keepdim(1)? + sum_rows(&magnitude.affine(0., 0.)?)?)?;
        let is_largest = magnitude.broadcast_eq(&norm)?.to_dtype(d.dtype())?;
        let ties = sum_rows(&is_largest)?;
        (norm, (sign * is_largest.broadcast_div(&ties)?)?)
    } else if p == 0. {
        (sum_rows(&is_zero.where_cond(&magnitude, &magnitude.ones_like()?)?)?, zeros.clone())
    } else {
        let scale = scale(d)?;
        let norm = (sum_rows(&magnitude.broadcast_div(&scale)?.powf(p)?)?.powf(1. / p)? * scale)?;
        let slopes = (sign * magnitude.broadcast_div(&norm)?.powf(p - 1.)?)?;
        (norm, slopes)
    };
    Ok((norm, is_zero.where_cond(&zeros, &slopes)?))
}
