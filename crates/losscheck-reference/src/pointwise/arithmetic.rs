//! The arithmetic that a formula over a type of numbers is worked out in.

use crate::{Real, Sum};

/// The ways into an arithmetic and out of it.
pub(super) trait Arithmetic<R: Real>: Sync {
    /// A number of the arithmetic.
    type Number: Real;

    /// Takes an operand into the arithmetic.
    fn enter(x: R) -> Self::Number;

    /// Rounds a result to the type of the operands.
    fn leave(x: Self::Number) -> R;

    /// Adds a loss to a sum.
    fn add(sum: R::Sum, loss: Self::Number) -> R::Sum;
}

/// The arithmetic of the operands themselves.
pub(super) struct Own;

impl<R: Real> Arithmetic<R> for Own {
    type Number = R;

    #[inline(always)]
    fn enter(x: R) -> R {
        x
    }

    #[inline(always)]
    fn leave(x: R) -> R {
        x
    }

    #[inline(always)]
    fn add(sum: R::Sum, loss: R) -> R::Sum {
        sum.plus(loss)
    }
}

/// The arithmetic of [`Real::Working`], for formulas whose terms may cancel.
pub(super) struct Widened;

impl<R: Real> Arithmetic<R> for Widened {
    type Number = R::Working;

    #[inline(always)]
    fn enter(x: R) -> R::Working {
        x.widen()
    }

    #[inline(always)]
    fn leave(x: R::Working) -> R {
        R::narrow(x)
    }

    #[inline(always)]
    fn add(sum: R::Sum, loss: R::Working) -> R::Sum {
        R::plus_working(sum, loss)
    }
}
