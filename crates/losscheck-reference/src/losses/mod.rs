//! One file per loss: its options, its formula, its value and its gradient.

mod binary_cross_entropy;
mod binary_cross_entropy_with_logits;
mod cross_entropy;
mod huber;
mod l1;
mod mse;
mod nll;
mod smooth_l1;

use ndarray::ArrayViewD;

pub use binary_cross_entropy::BCELoss;
pub use binary_cross_entropy_with_logits::BCEWithLogitsLoss;
pub use cross_entropy::CrossEntropyLoss;
pub use huber::HuberLoss;
pub use l1::L1Loss;
pub use mse::MSELoss;
pub use nll::NLLLoss;
pub use smooth_l1::SmoothL1Loss;

/// Predictions, and targets of the same kind.
pub type InputAndTarget<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>);
/// Class scores, and a class index for each row.
pub type InputAndClasses<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, i64>);

/// Makes a loss of an option-only struct whose formula takes input and target, by element.
macro_rules! pointwise_loss {
    ($loss:ident) => {
        impl<'a, R: $crate::Real> $crate::Loss<R, $crate::losses::InputAndTarget<'a, R>, 2> for $loss {
            fn shapes(
                &self,
                (input, target): &$crate::losses::InputAndTarget<'a, R>,
            ) -> Result<$crate::Shapes<2>, $crate::Error> {
                self.check_options()?;
                let operands = [input.view(), target.view()];
                let elements = $crate::pointwise::Elements { operands, weight: None, reduction: self.reduction };
                elements.shapes(["input", "target"])
            }

            fn evaluate_into(
                &self,
                (input, target): $crate::losses::InputAndTarget<'a, R>,
                value: ndarray::ArrayViewMutD<'_, R>,
                backward: Option<$crate::Backward<'_, R, 2>>,
            ) -> Result<(), $crate::Error> {
                self.check_options()?;
                let operands = [input, target];
                let elements = $crate::pointwise::Elements { operands, weight: None, reduction: self.reduction };
                elements.evaluate_into(self, ["input", "target"], value, backward)
            }
        }
    };
}
use pointwise_loss;
