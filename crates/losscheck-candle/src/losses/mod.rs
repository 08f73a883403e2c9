//! PyTorch's loss functions, composed from candle-core's tensor operations: every option, and the values, gradients,
//! errors and NaNs of PyTorch 2.15.
//!
//! The functions have the names of `torch.nn.functional`. Predictions come first, then the target, then weights, then a
//! struct with the options of the PyTorch class, by the same names and with the same defaults. The struct documents the
//! formula, the shapes and the errors. Tensors are of one dtype (f16, bf16, f32 or f64) on one device, and gradients flow
//! through candle's [`backward`]; weights count as constants. Arguments that do not fit are an error, never a panic.
//!
//! Two habits of candle remain:
//!
//! - Tensors of different dtypes are an error, as there is no promotion.
//! - Of tensors without elements an operation returns its first operand, so that [`backward`] of an empty batch may hold
//!   no gradient for the target.
//!
//! In f16 and bf16 candle's sums are kept in 16 bits, where a sum of ones ends at 2048 or 256. Convert such tensors to f32
//! first, by `to_dtype`, and round the loss: gradients arrive in 16 bits all the same.
//!
//! [`backward`]: candle_core::Tensor::backward

mod adaptive_log_softmax;
mod binary_cross_entropy;
mod binary_cross_entropy_with_logits;
mod broadcast;
mod check;
mod classes;
mod cosine_embedding_loss;
mod cross_entropy;
mod ctc_loss;
mod custom_gradient;
mod difference;
mod distance;
mod gaussian_nll_loss;
mod hinge_embedding_loss;
mod huber_loss;
mod kl_div;
mod l1_loss;
mod labels;
mod linear;
mod linear_cross_entropy;
mod ln_1p;
mod log_softmax;
mod margin_ranking_loss;
mod mse_loss;
mod multi_margin_loss;
mod multilabel_margin_loss;
mod multilabel_soft_margin_loss;
mod nll_loss;
mod poisson_nll_loss;
mod reduction;
mod smooth_l1_loss;
mod soft_margin_loss;
#[cfg(test)]
mod tests;
mod triplet_margin_loss;

pub use losscheck_options::{
    AdaptiveLogSoftmaxWithLoss, AdaptiveResult, BCELoss, BCEWithLogitsLoss, CTCLoss, CosineEmbeddingLoss,
    CrossEntropyLoss, DistanceFunction, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss, KLDivReduction,
    L1Loss, LinearCrossEntropyLoss, MSELoss, MarginRankingLoss, MultiLabelMarginLoss, MultiLabelSoftMarginLoss,
    MultiMarginLoss, NLLLoss, PoissonNLLLoss, Reduction, SmoothL1Loss, SoftMarginLoss, TripletMarginLoss,
    TripletMarginWithDistanceLoss,
};

pub use adaptive_log_softmax::{AdaptiveLogSoftmax, AdaptiveOutput};
pub use binary_cross_entropy::binary_cross_entropy;
pub use binary_cross_entropy_with_logits::binary_cross_entropy_with_logits;
pub use cosine_embedding_loss::cosine_embedding_loss;
pub use cross_entropy::cross_entropy;
pub use ctc_loss::ctc_loss;
pub use gaussian_nll_loss::gaussian_nll_loss;
pub use hinge_embedding_loss::hinge_embedding_loss;
pub use huber_loss::huber_loss;
pub use kl_div::kl_div;
pub use l1_loss::l1_loss;
pub use linear_cross_entropy::linear_cross_entropy;
pub use margin_ranking_loss::margin_ranking_loss;
pub use mse_loss::mse_loss;
pub use multi_margin_loss::multi_margin_loss;
pub use multilabel_margin_loss::multilabel_margin_loss;
pub use multilabel_soft_margin_loss::multilabel_soft_margin_loss;
pub use nll_loss::nll_loss;
pub use poisson_nll_loss::poisson_nll_loss;
pub use smooth_l1_loss::smooth_l1_loss;
pub use soft_margin_loss::soft_margin_loss;
pub use triplet_margin_loss::{triplet_margin_loss, triplet_margin_with_distance_loss};
