use candle_core::{Result, Tensor, bail};
use losscheck_options::{TripletMarginLoss, TripletMarginWithDistanceLoss};

use super::broadcast::broadcast;
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::distance::Distance;
use super::reduction::reduced;

/// Computes [`TripletMarginLoss`].
///
/// Integers (u8, u32 or i64) in `positive` or `negative` become numbers of the dtype of `anchor`.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn triplet_margin_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: TripletMarginLoss,
) -> Result<Tensor> {
    let TripletMarginLoss { margin, p, eps, swap, reduction } = options;
    let distance_function = Distance::Pairwise { p, eps };
    let options = TripletMarginWithDistanceLoss { distance_function, margin, swap, reduction };
    by_distance(anchor, positive, negative, options)
}

/// Computes [`TripletMarginWithDistanceLoss`] by one of the distances that have a name.
///
/// Integers (u8, u32 or i64) in `positive` or `negative` become numbers of the dtype of `anchor`.
///
/// # Errors
///
/// Returns an error if an option or an input is out of range, or a shape or a dtype does not fit.
pub fn triplet_margin_with_distance_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: TripletMarginWithDistanceLoss,
) -> Result<Tensor> {
    let TripletMarginWithDistanceLoss { distance_function, margin, swap, reduction } = options;
    let distance_function = Distance::from(distance_function);
    let options = TripletMarginWithDistanceLoss { distance_function, margin, swap, reduction };
    by_distance(anchor, positive, negative, options)
}

fn by_distance(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: TripletMarginWithDistanceLoss<Distance>,
) -> Result<Tensor> {
    float("anchor", anchor)?;
    let TripletMarginWithDistanceLoss { distance_function, margin, swap, reduction } = options;
    if margin <= 0. {
        bail!("margin is {margin}, expected a positive number");
    }
    let shapes = [anchor, positive, negative].map(Tensor::dims);
    let lengths = shapes.map(|shape| shape.last().copied().unwrap_or(0));
    let length = lengths.into_iter().max().unwrap_or(0);
    let is_ambiguous = lengths.iter().filter(|&&own| own != length).count() > 1;
    if shapes.iter().any(|shape| shape.is_empty() || shape.len() != shapes[0].len()) || is_ambiguous {
        bail!(
            "anchor, positive and negative have shapes {shapes:?}, expected the same dimensions, the last of vectors"
        );
    }
    let [anchor, positive, negative] = broadcast([anchor, &promoted(positive, anchor)?, &promoted(negative, anchor)?])?;
    let (rows, count) = (anchor.dims()[..anchor.rank() - 1].to_vec(), anchor.elem_count() / length.max(1));
    let count = if length == 0 { rows.iter().product() } else { count };
    let matrix = |tensor: &Tensor| tensor.reshape((count, length));
    let (anchor, positive, negative) = (matrix(&anchor)?, matrix(&positive)?, matrix(&negative)?);
    let [a, p, n] = [&anchor, &positive, &negative].map(Tensor::detach);

    let (of_positive, to_positive) = distance_function.of(&a, &p)?;
    let (of_negative, mut to_negative) = distance_function.of(&a, &n)?;
    let (of_swapped, mut to_swapped) = distance_function.of(&p, &n)?;
    let zeros = of_positive.zeros_like()?;
    let mut nearest = of_negative.clone();
    if swap {
        nearest = of_swapped.lt(&of_negative)?.where_cond(&of_swapped, &of_negative)?;
        // NaN is not less.
        nearest = of_swapped.ne(&of_swapped)?.where_cond(&of_swapped, &nearest)?;
        let halves = of_swapped.eq(&of_negative)?.where_cond(&zeros.affine(0., 0.5)?, &zeros.ones_like()?)?;
        let share = of_swapped.lt(&of_negative)?.where_cond(&zeros, &halves)?;
        to_negative = to_negative.broadcast_mul(&share)?;
        to_swapped = to_swapped.broadcast_mul(&share.affine(-1., 1.)?)?;
    } else {
        to_swapped = to_swapped.zeros_like()?;
    }
    let shortfall = (of_positive.affine(1., margin)? - nearest)?;
    let (active, inactive) = (shortfall.gt(0.)?, shortfall.le(0.)?);
    let mut losses = shortfall.maximum(&zeros)?;
    let by_anchor = (&to_positive - &to_negative)?;
    let by_positive = (&to_positive + &to_swapped)?.neg()?;
    let by_negative = (to_negative + to_swapped)?;
    for (argument, slopes) in [(&anchor, by_anchor), (&positive, by_positive), (&negative, by_negative)] {
        // NaN is neither, and has to show in the gradients of what it comes from.
        let slopes = inactive.broadcast_as(slopes.shape())?.where_cond(&slopes.zeros_like()?, &slopes)?;
        let (active, zeros) = (active.clone(), zeros.clone());
        losses = with_custom_gradient(losses, argument, move |gradient| {
            slopes.broadcast_mul(&active.where_cond(gradient, &zeros)?)
        })?;
    }
    reduced(&losses.reshape(rows)?, reduction)
}
