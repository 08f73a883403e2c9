use candle_core::{DType, Result, Tensor, bail};
use losscheck_options::{CrossEntropyLoss, LinearCrossEntropyLoss};

use super::check::countable;
use super::cross_entropy;
use super::linear::product;

/// Computes [`LinearCrossEntropyLoss`].
///
/// The scores of the whole batch are held at once; `batch_chunk_size` has no effect. The dtypes of the target and of the
/// weight are those of [`cross_entropy`].
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn linear_cross_entropy(
    input: &Tensor,
    linear_weight: &Tensor,
    linear_bias: Option<&Tensor>,
    target: &Tensor,
    weight: Option<&Tensor>,
    options: LinearCrossEntropyLoss,
) -> Result<Tensor> {
    if target.dtype().is_float() && options.ignore_index.is_some() {
        bail!("ignore_index is given, expected none beside a target that holds probabilities");
    }
    let ignore_index = options.ignored_index();
    let Some((&features, outputs)) = linear_weight.dims().split_last().filter(|(_, outputs)| !outputs.is_empty())
    else {
        bail!("linear_weight has shape {:?}, expected (C, K) or (C, d1, ..., K)", linear_weight.dims());
    };
    let batch = match input.dims() {
        [k] if *k == features && outputs.len() == 1 => None,
        [n, k] if *k == features => Some(*n),
        shape => bail!("input has shape {shape:?}, expected ({features}) or, beside positions always, (N, {features})"),
    };
    if let Some(bias) = linear_bias
        && bias.dims() != outputs
    {
        bail!("linear_bias has shape {:?}, expected {outputs:?}", bias.dims());
    }
    let (samples, classes) = (batch.unwrap_or(1), outputs[0]);
    countable(&[&[samples, features], outputs].concat())?;
    let positions: usize = outputs[1..].iter().product();

    // (positions, N, K) times (positions, K, C).
    let rows = input.reshape((1, samples, features))?.broadcast_as((positions, samples, features))?;
    let ignored = ignored(target, ignore_index, positions, samples)?;
    let rows = without_ignored(&rows, ignored.as_ref())?;
    let columns = linear_weight.reshape((classes, positions, features))?.permute((1, 2, 0))?;
    let mut scores = product(&rows, &columns)?;
    if let Some(bias) = linear_bias {
        scores = scores.broadcast_add(&bias.reshape((classes, positions))?.t()?.unsqueeze(1)?)?;
    }
    let scores = without_ignored(&scores, ignored.as_ref())?.permute((1, 2, 0))?;
    let shape = [batch.as_slice(), outputs].concat();
    let LinearCrossEntropyLoss { label_smoothing, reduction, .. } = options;
    let options = CrossEntropyLoss { ignore_index, label_smoothing, reduction };
    cross_entropy(&scores.reshape(shape)?, target, weight, options)
}

/// Which rows of (positions, N, 1) are ignored; none of probabilities.
fn ignored(target: &Tensor, ignore_index: i64, positions: usize, samples: usize) -> Result<Option<Tensor>> {
    if target.dtype().is_float() || target.elem_count() != positions * samples || target.elem_count() == 0 {
        return Ok(None);
    }
    let ignored = target.to_dtype(DType::I64)?.eq(ignore_index)?;
    Ok(Some(ignored.reshape((samples, positions))?.t()?.unsqueeze(2)?))
}

/// With zeros in the place of the rows that are ignored: whatever they hold, they count for nothing.
fn without_ignored(rows: &Tensor, ignored: Option<&Tensor>) -> Result<Tensor> {
    match ignored {
        Some(ignored) if rows.elem_count() > 0 => {
            ignored.broadcast_as(rows.shape())?.contiguous()?.where_cond(&rows.zeros_like()?, rows)
        }
        _ => Ok(rows.clone()),
    }
}
