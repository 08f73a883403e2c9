//! The options of the losses of sequences.

use crate::loss::reduction;
use crate::{LossOptions, Reduction, Signature};

/// Connectionist temporal classification: the negative logarithm of the probability that the log-probabilities x give
/// a sequence of labels. An alignment a holds one class for each step. It gives the labels that are left if repeats
/// are merged and blanks are then removed, and the probability of the labels is a sum over all alignments that give
/// them:
///
/// ```text
/// -ln sum over a of e^(sum over t of x[t, a[t]])
/// ```
///
/// The mean divides each loss by the number of its labels, at least 1, and averages the quotients. If there are too
/// few steps for any alignment, or all alignments have probability 0, the loss is infinite and its gradient NaN; with
/// `zero_infinity` both are 0. Steps beyond the length of a sample have the gradient 0. A label may be the blank.
///
/// PyTorch's gradient is the gradient of the logits z, where x = log_softmax(z): e^x minus the share of the alignments
/// that are in the class. The backward pass of log_softmax leaves it as it is.
///
/// # Shapes
///
/// - *log_probs*: (T, N, C) or, without a batch, (T, C), of which none may be 0; differentiable.
/// - *targets*: (N, S), of whose rows the first labels count, or all labels one after the other; without a batch (S).
/// - *input_lengths*: (N) or a scalar, the number of steps of each sample that count.
/// - *target_lengths*: (N) or a scalar, the number of labels of each sample.
/// - *output*: (N) or a scalar.
///
/// # Errors
///
/// Shapes and lengths that do not fit each other, and a `blank` or a label that is no class, are errors. PyTorch does
/// not check labels (<https://github.com/pytorch/pytorch/issues/193794>).
///
/// Sources: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.CTCLoss.html>; A. Graves, S. Fernández, F. Gomez
/// and J. Schmidhuber, "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with Recurrent
/// Neural Networks", 2006.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CTCLoss {
    /// The class of the blank.
    pub blank: i64,
    /// How the losses of the samples are reduced.
    pub reduction: Reduction,
    /// Whether infinite losses, and their gradients, are replaced by 0.
    pub zero_infinity: bool,
}

impl LossOptions for CTCLoss {
    const SIGNATURE: Signature = Signature {
        required: &["log_probs", "targets", "input_lengths", "target_lengths"],
        optional: &[],
        integers: &["targets", "input_lengths", "target_lengths"],
        numbers: &[],
        differentiable: &["log_probs"],
    };

    reduction!();
}
