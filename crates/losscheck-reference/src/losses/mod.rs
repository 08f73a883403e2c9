//! One file per loss: its formula, its value and its gradient.

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
mod kink;
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
use crate::pointwise::{Elements, Pointwise};
use crate::{Error, Real};

pub use adaptive_log_softmax::{
    AdaptiveBackward, AdaptiveCall, AdaptiveGradients, AdaptiveParameters, AdaptiveTail, adaptive_log_softmax_with_loss,
};
pub use binary_cross_entropy::binary_cross_entropy;
pub use binary_cross_entropy_with_logits::binary_cross_entropy_with_logits;
pub use cosine_embedding::cosine_embedding_loss;
pub use cross_entropy::cross_entropy;
pub use ctc::ctc_loss;
pub use ctc::{CTCLossByLogProbs, LogProbsAndLabels};
pub use distance::{
    Distance, ManhattanDistance, PULLBACK_ELEMENTS, PairwiseDistance, Pullback, SquaredEuclideanDistance,
};
pub use gaussian_nll::gaussian_nll_loss;
pub use hinge_embedding::hinge_embedding_loss;
pub use huber::huber_loss;
#[doc(hidden)]
pub use kink::PassingAtKink;
pub use kl_div::kl_div;
pub use l1::l1_loss;
pub use linear_cross_entropy::linear_cross_entropy;
pub use linear_cross_entropy::{LinearAndClasses, LinearAndProbabilities};
pub use margin_ranking::margin_ranking_loss;
pub use mse::mse_loss;
pub use multi_margin::multi_margin_loss;
pub use multilabel_margin::multilabel_margin_loss;
#[doc(hidden)]
pub use multilabel_soft_margin::evaluate_multilabel_into;
pub use multilabel_soft_margin::multilabel_soft_margin_loss;
pub use nll::nll_loss;
pub use poisson_nll::poisson_nll_loss;
pub use smooth_l1::smooth_l1_loss;
pub use soft_margin::soft_margin_loss;
pub use triplet_margin::{triplet_margin_loss, triplet_margin_with_distance_loss};

/// Predictions, and targets of the same kind.
pub type InputAndTarget<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>);
/// Class scores, and a class index for each row.
pub type InputAndClasses<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, i64>);

/// Predictions, targets of the same kind, and maybe a weight.
pub type InputAndTargetWeighted<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>);
/// Predictions, targets of the same kind, maybe a weight, and maybe a weight of the positive part.
pub type InputAndTargetWeightedTwice<'a, R> =
    (ArrayViewD<'a, R>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>, Option<ArrayViewD<'a, R>>);
/// Three tensors of one kind.
pub type Triple<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>, ArrayViewD<'a, R>);
/// Class scores, a class index for each row, and maybe a weight for each class.
pub type InputAndClassesWeighted<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, i64>, Option<ArrayViewD<'a, R>>);

/// Checks that the weight, if there is one, has the shape of the input.
fn check_weight_of_input<R: Real>(weight: Option<&ArrayViewD<'_, R>>, input: &ArrayViewD<'_, R>) -> Result<(), Error> {
    weight.map_or(Ok(()), |weight| check_shape("weight", weight.shape(), input.shape()))
}

/// A loss whose options are a [`Pointwise`] formula.
trait PointwiseLoss<const N: usize>: Pointwise<N> {
    /// Checks options and shapes.
    fn elements<'a, R: Real>(
        &self,
        operands: [ArrayViewD<'a, R>; N],
        weight: Option<ArrayViewD<'a, R>>,
    ) -> Result<Elements<'a, R, N>, Error>;
}

/// Implements [`Loss`](crate::Loss) for a [`PointwiseLoss`] of the named operands, of which the first so many are
/// differentiable, and maybe of a weight.
macro_rules! pointwise_loss {
    ($loss:ty, [$($operand:ident),+], $differentiable:literal $(, $weight:ident)?) => {
        impl<'a, R: $crate::Real>
            $crate::Loss<
                R,
                ($($crate::losses::pointwise_loss!(@view $operand),)+ $($crate::losses::pointwise_loss!(@weight $weight))?),
                $differentiable,
            > for $loss
        {
            fn shapes(
                &self,
                ($($operand,)+ $($weight)?): &(
                    $($crate::losses::pointwise_loss!(@view $operand),)+
                    $($crate::losses::pointwise_loss!(@weight $weight))?
                ),
            ) -> Result<$crate::Shapes<$differentiable>, $crate::Error> {
                let weight = $crate::losses::pointwise_loss!(@given $($weight)?);
                self.elements([$($operand.view()),+], weight)?.shapes([$(stringify!($operand)),+])
            }

            fn evaluate_into(
                &self,
                ($($operand,)+ $($weight)?): (
                    $($crate::losses::pointwise_loss!(@view $operand),)+
                    $($crate::losses::pointwise_loss!(@weight $weight))?
                ),
                value: ndarray::ArrayViewMutD<'_, R>,
                backward: Option<$crate::Backward<'_, R, $differentiable>>,
            ) -> Result<(), $crate::Error> {
                let names = [$(stringify!($operand)),+];
                let weight = $crate::losses::pointwise_loss!(@given $($weight)?);
                self.elements([$($operand.view()),+], weight)?.evaluate_into(self, names, value, backward)
            }
        }
    };
    (@view $operand:ident) => { ndarray::ArrayViewD<'a, R> };
    (@weight $weight:ident) => { Option<ndarray::ArrayViewD<'a, R>> };
    (@given) => { None };
    (@given $weight:ident) => { $weight.as_ref().map(|weight| weight.view()) };
}
use pointwise_loss;
