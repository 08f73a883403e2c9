//! One file per loss: its options, its formula, its value and its gradient.

mod adaptive_log_softmax;
mod binary_cross_entropy;
mod binary_cross_entropy_with_logits;
mod cosine_embedding;
mod cross_entropy;
mod ctc;
mod distance;
mod gaussian_nll;
mod hinge_embedding;
mod huber;
mod kl_div;
mod l1;
mod linear_cross_entropy;
mod margin_ranking;
mod mse;
mod multi_margin;
mod multilabel_margin;
mod multilabel_soft_margin;
mod nll;
mod poisson_nll;
mod smooth_l1;
mod soft_margin;
mod softplus;
mod triplet_margin;

use ndarray::ArrayViewD;

use crate::loss::check_shape;
use crate::{Error, Real};

pub use adaptive_log_softmax::{
    AdaptiveBackward, AdaptiveGradients, AdaptiveLogSoftmaxWithLoss, AdaptiveParameters, AdaptiveResult, AdaptiveTail,
};
pub use binary_cross_entropy::BCELoss;
pub use binary_cross_entropy_with_logits::BCEWithLogitsLoss;
pub use cosine_embedding::CosineEmbeddingLoss;
pub use cross_entropy::CrossEntropyLoss;
pub use ctc::{CTCGradient, CTCLoss, LogProbsAndLabels};
pub use distance::{
    Distance, ManhattanDistance, PULLBACK_ELEMENTS, PairwiseDistance, Pullback, SquaredEuclideanDistance,
};
pub use gaussian_nll::GaussianNLLLoss;
pub use hinge_embedding::HingeEmbeddingLoss;
pub use huber::HuberLoss;
pub use kl_div::{KLDivLoss, KLDivReduction};
pub use l1::L1Loss;
pub use linear_cross_entropy::{LinearAndClasses, LinearAndProbabilities, LinearCrossEntropyLoss};
pub use margin_ranking::MarginRankingLoss;
pub use mse::MSELoss;
pub use multi_margin::MultiMarginLoss;
pub use multilabel_margin::MultiLabelMarginLoss;
pub use multilabel_soft_margin::MultiLabelSoftMarginLoss;
pub use nll::{NLLLoss, NLLLoss2d};
pub use poisson_nll::PoissonNLLLoss;
pub use smooth_l1::SmoothL1Loss;
pub use soft_margin::SoftMarginLoss;
pub use triplet_margin::{TripletMarginLoss, TripletMarginWithDistanceLoss};

/// Predictions, and targets of the same kind.
pub type InputAndTarget<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>);
/// Class scores, and a class index for each row.
pub type InputAndClasses<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, i64>);

/// The weight of each element, which must have the shape of the input.
fn weight_of_input<'a, R: Real>(
    weight: &'a Option<ArrayViewD<'_, R>>,
    input: &ArrayViewD<'_, R>,
) -> Result<Option<ArrayViewD<'a, R>>, Error> {
    if let Some(weight) = weight {
        check_shape("weight", weight.shape(), input.shape())?;
    }
    Ok(weight.as_ref().map(|weight| weight.view()))
}

/// Implements [`Loss`](crate::Loss) for a struct of options that is a [`Pointwise`](crate::pointwise::Pointwise) formula of
/// the named operands, the first so many of them differentiable. Its method `elements` checks options and shapes.
macro_rules! pointwise_loss {
    ($loss:ty, [$($operand:ident),+], $differentiable:literal) => {
        impl<'a, R: $crate::Real> $crate::Loss<R, ($($crate::losses::pointwise_loss!(@view $operand),)+), $differentiable>
            for $loss
        {
            fn shapes(
                &self,
                ($($operand,)+): &($($crate::losses::pointwise_loss!(@view $operand),)+),
            ) -> Result<$crate::Shapes<$differentiable>, $crate::Error> {
                self.elements([$($operand.view()),+])?.shapes([$(stringify!($operand)),+])
            }

            fn evaluate_into(
                &self,
                ($($operand,)+): ($($crate::losses::pointwise_loss!(@view $operand),)+),
                value: ndarray::ArrayViewMutD<'_, R>,
                backward: Option<$crate::Backward<'_, R, $differentiable>>,
            ) -> Result<(), $crate::Error> {
                let names = [$(stringify!($operand)),+];
                self.elements([$($operand.view()),+])?.evaluate_into(self, names, value, backward)
            }
        }
    };
    (@view $operand:ident) => { ndarray::ArrayViewD<'a, R> };
}
use pointwise_loss;
