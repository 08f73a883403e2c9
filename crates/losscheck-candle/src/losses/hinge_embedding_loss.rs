use candle_core::{Result, Tensor};
use losscheck_options::HingeEmbeddingLoss;

use super::broadcast::broadcast;
use super::check::{float, promoted};
use super::custom_gradient::with_custom_gradient;
use super::reduction::reduced;

/// Computes [`HingeEmbeddingLoss`].
///
/// Integers (u8, u32 or i64) in `target` become numbers of the dtype of `input`.
///
/// # Errors
///
/// Returns an error if the shapes do not broadcast or the dtypes differ.
pub fn hinge_embedding_loss(input: &Tensor, target: &Tensor, options: HingeEmbeddingLoss) -> Result<Tensor> {
    float("input", input)?;
    let [input, target] = broadcast([input, &promoted(target, input)?])?;
    let (x, t) = (input.detach(), target.detach());
    let (is_alike, is_unlike) = (t.eq(1.)?, t.eq(-1.)?);
    let zeros = x.zeros_like()?;
    let slack = x.affine(-1., options.margin)?;
    let unlike = is_alike.where_cond(&zeros, &slack.maximum(&zeros)?)?;
    let alike = is_unlike.where_cond(&zeros, &x)?;
    let losses = with_custom_gradient((unlike + alike)?, &input, move |gradient| {
        let hinge = slack.gt(0.)?.where_cond(&gradient.neg()?, &zeros)?;
        is_alike.where_cond(&zeros, &hinge)? + is_unlike.where_cond(&zeros, gradient)?
    })?;
    reduced(&losses, options.reduction)
}
