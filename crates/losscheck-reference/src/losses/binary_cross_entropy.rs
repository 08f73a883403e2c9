use ndarray::ArrayViewMutD;

use crate::call::{Call, IntoView};
use crate::loss::check_domain;
use crate::losses::InputAndTargetWeighted;
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{BCELoss, Backward, Error, Loss, Real, Reduction, Shapes};

/// Computes [`BCELoss`], with an optional [weight](crate::Call::weight).
pub fn binary_cross_entropy<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: BCELoss,
) -> Call<BCELoss, InputAndTargetWeighted<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view(), None))
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

fn elements<'a, R: Real>(
    reduction: Reduction,
    (input, target, weight): &'a InputAndTargetWeighted<'_, R>,
) -> Result<Elements<'a, R, 2>, Error> {
    if input.shape() != target.shape() {
        let expected = format!("{:?}, that of the input", input.shape());
        return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
    }
    let weight = weight.as_ref().map(|weight| weight.view());
    Ok(Elements { operands: [input.view(), target.view()], weight, reduction, denominator: Denominator::Elements })
}

impl<'a, R: Real> Loss<R, InputAndTargetWeighted<'a, R>, 2> for BCELoss {
    fn shapes(&self, inputs: &InputAndTargetWeighted<'a, R>) -> Result<Shapes<2>, Error> {
        elements(self.reduction, inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTargetWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let elements = elements(self.reduction, &inputs)?;
        for (operand, name) in elements.operands.iter().zip(NAMES) {
            check_domain(name, operand, |p| (p >= R::ZERO) & (p <= R::ONE), "a number from 0 to 1")?;
        }
        elements.evaluate_into(&Formula, NAMES, value, backward)
    }
}
