//! The options of the losses of vectors.

use crate::loss::reduction;
use crate::{LossOptions, Reduction, Signature};

/// Embedding loss of two vectors by their cosine c. The label is 1 if they should be alike and -1 if they should not:
///
/// ```text
/// 1 - c                if target = 1
/// max(0, c - margin)   if target = -1
///
/// c = x1 . x2 / sqrt((|x1|^2 + eps) (|x2|^2 + eps)),    eps = 1e-12
/// ```
///
/// As in PyTorch, any other label gives 0. The slope of the hinge is 0 at 0; up to PyTorch 2.13 it was 1.
///
/// # Shapes
///
/// - *input1*: (D) or (N, D), where N broadcasts; floats, which are differentiable, or integers.
/// - *input2*: (D) or (N, D), where N broadcasts; floats, which are differentiable, or integers.
/// - *target*: a scalar or (N); floats or integers.
/// - *output*: (N) or a scalar.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.CosineEmbeddingLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CosineEmbeddingLoss {
    /// The cosine up to which vectors that are not alike cost nothing.
    pub margin: f64,
    /// How the losses of the pairs are reduced.
    pub reduction: Reduction,
}

impl LossOptions for CosineEmbeddingLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input1", "input2", "target"],
        optional: &[],
        integers: &["input1", "input2", "target"],
        numbers: &["input1", "input2", "target"],
        differentiable: &["input1", "input2"],
    };

    reduction!();
}

/// Triplet loss of anchor, positive and negative by distances d, where a, p and n stand for the three vectors:
///
/// ```text
/// max(0, margin + d(a, p) - d(a, n))
/// d(a, b) = (sum over i of |a[i] - b[i] + eps|^p)^(1/p)
/// ```
///
/// With `swap` the second distance is the smaller of d(a, n) and d(p, n), and equal distances share the slope. The slope of the
/// hinge is 0 at 0; up to PyTorch 2.13 it was 1.
///
/// # Shapes
///
/// - *anchor*: (D) or (N, D) or more dimensions; floats, which are differentiable, or integers.
/// - *positive*, *negative*: as many dimensions as *anchor* has; floats, which are differentiable, or integers. The last
///   dimension holds the vectors and the others broadcast. One of the three tensors may have a last dimension of 1,
///   which then broadcasts.
/// - *output*: the broadcast shape without its last dimension, or a scalar if it is reduced.
///
/// # Errors
///
/// A margin that is not positive is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.TripletMarginLoss.html>; V. Balntas et al.,
/// "Learning shallow convolutional feature descriptors with triplet losses", 2016.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TripletMarginLoss {
    /// How much farther from the anchor than the positive the negative has to be.
    pub margin: f64,
    /// The degree of the norm.
    #[cfg_attr(feature = "serde", serde(with = "crate::number"))]
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::number::schema"))]
    pub p: f64,
    /// What is added to each difference.
    pub eps: f64,
    /// Whether the distance between the positive and the negative counts if it is smaller than that of the anchor.
    pub swap: bool,
    /// How the losses of the triplets are reduced.
    pub reduction: Reduction,
}

impl Default for TripletMarginLoss {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl LossOptions for TripletMarginLoss {
    const SIGNATURE: Signature = Signature {
        required: &["anchor", "positive", "negative"],
        optional: &[],
        integers: &["anchor", "positive", "negative"],
        numbers: &["anchor", "positive", "negative"],
        differentiable: &["anchor", "positive", "negative"],
    };

    reduction!();
}

/// [`TripletMarginLoss`] with any distance d of two vectors:
///
/// ```text
/// max(0, margin + d(a, p) - d(a, n))
/// ```
///
/// With `swap` the second distance is the smaller of d(a, n) and d(p, n). The slope of the hinge is 0 at 0; up to PyTorch 2.13
/// it was 1.
///
/// # Shapes
///
/// - *anchor*: (D) or (N, D) or more dimensions; floats, which are differentiable, or integers.
/// - *positive*, *negative*: as many dimensions as *anchor* has; floats, which are differentiable, or integers. The last
///   dimension holds the vectors and the others broadcast. One of the three tensors may have a last dimension of 1,
///   which then broadcasts.
/// - *output*: the broadcast shape without its last dimension, or a scalar if it is reduced.
///
/// # Errors
///
/// A margin that is not positive is an error.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.TripletMarginWithDistanceLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(bound = "D: schemars::JsonSchema + serde::Serialize + Default")
)]
pub struct TripletMarginWithDistanceLoss<D = DistanceFunction> {
    /// The distance. PyTorch takes any function; data name one of a [`DistanceFunction`].
    pub distance_function: D,
    /// How much farther from the anchor than the positive the negative has to be.
    pub margin: f64,
    /// Whether the distance between the positive and the negative counts if it is smaller than that of the anchor.
    pub swap: bool,
    /// How the losses of the triplets are reduced.
    pub reduction: Reduction,
}

impl<D: Default> Default for TripletMarginWithDistanceLoss<D> {
    fn default() -> Self {
        Self { distance_function: D::default(), margin: 1.0, swap: false, reduction: Reduction::Mean }
    }
}

impl LossOptions for TripletMarginWithDistanceLoss {
    const SIGNATURE: Signature = Signature {
        required: &["anchor", "positive", "negative"],
        optional: &[],
        integers: &["anchor", "positive", "negative"],
        numbers: &["anchor", "positive", "negative"],
        differentiable: &["anchor", "positive", "negative"],
    };

    reduction!();
}

/// A distance that data can name. PyTorch takes any function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum DistanceFunction {
    /// `torch.nn.PairwiseDistance()`: the Euclidean distance, with 1e-6 added to each difference.
    #[default]
    Pairwise,
    /// The sum of the absolute differences.
    Manhattan,
    /// The sum of the squared differences.
    SquaredEuclidean,
}
