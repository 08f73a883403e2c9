use ndarray::ArrayViewMutD;

use crate::call::{Call, IntoView};
use crate::losses::InputAndTarget;
use crate::pointwise::{Elements, Pointwise};
use crate::real::ln_2_pi;
use crate::{Backward, Error, Loss, PoissonNLLLoss, Real, Shapes};

/// Computes [`PoissonNLLLoss`].
///
/// Near x = 0 the gradient e^x - t is computed as (e^x - 1) + (1 - t), which keeps its digits.
pub fn poisson_nll_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: PoissonNLLLoss,
) -> Call<PoissonNLLLoss, InputAndTarget<'a, R>, R, 2> {
    Call::new(options, (input.into_view(), target.into_view()))
}

/// The options as constants, so that a branch on them does not keep the loop over the elements from being vectorised.
struct Formula<const LOG_INPUT: bool, const FULL: bool> {
    eps: f64,
}

impl<const LOG_INPUT: bool, const FULL: bool> Pointwise<2> for Formula<LOG_INPUT, FULL> {
    const NEEDS_EXTRA_PRECISION: bool = FULL || !LOG_INPUT;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let loss = if LOG_INPUT { x.exp() - t * x } else { x - t * (x + R::from_f64(self.eps)).ln() };
        if !FULL {
            return loss;
        }
        let half = R::from_f64(0.5);
        let ln_t = t.ln();
        let stirling = (t * ln_t - t) + half * (ln_t + ln_2_pi::<R>());
        if t <= R::ONE { loss } else { loss + stirling }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let (by_input, by_target) = if LOG_INPUT {
            let near_0 = x.exp_m1() + (R::ONE - t);
            (cotangent * if x.abs() < R::from_f64(0.5) { near_0 } else { x.exp() - t }, -x)
        } else {
            let shifted = x + R::from_f64(self.eps);
            let rest = (x - t) + R::from_f64(self.eps);
            // Near 0 the quotient of the smaller factor, for that of the other may be out of range where the product is not.
            let cotangent_first = shifted.abs() < R::ONE && rest.abs() > cotangent.abs();
            let (first, second) = if cotangent_first { (cotangent, rest) } else { (rest, cotangent) };
            // At an infinite rate, the limit.
            let limit = cotangent * (R::ONE - t * R::ZERO);
            let by_input = first / shifted * second;
            (if x.abs() == R::from_f64(f64::INFINITY) { limit } else { by_input }, -shifted.ln())
        };
        let of_stirling = t.ln() + R::from_f64(0.5) / t;
        let by_target = if FULL && (t > R::ONE || t.is_nan()) { by_target + of_stirling } else { by_target };
        [by_input, cotangent * by_target]
    }
}

const NAMES: [&str; 2] = ["input", "target"];

impl<'a, R: Real> Loss<R, InputAndTarget<'a, R>, 2> for PoissonNLLLoss {
    fn shapes(&self, (input, target): &InputAndTarget<'a, R>) -> Result<Shapes<2>, Error> {
        Elements::unweighted([input.view(), target.view()], self.reduction).shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        (input, target): InputAndTarget<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let (elements, eps) = (Elements::unweighted([input.view(), target.view()], self.reduction), self.eps);
        match (self.log_input, self.full) {
            (true, false) => elements.evaluate_into(&Formula::<true, false> { eps }, NAMES, value, backward),
            (true, true) => elements.evaluate_into(&Formula::<true, true> { eps }, NAMES, value, backward),
            (false, false) => elements.evaluate_into(&Formula::<false, false> { eps }, NAMES, value, backward),
            (false, true) => elements.evaluate_into(&Formula::<false, true> { eps }, NAMES, value, backward),
        }
    }
}
