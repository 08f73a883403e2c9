//! Formulas as one writes them first.

use losscheck_reference::Real;
use losscheck_reference::pointwise::Pointwise;

/// -(t ln p + (1 - t) ln(1 - p)).
pub(super) struct UnclampedBce;

impl Pointwise<2> for UnclampedBce {
    const IS_FAST: bool = false;

    fn value<R: Real>(&self, [p, t]: [R; 2]) -> R {
        -(t * p.ln() + (R::ONE - t) * (R::ONE - p).ln())
    }

    fn pullback<R: Real>(&self, cotangent: R, [p, t]: [R; 2]) -> [R; 2] {
        [cotangent * ((p - t) / (p * (R::ONE - p))), cotangent * ((R::ONE - p).ln() - p.ln())]
    }
}

/// [`UnclampedBce`] of p = 1 / (1 + e^-x).
pub(super) struct LogOfSigmoid;

impl Pointwise<2> for LogOfSigmoid {
    const IS_FAST: bool = false;

    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        UnclampedBce.value([sigmoid(x), t])
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let p = sigmoid(x);
        let [by_p, by_t] = UnclampedBce.pullback(cotangent, [p, t]);
        [by_p * (p * (R::ONE - p)), by_t]
    }
}

fn sigmoid<R: Real>(x: R) -> R {
    R::ONE / (R::ONE + (-x).exp())
}

/// (1 - t) x + ln(1 + e^-x).
pub(super) struct NaiveSoftplus;

impl Pointwise<2> for NaiveSoftplus {
    const IS_FAST: bool = false;

    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        (R::ONE - t) * x + (R::ONE + (-x).exp()).ln()
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        [cotangent * (sigmoid(x) - t), -(cotangent * x)]
    }
}

/// x - t.
pub(super) struct Signed;

impl Pointwise<2> for Signed {
    const IS_FAST: bool = false;

    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        x - t
    }

    fn pullback<R: Real>(&self, cotangent: R, _: [R; 2]) -> [R; 2] {
        [cotangent, -cotangent]
    }
}

/// e^x - t x, and Stirling's term where that counts, by the target and by the term.
pub(super) struct StirlingWhere(pub(super) fn(f64, f64) -> bool);

impl StirlingWhere {
    fn term<R: Real>(&self, t: R) -> Option<R> {
        let term = t * t.ln() - t + R::from_f64(0.5) * (R::from_f64(std::f64::consts::TAU) * t).ln();
        (self.0)(t.to_f64(), term.to_f64()).then_some(term)
    }
}

impl Pointwise<2> for StirlingWhere {
    const IS_FAST: bool = false;

    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        x.exp() - t * x + self.term(t).unwrap_or(R::ZERO)
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let slope = if self.term(t).is_some() { t.ln() + R::from_f64(0.5) / t } else { R::ZERO };
        [cotangent * (x.exp() - t), cotangent * (slope - x)]
    }
}
