use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::loss::check_domain;
use crate::losses::InputAndTarget;
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes};

/// Binary cross-entropy of probabilities, each logarithm clamped at -100:
///
/// ```text
/// -w (t max(ln x, -100) + (1 - t) max(ln(1 - x), -100))
/// ```
///
/// Input and target have the same shape and lie in [0, 1], or it is an error; both are differentiable. As in PyTorch the
/// gradient by the input is w (x - t) / max(x (1 - x), 1e-12), which the clamp does not enter.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.BCELoss.html>
#[derive(Clone, Debug, Default)]
pub struct BCELoss<'a, R> {
    /// A factor on each element's loss, broadcast to the shape of the input.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
}

struct Formula;

impl Pointwise<2> for Formula {
    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let lowest = R::from_f64(-100.0);
        -(t * x.ln().maximum(lowest) + (R::ONE - t) * (-x).ln_1p().maximum(lowest))
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let lowest = R::from_f64(1e-12);
        let by_input = (x - t) / (x * (R::ONE - x)).maximum(lowest);
        let by_target = (-x).ln_1p() - x.ln();
        [cotangent * by_input, cotangent * by_target]
    }
}

const NAMES: [&str; 2] = ["input", "target"];

impl<R: Real> BCELoss<'_, R> {
    fn elements<'a>(&'a self, (input, target): &'a InputAndTarget<'_, R>) -> Result<Elements<'a, R, 2>, Error> {
        if input.shape() != target.shape() {
            let expected = format!("{:?}, that of the input", input.shape());
            return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
        }
        let weight = self.weight.as_ref().map(|weight| weight.view());
        Ok(Elements {
            operands: [input.view(), target.view()],
            weight,
            reduction: self.reduction,
            denominator: Denominator::Elements,
        })
    }
}

impl<'a, R: Real> Loss<R, InputAndTarget<'a, R>, 2> for BCELoss<'_, R> {
    fn shapes(&self, inputs: &InputAndTarget<'a, R>) -> Result<Shapes<2>, Error> {
        self.elements(inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTarget<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let elements = self.elements(&inputs)?;
        for (operand, name) in elements.operands.iter().zip(NAMES) {
            check_domain(name, operand, |p| (p >= R::ZERO) & (p <= R::ONE), "a number from 0 to 1")?;
        }
        elements.evaluate_into(&Formula, NAMES, value, backward)
    }
}
