//! Forward-mode dual numbers: they differentiate whatever formula is read in them.
//!
//! Every operation is a function of its own, which no formula inlines, for the reason that [`DoubleDouble`](super::DoubleDouble) gives.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{MatrixProduct, Real, Sum};

/// A value and its derivative along one direction; comparison looks at the value alone.
#[derive(Clone, Copy, Debug)]
pub struct Dual<R> {
    /// The value.
    pub value: R,
    /// Its derivative.
    pub derivative: R,
}

impl<R: Real> Dual<R> {
    /// A number that does not depend on the variable.
    pub fn constant(value: R) -> Self {
        Self { value, derivative: R::ZERO }
    }

    /// The variable itself.
    pub fn variable(value: R) -> Self {
        Self { value, derivative: R::ONE }
    }

    /// f(self), given f(value) and f'(value).
    fn chain(self, value: R, slope: R) -> Self {
        Self { value, derivative: self.derivative * slope }
    }
}

impl<R: Real> PartialEq for Dual<R> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<R: Real> PartialOrd for Dual<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<R: Real> Add for Dual<R> {
    type Output = Self;

    #[inline(never)]
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, derivative: self.derivative + other.derivative }
    }
}

impl<R: Real> Sub for Dual<R> {
    type Output = Self;

    #[inline(never)]
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, derivative: self.derivative - other.derivative }
    }
}

impl<R: Real> Mul for Dual<R> {
    type Output = Self;

    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            derivative: self.derivative * other.value + self.value * other.derivative,
        }
    }
}

impl<R: Real> Div for Dual<R> {
    type Output = Self;

    #[inline(never)]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, derivative: (self.derivative - value * other.derivative) / other.value }
    }
}

impl<R: Real> Neg for Dual<R> {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, derivative: -self.derivative }
    }
}

impl<R: Real> MatrixProduct for Dual<R> {}

impl<R: Real> Real for Dual<R> {
    type Sum = DualSum<R::Sum>;
    type Working = Dual<R::Working>;

    const HAS_EXTRA_DIGITS: bool = R::HAS_EXTRA_DIGITS;

    const ZERO: Self = Self { value: R::ZERO, derivative: R::ZERO };
    const ONE: Self = Self { value: R::ONE, derivative: R::ZERO };

    fn from_f64(x: f64) -> Self {
        Self::constant(R::from_f64(x))
    }

    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }

    /// The larger of the two, and of equals the second: the slope of max(z, 0) is 0 at z = 0, as in PyTorch.
    fn maximum(self, other: Self) -> Self {
        if self > other || self.value.is_nan() { self } else { other }
    }

    #[inline(always)]
    fn widen(self) -> Self::Working {
        Dual { value: self.value.widen(), derivative: self.derivative.widen() }
    }

    #[inline(always)]
    fn working_total(sum: Self::Sum) -> Self::Working {
        Dual { value: R::working_total(sum.value), derivative: R::working_total(sum.derivative) }
    }

    fn plus_working(sum: Self::Sum, term: Self::Working) -> Self::Sum {
        let value = R::plus_working(sum.value, term.value);
        DualSum { value, derivative: R::plus_working(sum.derivative, term.derivative) }
    }

    fn plus_each_working<const N: usize>(sums: [Self::Sum; N], terms: [Self::Working; N]) -> [Self::Sum; N] {
        std::array::from_fn(|lane| Self::plus_working(sums[lane], terms[lane]))
    }

    #[inline(always)]
    fn narrow(working: Self::Working) -> Self {
        Self { value: R::narrow(working.value), derivative: R::narrow(working.derivative) }
    }

    /// The derivative at 0 is 0, the convention for the losses.
    #[inline(never)]
    fn abs(self) -> Self {
        self.chain(self.value.abs(), self.value.signum_or_zero())
    }

    /// The derivative is 0 everywhere.
    #[inline(never)]
    fn signum_or_zero(self) -> Self {
        Self::constant(self.value.signum_or_zero())
    }

    #[inline(never)]
    fn exp(self) -> Self {
        let exp = self.value.exp();
        self.chain(exp, exp)
    }

    #[inline(never)]
    fn ln(self) -> Self {
        self.chain(self.value.ln(), R::ONE / self.value)
    }

    #[inline(never)]
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), R::ONE / (R::ONE + self.value))
    }

    #[inline(never)]
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }

    #[inline(never)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.chain(root, R::ONE / (root + root))
    }

    /// The exponent is taken for a constant.
    #[inline(never)]
    fn powf(self, exponent: Self) -> Self {
        let exponent = exponent.value;
        self.chain(self.value.powf(exponent), exponent * self.value.powf(exponent - R::ONE))
    }
}

/// A sum of values beside the sum of their derivatives.
#[derive(Clone, Copy, Debug)]
pub struct DualSum<S> {
    value: S,
    derivative: S,
}

impl<R: Real, S: Sum<R>> Sum<Dual<R>> for DualSum<S> {
    const ZERO: Self = Self { value: S::ZERO, derivative: S::ZERO };

    type Lanes<const N: usize> = [Self; N];

    #[inline(never)]
    fn plus(self, term: Dual<R>) -> Self {
        Self { value: self.value.plus(term.value), derivative: self.derivative.plus(term.derivative) }
    }

    #[inline(never)]
    fn plus_product(self, a: Dual<R>, b: Dual<R>) -> Self {
        let derivative = self.derivative.plus_product(a.derivative, b.value).plus_product(a.value, b.derivative);
        Self { value: self.value.plus_product(a.value, b.value), derivative }
    }

    #[inline(never)]
    fn merge(self, other: Self) -> Self {
        Self { value: self.value.merge(other.value), derivative: self.derivative.merge(other.derivative) }
    }

    fn total(self) -> Dual<R> {
        Dual { value: self.value.total(), derivative: self.derivative.total() }
    }
    fn over(self, divisor: Self) -> Dual<R> {
        self.total() / divisor.total()
    }
}
