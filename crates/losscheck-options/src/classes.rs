//! The options of the losses over classes.

use crate::loss::reduction;
use crate::{LossOptions, Reduction, Signature};

/// Adaptive softmax, for many classes of very different frequency, and its loss.
///
/// The classes are sorted by frequency and cut into clusters. A linear layer, the head, scores the classes of the
/// first cluster, the shortlist, and each other cluster as a whole. The tail of a cluster scores its classes by a
/// projection of the input and a second layer. If ln p stands for the logarithms of the softmax of such scores, then
/// for a class c of the tail i
///
/// ```text
/// log_prob(c) = ln p_head(c)                          in the shortlist
///             = ln p_head(tail i) + ln p_tail_i(c)    otherwise
/// output[n]   = log_prob(target[n])
/// loss        = mean over n of -output[n]
/// ```
///
/// The mean is NaN for an empty batch.
///
/// # Shapes
///
/// - *input*: (N, in_features) or (in_features); differentiable.
/// - *target*, optional: (N) or a scalar. The results `log_prob` and `predict` take none.
/// - *head.weight*: (shortlist + tails, in_features); differentiable.
/// - *head.bias*, optional: (shortlist + tails); differentiable. It is there if the option `head_bias` is true.
/// - *tail.i.0.weight*: the projection of tail i, (outputs, in_features); differentiable.
/// - *tail.i.1.weight*: the second layer of tail i, (classes of the tail, outputs); differentiable.
/// - *output*: a scalar, or as the option `result` says.
///
/// # Errors
///
/// Cutoffs that are not increasing numbers from 1 to n_classes - 1, or none at all, a `div_value` that is not
/// positive, and a target that is no class are errors.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html>; E. Grave et al.,
/// "Efficient softmax approximation for GPUs", 2017.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdaptiveLogSoftmaxWithLoss {
    /// The number of elements of a sample. PyTorch has no default for this option and the next two.
    pub in_features: usize,
    /// The number of classes.
    pub n_classes: usize,
    /// The first class of each tail.
    pub cutoffs: Vec<usize>,
    /// The factor by which the projection of each tail is smaller than that of the one before: tail i, counted from 0,
    /// has floor(in_features / div_value^(i + 1)) outputs.
    #[cfg_attr(feature = "serde", serde(with = "crate::number"))]
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::number::schema"))]
    pub div_value: f64,
    /// Whether the head has a bias.
    pub head_bias: bool,
    /// Which of PyTorch's results is computed.
    pub result: AdaptiveResult,
}

impl Default for AdaptiveLogSoftmaxWithLoss {
    fn default() -> Self {
        Self {
            in_features: 0,
            n_classes: 0,
            cutoffs: Vec::new(),
            div_value: 4.0,
            head_bias: false,
            result: AdaptiveResult::Loss,
        }
    }
}

impl LossOptions for AdaptiveLogSoftmaxWithLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "head.weight", "tail.0.0.weight", "tail.0.1.weight"],
        optional: &[
            "target",
            "head.bias",
            "tail.1.0.weight",
            "tail.1.1.weight",
            "tail.2.0.weight",
            "tail.2.1.weight",
            "tail.3.0.weight",
            "tail.3.1.weight",
        ],
        integers: &["target"],
        numbers: &[],
        differentiable: &[
            "input",
            "head.weight",
            "head.bias",
            "tail.0.0.weight",
            "tail.0.1.weight",
            "tail.1.0.weight",
            "tail.1.1.weight",
            "tail.2.0.weight",
            "tail.2.1.weight",
            "tail.3.0.weight",
            "tail.3.1.weight",
        ],
    };

    fn reduction(&self) -> Option<&'static str> {
        None
    }

    fn with_reduction(&self, _: Reduction) -> Option<Self> {
        None
    }

    fn unreduced(&self) -> Self {
        match self.result {
            AdaptiveResult::Loss => self.with_result(AdaptiveResult::Output),
            AdaptiveResult::Predict => self.with_result(AdaptiveResult::LogProb),
            AdaptiveResult::Output | AdaptiveResult::LogProb => self.clone(),
        }
    }

    fn argmax_candidates(&self) -> Option<Self> {
        (self.result == AdaptiveResult::Predict).then(|| self.with_result(AdaptiveResult::LogProb))
    }

    fn check_names(&self) -> Result<(), String> {
        let (tails, most) = (self.cutoffs.len(), Self::TAILS);
        if tails <= most {
            return Ok(());
        }
        Err(format!("`cutoffs` has {tails} elements, expected at most {most}, because a case can name no more tails"))
    }
}

impl AdaptiveLogSoftmaxWithLoss {
    /// The largest number of tails whose parameters the signature names.
    pub const TAILS: usize = 4;

    /// Returns the options with another result.
    #[must_use]
    pub fn with_result(&self, result: AdaptiveResult) -> Self {
        Self { result, ..self.clone() }
    }
}

