use candle_core::{Result, Tensor, bail};

use super::Reduction;
use super::broadcast::broadcast;
use super::check::float;
use super::custom_gradient::with_custom_gradient;
use super::distance::DistanceFunction;

/// The options of [`triplet_margin_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginOptions {
    /// By how much the negative is to be farther away.
    pub margin: f64,
    /// The degree of the norm.
    pub p: f64,
    /// What is added to each difference.
    pub eps: f64,
    /// Whether the positive may take the anchor's place.
    pub swap: bool,
    /// How the triplets' losses are put together.
    pub reduction: Reduction,
}

impl Default for TripletMarginOptions {
    fn default() -> Self {
        Self { margin: 1., p: 2., eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

/// The options of [`triplet_margin_with_distance_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginWithDistanceOptions {
    /// The distance.
    pub distance_function: DistanceFunction,
    /// By how much the negative is to be farther away.
    pub margin: f64,
    /// Whether the positive may take the anchor's place.
    pub swap: bool,
    /// How the triplets' losses are put together.
    pub reduction: Reduction,
}

impl Default for TripletMarginWithDistanceOptions {
    fn default() -> Self {
        let distance_function = DistanceFunction::default();
        Self { distance_function, margin: 1., swap: false, reduction: Reduction::Mean }
    }
}

/// The triplet loss max(0, margin + d(a, p) - d(a, n)), where d is the p-norm of the difference plus `eps`. With `swap` the
/// second distance is the smaller of d(a, n) and d(p, n).
///
/// The tensors have the same number of dimensions, of which the last holds the vectors and the others broadcast; all are
/// differentiable.
///
/// # Errors
///
/// If the margin is not positive, or a shape or dtype does not fit.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.triplet_margin_loss.html>
pub fn triplet_margin_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: TripletMarginOptions,
) -> Result<Tensor> {
    let TripletMarginOptions { margin, p, eps, swap, reduction } = options;
    let distance_function = DistanceFunction::Pairwise { p, eps };
    let options = TripletMarginWithDistanceOptions { distance_function, margin, swap, reduction };
    triplet_margin_with_distance_loss(anchor, positive, negative, options)
}

/// [`triplet_margin_loss`] by another distance.
///
/// # Errors
///
/// If the margin is not positive, or a shape or dtype does not fit.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.triplet_margin_with_distance_loss.html>
pub fn triplet_margin_with_distance_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: TripletMarginWithDistanceOptions,
) -> Result<Tensor> {
    float("anchor", anchor)?;
    let TripletMarginWithDistanceOptions { distance_function, margin, swap, reduction } = options;
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
    let [anchor, positive, negative] = broadcast([anchor, positive, negative])?;
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
    let (active, inactive) = (shortfall.ge(0.)?, shortfall.lt(0.)?);
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
    reduction.apply(&losses.reshape(rows)?)
}
