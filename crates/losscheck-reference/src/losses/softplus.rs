//! The smooth ramp and its derivative, for the losses of logits.

use crate::Real;

/// ln(1 + e^z), which neither overflows nor loses the digits of a small result.
#[inline(always)]
pub(super) fn softplus<R: Real>(z: R) -> R {
    let ramp = if z > R::ZERO { z } else { R::ZERO };
    ramp + decay(z).ln_1p()
}

/// 1 / (1 + e^-z), the derivative of [`softplus`].
#[inline(always)]
pub(super) fn sigmoid<R: Real>(z: R) -> R {
    let smaller = share(decay(z));
    if z > R::ZERO { R::ONE - smaller } else { smaller }
}

/// e / (1 + e), for e from 0 to 1: all that rounds is the result, for what sum and quotient lost is added to it.
#[inline(always)]
pub(super) fn share<R: Real>(e: R) -> R {
    // 1 / (1 + e) is 1 - e / (1 + e).
    over_one_plus(e, e, |quotient| R::ONE - quotient)
}

/// The numerator over 1 + e, for e from 0 to 1; `inverse` gives about 1 / (1 + e) from about the result.
#[inline(always)]
pub(super) fn over_one_plus<R: Real>(e: R, numerator: R, inverse: impl Fn(R) -> R) -> R {
    let sum = R::ONE + e;
    let lost = e - (sum - R::ONE);
    let quotient = numerator / sum;
    let rest = (-quotient).mul_add(sum, numerator) - quotient * lost;
    rest.mul_add(inverse(quotient), quotient)
}

/// e^-|z|
#[inline(always)]
pub(super) fn decay<R: Real>(z: R) -> R {
    minus_magnitude(z).exp()
}

/// -|z|; written without |z|, whose kink at 0 the derivative would show.
#[inline(always)]
pub(super) fn minus_magnitude<R: Real>(z: R) -> R {
    if z > R::ZERO { -z } else { z }
}
