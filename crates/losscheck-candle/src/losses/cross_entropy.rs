use candle_core::{Result, Tensor, bail};
use losscheck_options::{CrossEntropyLoss, Reduction};

use super::check::{class_weight, promoted, same_shape};
use super::classes::Rows;
use super::log_softmax::log_softmax;
use super::reduction::{reduced, sum, sum_rows};

/// Computes [`CrossEntropyLoss`].
///
/// A target of classes has the dtype u8, u32 or i64; one of probabilities has that of the input, and beside it integers (u8,
/// u32 or i64) in `weight` become numbers of that dtype, too.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn cross_entropy(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: CrossEntropyLoss,
) -> Result<Tensor> {
    if options.label_smoothing > 1. {
        bail!("label_smoothing is {}, expected a number from 0 to 1", options.label_smoothing);
    }
    let rows = Rows::new(input)?;
    let weight = weight.map(|weight| class_weight(weight, rows.classes)).transpose()?;
    if target.dtype().is_float() {
        same_shape(input, target)?;
        let weight = weight.map(|weight| promoted(&weight, input)).transpose()?;
        of_probabilities(&rows, target, weight, options)
    } else {
        of_indices(&rows, target, weight, options)
    }
}

fn of_indices(rows: &Rows, target: &Tensor, weight: Option<Tensor>, options: CrossEntropyLoss) -> Result<Tensor> {
    let indices = rows.indices(target, options.ignore_index)?;
    let weights = weight.as_ref().map(|weight| indices.weights(weight)).transpose()?;
    let log_probabilities = log_softmax(&rows.rows)?;
    let mut losses = indices.pick(&log_probabilities)?.neg()?;
    if let Some(weights) = &weights {
        losses = (losses * weights)?;
    }
    let smoothing = options.label_smoothing;
    if smoothing > 0. {
        let even = sum_rows(&weigh(&log_probabilities, weight.as_ref())?)?.squeeze(1)?.neg()?;
        losses = ((losses * (1. - smoothing))? + (even * (smoothing / rows.classes as f64))?)?;
    }
    indices.reduce(options.reduction, rows, &indices.mask(&losses)?, weights.as_ref())
}

fn of_probabilities(rows: &Rows, target: &Tensor, weight: Option<Tensor>, options: CrossEntropyLoss) -> Result<Tensor> {
    if options.ignore_index >= 0 {
        bail!("ignore_index is {}, which targets that are probabilities do not have", options.ignore_index);
    }
    let mut target = Rows::new(target)?.rows;
    let smoothing = options.label_smoothing;
    if smoothing > 0. {
        // Not `affine` alone, which cuts candle's graph where it multiplies by 0.
        let kept = Tensor::new(1. - smoothing, target.device())?.to_dtype(target.dtype())?;
        target = (target.broadcast_mul(&kept)? + smoothing / rows.classes as f64)?;
    }
    let log_probabilities = weigh(&log_softmax(&rows.rows)?, weight.as_ref())?;
    let losses = sum_rows(&(log_probabilities * target)?)?.squeeze(1)?.neg()?;
    if options.reduction == Reduction::Mean && rows.classes == 0 {
        // PyTorch divides by the number of elements over that of classes.
        return sum(&losses)? * f64::NAN;
    }
    reduced(&rows.restore(&losses)?, options.reduction)
}

fn weigh(rows: &Tensor, weight: Option<&Tensor>) -> Result<Tensor> {
    match weight {
        None => Ok(rows.clone()),
        Some(weight) => rows.broadcast_mul(weight),
    }
}
