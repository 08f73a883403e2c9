//! The options of the losses of single elements.

use crate::loss::reduction;
use crate::{KLDivReduction, LossOptions, Reduction, Signature};

/// Binary cross-entropy of probabilities x, with each logarithm clamped at -100:
///
/// ```text
/// -weight (target max(ln x, -100) + (1 - target) max(ln(1 - x), -100))
/// ```
///
/// The gradient of the input is weight (x - target) / max(x (1 - x), 1e-12): as in PyTorch, the clamp of the
/// logarithms does not change it.
///
/// # Shapes
///
/// - *input*: any shape; differentiable.
/// - *target*: the shape of *input*; differentiable.
/// - *weight*, optional: a shape that broadcasts to that of *input*; floats or integers.
/// - *output*: the shape of *input*, or a scalar if it is reduced.
///
/// # Errors
///
/// An input or a target that is not a number from 0 to 1 is an error.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.BCELoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BCELoss {
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl LossOptions for BCELoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["weight"],
        numbers: &["weight"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Binary cross-entropy of logits x, with p = sigmoid(x):
///
/// ```text
/// -weight (pos_weight target ln p + (1 - target) ln(1 - p))
/// ```
///
/// # Shapes
///
/// - *input*: any shape; differentiable.
/// - *target*: the shape of *input*; differentiable.
/// - *weight*, *pos_weight*, optional: shapes that broadcast to that of *input*; floats or integers.
/// - *output*: the shape of *input*, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.BCEWithLogitsLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BCEWithLogitsLoss {
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl LossOptions for BCEWithLogitsLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight", "pos_weight"],
        integers: &["weight", "pos_weight"],
        numbers: &["weight", "pos_weight"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Negative log-likelihood under a Gaussian distribution, with mean x and variance v:
///
/// ```text
/// (ln v + (x - target)^2 / v) / 2,    v = max(var, eps)
/// ```
///
/// With `full` the constant ln(2 pi) / 2 is added. As in PyTorch, the gradient of *var* ignores the clamp.
///
/// # Shapes
///
/// - *input*: any shape; floats, which are differentiable, or integers.
/// - *target*: a shape that broadcasts with that of *input*; floats, which are differentiable, or integers.
/// - *var*: the shape of *input*, that shape without its last dimension, or that shape with one dimension of 1;
///   differentiable.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// # Errors
///
/// A negative variance is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.GaussianNLLLoss.html>; D. A. Nix and A. S. Weigend,
/// "Estimating the mean and variance of the target probability distribution", 1994.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GaussianNLLLoss {
    /// Whether the constant ln(2 pi) / 2 is part of the loss.
    pub full: bool,
    /// The smallest variance; a smaller one is raised to it.
    pub eps: f64,
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl Default for GaussianNLLLoss {
    fn default() -> Self {
        Self { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

impl LossOptions for GaussianNLLLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target", "var"],
        optional: &[],
        integers: &["input", "target"],
        numbers: &["input", "target"],
        differentiable: &["input", "target", "var"],
    };

    reduction!();
}

/// Hinge loss of a distance x and a label, which is 1 if a pair is alike and -1 if it is not:
///
/// ```text
/// x                   if target = 1
/// max(0, margin - x)  if target = -1
/// ```
///
/// As in PyTorch, any other label adds up both terms, which gives max(margin, x). Where x equals the margin, the slope of the
/// second term is 0; up to PyTorch 2.13 it was -1.
///
/// # Shapes
///
/// - *input*: any shape; differentiable.
/// - *target*: a shape that broadcasts with that of *input*; floats or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.HingeEmbeddingLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HingeEmbeddingLoss {
    /// The distance from which on pairs that are not alike cost nothing.
    pub margin: f64,
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl LossOptions for HingeEmbeddingLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &[],
        integers: &["target"],
        numbers: &["target"],
        differentiable: &["input"],
    };

    reduction!();
}

/// Huber's loss, quadratic near 0 and linear beyond `delta`, with d = x - target:
///
/// ```text
/// weight d^2 / 2                  if |d| <= delta
/// weight delta (|d| - delta / 2)  otherwise
/// ```
///
/// The mean divides by the number of elements, even if there is a weight. [`L1Loss`] and [`MSELoss`] differ in this.
///
/// # Shapes
///
/// - *input*: any shape; differentiable.
/// - *target*: a shape that broadcasts with that of *input*; floats, which are differentiable, or integers.
/// - *weight*, optional: the shape of *input*; floats or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// # Errors
///
/// A `delta` that is not positive is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.HuberLoss.html>; P. J. Huber, "Robust Estimation of
/// a Location Parameter", 1964.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HuberLoss {
    /// The difference at which the loss turns from a parabola into a line.
    pub delta: f64,
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl Default for HuberLoss {
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl LossOptions for HuberLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target", "weight"],
        numbers: &["target", "weight"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Kullback-Leibler divergence of log-probabilities x, element by element, from a target:
///
/// ```text
/// target (ln target - x)      0 if target = 0
/// e^target (target - x)       with log_target
/// ```
///
/// # Shapes
///
/// - *input*: any shape; differentiable.
/// - *target*: a shape that broadcasts with that of *input*; differentiable.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.KLDivLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KLDivLoss {
    /// Whether the target holds logarithms of probabilities.
    pub log_target: bool,
    /// How the losses of the elements are reduced.
    pub reduction: KLDivReduction,
}

impl LossOptions for KLDivLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &[],
        integers: &[],
        numbers: &[],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Absolute error, whose gradient at 0 is 0:
///
/// ```text
/// weight |x - target|
/// ```
///
/// The mean divides by the sum of the weights.
///
/// # Shapes
///
/// - *input*: any shape; floats, which are differentiable, or integers.
/// - *target*: a shape that broadcasts with that of *input*; floats, which are differentiable, or integers.
/// - *weight*, optional: the shape of *input*; floats or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.L1Loss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct L1Loss {
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl LossOptions for L1Loss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["input", "target", "weight"],
        numbers: &["input", "target", "weight"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Squared error:
///
/// ```text
/// weight (x - target)^2
/// ```
///
/// The mean divides by the sum of the weights.
///
/// # Shapes
///
/// - *input*: any shape; floats, which are differentiable, or integers.
/// - *target*: a shape that broadcasts with that of *input*; floats, which are differentiable, or integers.
/// - *weight*, optional: the shape of *input*; floats or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.MSELoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MSELoss {
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl LossOptions for MSELoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["input", "target", "weight"],
        numbers: &["input", "target", "weight"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Ranking loss of two scores. The first should be higher by a margin if the label is 1, the second if it is -1:
///
/// ```text
/// max(0, -target (x1 - x2) + margin)
/// ```
///
/// The slope of the hinge is 0 at 0: equal scores have no gradient if the margin is 0, which is the default. Up to PyTorch 2.13
/// the slope was 1 there.
///
/// # Shapes
///
/// - *input1*: any shape; floats, which are differentiable, or integers.
/// - *input2*, *target*: shapes that broadcast with that of *input1* and have the same number of dimensions; floats, which
///   are differentiable, or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.MarginRankingLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MarginRankingLoss {
    /// The difference of the two scores from which on a pair costs nothing.
    pub margin: f64,
    /// How the losses of the pairs are reduced.
    pub reduction: Reduction,
}

impl LossOptions for MarginRankingLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input1", "input2", "target"],
        optional: &[],
        integers: &["input1", "input2", "target"],
        numbers: &["input1", "input2", "target"],
        differentiable: &["input1", "input2", "target"],
    };

    reduction!();
}

/// Negative log-likelihood under a Poisson distribution, whose rate is e^x or, without `log_input`, x:
///
/// ```text
/// e^x - target x
/// x - target ln(x + eps)    without log_input
/// ```
///
/// With `full`, each target above 1 adds Stirling's approximation of ln(target!), which is target ln(target) - target
/// + ln(2 pi target) / 2. A negative rate gives NaN.
///
/// # Shapes
///
/// - *input*: any shape; floats, which are differentiable, or integers.
/// - *target*: a shape that broadcasts with that of *input*; floats, which are differentiable, or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.PoissonNLLLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PoissonNLLLoss {
    /// Whether the input is the logarithm of the rate.
    pub log_input: bool,
    /// Whether Stirling's approximation of ln(target!) is part of the loss.
    pub full: bool,
    /// What is added to the rate before its logarithm is taken, if `log_input` is false.
    pub eps: f64,
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl Default for PoissonNLLLoss {
    fn default() -> Self {
        Self { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

impl LossOptions for PoissonNLLLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &[],
        integers: &["input", "target"],
        numbers: &["input", "target"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Smooth L1 loss, quadratic near 0 and linear beyond `beta`, with d = x - target:
///
/// ```text
/// d^2 / (2 beta)   if |d| < beta
/// |d| - beta / 2   otherwise
/// ```
///
/// With a `beta` of 0 this is [`L1Loss`], whose gradient at 0 is 0.
///
/// # Shapes
///
/// - *input*: any shape; floats, which are differentiable, or integers.
/// - *target*: a shape that broadcasts with that of *input*; floats, which are differentiable, or integers.
/// - *output*: the broadcast shape, or a scalar if it is reduced.
///
/// # Errors
///
/// A negative `beta` is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.SmoothL1Loss.html>; R. Girshick, "Fast R-CNN",
/// 2015.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SmoothL1Loss {
    /// The difference at which the loss turns from a parabola into a line.
    pub beta: f64,
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        Self { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl LossOptions for SmoothL1Loss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &[],
        integers: &["input", "target"],
        numbers: &["input", "target"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Logistic loss of a score x and a label of 1 or -1:
///
/// ```text
/// ln(1 + e^(-target x))
/// ```
///
/// # Shapes
///
/// - *input*: any shape; differentiable.
/// - *target*: a shape that broadcasts to that of *input*; floats or integers.
/// - *output*: the shape of *input*, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.SoftMarginLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SoftMarginLoss {
    /// How the losses of the elements are reduced.
    pub reduction: Reduction,
}

impl LossOptions for SoftMarginLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &[],
        integers: &["target"],
        numbers: &["target"],
        differentiable: &["input"],
    };

    reduction!();
}