/// Cross-entropy of class scores, with p = softmax(x), for a row with target probabilities q:
///
/// ```text
/// -sum over c of weight[c] q[c] ln p[c]
/// ```
///
/// A target that is a class y stands for `q[y]` = 1. Smoothing mixes the target with the uniform distribution: `q[c]` (1 -
/// label_smoothing) + label_smoothing / C. As in PyTorch, a negative smoothing is no smoothing.
///
/// The mean divides by the sum of `weight[y]` over the rows that are not ignored, or, if the target holds probabilities,
/// by the number of rows. It is NaN if that is 0.
///
/// # Shapes
///
/// - *input*: (C), (N, C) or (N, C, d1, ...); differentiable.
/// - *target*: classes, of the shape of *input* without C; or probabilities, of the shape of *input*, which are
///   differentiable.
/// - *weight*, optional: (C); floats or, beside probabilities, integers.
/// - *output*: the shape of *input* without C, or a scalar if it is reduced.
///
/// # Errors
///
/// An index that is neither a class nor `ignore_index`, a smoothing above 1, and an `ignore_index` that is not
/// negative while the target holds probabilities are errors.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.CrossEntropyLoss.html>; C. Szegedy et al.,
/// "Rethinking the Inception Architecture for Computer Vision", 2016, for the smoothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CrossEntropyLoss {
    /// The class index whose rows count for nothing.
    pub ignore_index: i64,
    /// The share of the uniform distribution in the target.
    pub label_smoothing: f64,
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl Default for CrossEntropyLoss {
    fn default() -> Self {
        Self { ignore_index: -100, label_smoothing: 0.0, reduction: Reduction::Mean }
    }
}

impl LossOptions for CrossEntropyLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target", "weight"],
        numbers: &["weight"],
        differentiable: &["input", "target"],
    };

    reduction!();

    fn ignore_index(&self) -> Option<i64> {
        Some(self.ignore_index)
    }

    fn label_smoothing(&self) -> Option<f64> {
        Some(self.label_smoothing)
    }
}

/// [Cross-entropy](CrossEntropyLoss) of the class scores that a linear layer gives:
///
/// ```text
/// cross_entropy(input @ linear_weight^T + linear_bias, target)
/// ```
///
/// # Shapes
///
/// - *input*: (K) or (N, K); differentiable.
/// - *linear_weight*: (C, K) or, for a batch, (C, d1, ..., K); differentiable.
/// - *linear_bias*, optional: the shape of *linear_weight* without K; differentiable.
/// - *target*: as for [`CrossEntropyLoss`] of the scores, which have shape (C), (N, C) or (N, C, d1, ...).
/// - *weight*, optional: (C); floats or, beside probabilities, integers.
/// - *output*: the shape of the scores without C, or a scalar if it is reduced.
///
/// # Errors
///
/// Whatever [`CrossEntropyLoss`] refuses is an error, and so is any `ignore_index` while the target holds
/// probabilities.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.functional.linear_cross_entropy.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinearCrossEntropyLoss {
    /// The class index whose rows count for nothing; -100 if there is none.
    pub ignore_index: Option<i64>,
    /// The share of the uniform distribution in the target.
    pub label_smoothing: f64,
    /// How many rows PyTorch works on at a time; all of them if there is none. This changes no result.
    pub batch_chunk_size: Option<u32>,
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl LossOptions for LinearCrossEntropyLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "linear_weight", "target"],
        optional: &["linear_bias", "weight"],
        integers: &["target", "weight"],
        numbers: &["weight"],
        differentiable: &["input", "linear_weight", "linear_bias", "target"],
    };

    reduction!();

    fn ignore_index(&self) -> Option<i64> {
        Some(self.ignored_index())
    }

    fn label_smoothing(&self) -> Option<f64> {
        Some(self.label_smoothing)
    }
}

/// Margin loss of class scores x for a list of classes y, out of C classes:
///
/// ```text
/// sum over j in y, i not in y of max(0, 1 - x[j] + x[i]) / C
/// ```
///
/// The slope of a hinge is 0 where it is exactly 0.
///
/// # Shapes
///
/// - *input*: (C) or (N, C); differentiable. A scalar is a row of a single class, whose loss is 0.
/// - *target*: the shape of *input*; a scalar and (1) stand for each other. Each row lists the classes before the first
///   -1; a class that occurs twice counts twice.
/// - *output*: (N) or a scalar.
///
/// # Errors
///
/// An index that is neither a class nor -1 is an error.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.MultiLabelMarginLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MultiLabelMarginLoss {
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl LossOptions for MultiLabelMarginLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &[],
        integers: &["target"],
        numbers: &[],
        differentiable: &["input"],
    };

    reduction!();
}

