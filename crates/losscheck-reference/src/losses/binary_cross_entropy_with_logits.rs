use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::losses::InputAndTarget;
use crate::losses::softplus::{decay, minus_magnitude, over_one_plus};
use crate::pointwise::{Denominator, Elements, Pointwise};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes};

/// Binary cross-entropy of logits, with p = sigmoid(x):
///
/// ```text
/// -w (pos_weight t ln p + (1 - t) ln(1 - p))
/// ```
///
/// Input and target have the same shape, or it is an error; both are differentiable.
///
/// With softplus(x) = ln(1 + e^x) the logarithms are -softplus(-x) and -softplus(x), and softplus(x) is
/// max(x, 0) + ln_1p(e^-|x|): nothing cancels, however confident the prediction. Near x = 0 the gradient p - t is
/// (p - 1/2) + (1/2 - t), so that a target of 1/2 leaves all digits, too.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.BCEWithLogitsLoss.html>
#[derive(Clone, Debug, Default)]
pub struct BCEWithLogitsLoss<'a, R> {
    /// A factor on each element's loss, broadcast to the shape of the input.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// A factor on the positive part, broadcast to the shape of the input.
    pub pos_weight: Option<ArrayViewD<'a, R>>,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
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

impl<R: Real> BCEWithLogitsLoss<'_, R> {
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

    fn weighted<'a>(
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
}

impl<'a, R: Real> Loss<R, InputAndTarget<'a, R>, 2> for BCEWithLogitsLoss<'_, R> {
    fn shapes(&self, inputs: &InputAndTarget<'a, R>) -> Result<Shapes<2>, Error> {
        let elements = self.elements(inputs)?;
        match &self.pos_weight {
            None => elements.shapes(["input", "target"]),
            Some(pos_weight) => Self::weighted(elements, pos_weight)?.shapes(NAMES),
        }
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTarget<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let elements = self.elements(&inputs)?;
        match &self.pos_weight {
            None => elements.evaluate_into(&Formula, ["input", "target"], value, backward),
            Some(pos_weight) => Self::weighted(elements, pos_weight)?.evaluate_into(&Formula, NAMES, value, backward),
        }
    }
}
