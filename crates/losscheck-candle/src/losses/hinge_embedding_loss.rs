use candle_core::{Result, Tensor};

use super::Reduction;
use super::broadcast::broadcast;
use super::check::float;
use super::custom_gradient::with_custom_gradient;

/// The options of [`hinge_embedding_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingOptions {
    /// The distance from which pairs that are not alike cost nothing.
    pub margin: f64,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

impl Default for HingeEmbeddingOptions {
    fn default() -> Self {
        Self { margin: 1., reduction: Reduction::Mean }
    }
}

/// The hinge loss of a distance x: x itself where the target is 1, max(0, margin - x) where it is -1, and both for any
/// other target.
///
/// Input and target broadcast; the input is differentiable.
///
/// # Errors
///
/// If the shapes do not broadcast or the dtypes differ.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.hinge_embedding_loss.html>
pub fn hinge_embedding_loss(input: &Tensor, target: &Tensor, options: HingeEmbeddingOptions) -> Result<Tensor> {
    float("input", input)?;
    let [input, target] = broadcast([input, target])?;
    let (x, t) = (input.detach(), target.detach());
    let (is_alike, is_unlike) = (t.eq(1.)?, t.eq(-1.)?);
    let zeros = x.zeros_like()?;
    let slack = x.affine(-1., options.margin)?;
    let unlike = is_alike.where_cond(&zeros, &slack.maximum(&zeros)?)?;
    let alike = is_unlike.where_cond(&zeros, &x)?;
    let losses = with_custom_gradient((unlike + alike)?, &input, move |gradient| {
        let hinge = slack.ge(0.)?.where_cond(&gradient.neg()?, &zeros)?;
        is_alike.where_cond(&zeros, &hinge)? + is_unlike.where_cond(&zeros, gradient)?
    })?;
    options.reduction.apply(&losses)
}
