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
    let decay = decay(z);
    let numerator = if z > R::ZERO { R::ONE } else { decay };
    numerator / (R::ONE + decay)
}

/// e^-|z|; written without |z|, whose kink at 0 the derivative would show.
#[inline(always)]
pub(super) fn decay<R: Real>(z: R) -> R {
    (if z > R::ZERO { -z } else { z }).exp()
}
