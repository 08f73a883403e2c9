use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::call::{Call, IntoView};
use crate::losses::InputAndTargetWeightedTwice;
use crate::losses::softplus::{decay, minus_magnitude, over_one_plus};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{BCEWithLogitsLoss, Backward, Error, Loss, Real, Reduction, Shapes};

/// Computes [`BCEWithLogitsLoss`], with an optional `weight` and `pos_weight`.
///
/// The logarithms are computed as -softplus(-x) and -softplus(x), where softplus(x) = max(x, 0) + ln_1p(e^-|x|), so that nothing
/// cancels, however confident the prediction is. Near x = 0 the gradient p - t is computed as (p - 1/2) + (1/2 - t), which keeps
/// all digits if the target is 1/2.
pub fn binary_cross_entropy_with_logits<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: BCEWithLogitsLoss,
) -> Call<BCEWithLogitsLoss, InputAndTargetWeightedTwice<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view(), None, None))
}

pub(super) struct Formula;

/// Below this |x| a gradient may be small because sigmoid(x) is about 1/2.
const NEAR_0: f64 = 0.5;

/// Near 0, sigmoid(|x|) - 1/2; elsewhere 1 - sigmoid(|x|), which of p and 1 - p is the smaller. Both keep their digits.
#[inline(always)]
fn part_of_sigmoid<R: Real>(x: R, is_near_0: bool) -> R {
    let (minus_magnitude, half) = (minus_magnitude(x), R::from_f64(0.5));
    let e = minus_magnitude.exp();
    // (1 - e) / 2, or e, over 1 + e
    let numerator = if is_near_0 { -half * minus_magnitude.exp_m1() } else { e };
    over_one_plus(e, numerator, |quotient| if is_near_0 { half + quotient } else { R::ONE - quotient })
}

/// Logit, target.
impl Pointwise<2> for Formula {
    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        // softplus(x) - t x
        let linear = if x > R::ZERO { (R::ONE - t) * x } else { -(t * x) };
        linear + decay(x).ln_1p()
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        // p - t
        let is_near_0 = x.abs() < R::from_f64(NEAR_0);
        let part = part_of_sigmoid(x, is_near_0);
        let away = if x > R::ZERO { (R::ONE - t) - part } else { part - t };
        let near_0 = (if x > R::ZERO { part } else { -part }) + (R::from_f64(0.5) - t);
        let by_input = if is_near_0 { near_0 } else { away };
        [cotangent * by_input, cotangent * -x]
    }
}

/// Logit, target, weight of the positive part.
impl Pointwise<3> for Formula {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t, pos_weight]: [R; 3]) -> R {
        let small = decay(x).ln_1p();
        let (softplus, softplus_of_minus) = if x > R::ZERO { (x + small, small) } else { (small, small - x) };
        pos_weight * t * softplus_of_minus + (R::ONE - t) * softplus
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t, pos_weight]: [R; 3]) -> [R; 3] {
        // (1 - t) p - pos_weight t (1 - p)
        let (positive, negative, half) = (pos_weight * t, R::ONE - t, R::from_f64(0.5));
        let is_near_0 = x.abs() < R::from_f64(NEAR_0);
        let part = part_of_sigmoid(x, is_near_0);
        // Near 0 this is for infinite terms alone, of which halves have the sign, and at 0 itself the size.
        let small = if is_near_0 { half } else { part };
        let large = R::ONE - small;
        let away = if x > R::ZERO { negative * large - positive * small } else { negative * small - positive * large };
        let excess = if x > R::ZERO { part } else { -part };
        let near_0 = excess * (negative + positive) + half * (negative - positive);
        // The terms of an infinite weight cancel.
        let by_input = if is_near_0 && !near_0.is_nan() { near_0 } else { away };
        // pos_weight softplus(-x) - softplus(x), their common part taken once
        let common = decay(x).ln_1p();
        let by_target = (pos_weight - R::ONE) * common - if x >= R::ZERO { x } else { pos_weight * x };
        [cotangent * by_input, cotangent * by_target, R::ZERO]
    }
}

const NAMES: [&str; 3] = ["input", "target", "pos_weight"];

fn elements<'a, R: Real>(
    reduction: Reduction,
    (input, target, weight, _): &'a InputAndTargetWeightedTwice<'_, R>,
) -> Result<Elements<'a, R, 2>, Error> {
    if input.shape() != target.shape() {
        let expected = format!("{:?}, that of the input", input.shape());
        return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
    }
    let weight = weight.as_ref().map(|weight| weight.view());
    let operands = [input.view(), target.view()];
    Ok(Elements { operands, weight, reduction, denominator: Denominator::Elements })
}

fn with_pos_weight<'a, R: Real>(
    elements: Elements<'a, R, 2>,
    pos_weight: &'a ArrayViewD<'_, R>,
) -> Result<Elements<'a, R, 3>, Error> {
    let Elements { operands: [input, target], weight, reduction, denominator } = elements;
    if pos_weight.broadcast(input.raw_dim()).is_none() {
        let expected = format!("one that broadcasts to {:?}", input.shape());
        return Err(Error::Shape { name: "pos_weight", shape: pos_weight.shape().to_vec(), expected });
    }
    Ok(Elements { operands: [input, target, pos_weight.view()], weight, reduction, denominator })
}

impl<'a, R: Real> Loss<R, InputAndTargetWeightedTwice<'a, R>, 2> for BCEWithLogitsLoss {
    fn shapes(&self, inputs: &InputAndTargetWeightedTwice<'a, R>) -> Result<Shapes<2>, Error> {
        let elements = elements(self.reduction, inputs)?;
        match &inputs.3 {
            None => elements.shapes(["input", "target"]),
            Some(pos_weight) => with_pos_weight(elements, pos_weight)?.shapes(NAMES),
        }
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTargetWeightedTwice<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let elements = elements(self.reduction, &inputs)?;
        match &inputs.3 {
            None => elements.evaluate_into(&Formula, ["input", "target"], value, backward),
            Some(pos_weight) => with_pos_weight(elements, pos_weight)?.evaluate_into(&Formula, NAMES, value, backward),
        }
    }
}