/// Binary cross-entropy of logits x, averaged over the C classes, with p = sigmoid(x):
///
/// ```text
/// -sum over c of weight[c] (target[c] ln p[c] + (1 - target[c]) ln(1 - p[c])) / C
/// ```
///
/// # Shapes
///
/// - *input*: (..., C); differentiable.
/// - *target*: a shape that broadcasts with that of *input* and has no more dimensions; floats, which are differentiable,
///   or integers.
/// - *weight*, optional: a shape that broadcasts to that of *input*, for example (C); floats or integers.
/// - *output*: the broadcast shape without its last dimension, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.MultiLabelSoftMarginLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MultiLabelSoftMarginLoss {
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl LossOptions for MultiLabelSoftMarginLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target", "weight"],
        numbers: &["target", "weight"],
        differentiable: &["input", "target"],
    };

    reduction!();
}

/// Margin loss of class scores x for a row with class y, out of C classes:
///
/// ```text
/// sum over i != y of weight[y] max(0, margin - x[y] + x[i])^p / C
/// ```
///
/// The mean divides by the number of rows, not by the sum of their weights. The slope of a hinge is 0 where it is exactly 0.
///
/// # Shapes
///
/// - *input*: (C) or (N, C); differentiable. A scalar is a row of a single class, whose loss is 0.
/// - *target*: (N); for a single row also a scalar.
/// - *weight*, optional: (C).
/// - *output*: (N) or a scalar.
///
/// # Errors
///
/// An index that is no class, and a `p` other than 1 and 2, are errors.
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.MultiMarginLoss.html>; K. Crammer and Y. Singer,
/// "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", 2001, for the hinge.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MultiMarginLoss {
    /// The exponent, 1 or 2.
    pub p: i64,
    /// How much larger than every other score the score of the class has to be.
    pub margin: f64,
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl Default for MultiMarginLoss {
    fn default() -> Self {
        Self { p: 1, margin: 1.0, reduction: Reduction::Mean }
    }
}

impl LossOptions for MultiMarginLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target"],
        numbers: &[],
        differentiable: &["input"],
    };

    reduction!();
}

/// Negative log-likelihood of log-probabilities x, for a row with class y:
///
/// ```text
/// -weight[y] x[y]
/// ```
///
/// The mean divides by the sum of `weight[y]` over the rows that are not ignored. It is NaN if that is 0.
///
/// # Shapes
///
/// - *input*: (C), (N, C) or (N, C, d1, ...); differentiable.
/// - *target*: the shape of *input* without C.
/// - *weight*, optional: (C).
/// - *output*: the shape of *input* without C, or a scalar if it is reduced.
///
/// # Errors
///
/// An index that is neither a class nor `ignore_index` is an error.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.NLLLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NLLLoss {
    /// The class index whose rows count for nothing.
    pub ignore_index: i64,
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl Default for NLLLoss {
    fn default() -> Self {
        Self { ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl LossOptions for NLLLoss {
    const SIGNATURE: Signature = Signature {
        required: &["input", "target"],
        optional: &["weight"],
        integers: &["target"],
        numbers: &[],
        differentiable: &["input"],
    };

    reduction!();

    fn ignore_index(&self) -> Option<i64> {
        Some(self.ignore_index)
    }
}

/// [`NLLLoss`] by the deprecated name that PyTorch has for images.
///
/// # Shapes
///
/// - *input*: (C), (N, C) or (N, C, d1, ...); differentiable.
/// - *target*: the shape of *input* without C.
/// - *weight*, optional: (C).
/// - *output*: the shape of *input* without C, or a scalar if it is reduced.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.NLLLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NLLLoss2d {
    /// The class index whose rows count for nothing.
    pub ignore_index: i64,
    /// How the losses of the rows are reduced.
    pub reduction: Reduction,
}

impl Default for NLLLoss2d {
    fn default() -> Self {
        Self { ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl LossOptions for NLLLoss2d {
    const SIGNATURE: Signature = NLLLoss::SIGNATURE;

    reduction!();

    fn ignore_index(&self) -> Option<i64> {
        Some(self.ignore_index)
    }
}

/// The results of PyTorch's `AdaptiveLogSoftmaxWithLoss`: two of `forward`, and those of two other methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum AdaptiveResult {
    /// `forward(input, target).loss`: the mean of the losses of the samples.
    #[default]
    Loss,
    /// `forward(input, target).output`: the log-probability of each sample's target.
    Output,
    /// `log_prob(input)`: the log-probabilities of all classes.
    LogProb,
    /// `predict(input)`: the most probable class of each sample, without gradients.
    Predict,
}

impl From<NLLLoss2d> for NLLLoss {
    fn from(NLLLoss2d { ignore_index, reduction }: NLLLoss2d) -> Self {
        Self { ignore_index, reduction }
    }
}

impl From<NLLLoss> for NLLLoss2d {
    fn from(NLLLoss { ignore_index, reduction }: NLLLoss) -> Self {
        Self { ignore_index, reduction }
    }
}

impl LinearCrossEntropyLoss {
    /// Returns the class index whose rows count for nothing: `ignore_index`, or -100 if there is none.
    pub fn ignored_index(self) -> i64 {
        self.ignore_index.unwrap_or(-100)
    }
}
