//! The arithmetics that a formula can be read in.

mod double_double;
mod dual;
mod f32;
mod f64;
mod matrix;
mod sum;

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use ndarray::{ArrayView2, ArrayViewMut2};

pub use double_double::DoubleDouble;
pub use dual::Dual;
pub use sum::{CompensatedSum, Sum, SumLanes};

/// A number type that the losses are written over.
///
/// Comparison, infinities and NaN follow IEEE 754: a comparison with NaN is false.
pub trait Real:
    MatrixProduct
    + Copy
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// What sums of many terms are kept in: wide enough that rounding the total once is all the error there is, but for
    /// what is lost where [`Sum::TERMS_PER_COMPENSATION`] terms join it together.
    type Sum: Sum<Self>;

    /// What formulas whose terms may cancel are worked out in: a type with guard digits, where the processor has one that
    /// is as quick; f64 for f32, any other type itself.
    type Working: Real;

    /// Whether [`Real::Working`] has more digits than this type.
    const HAS_EXTRA_DIGITS: bool = false;

    /// Whether [`Real::vectorize`] runs several numbers at once.
    const HAS_VECTORS: bool = false;

    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The nearest value to `x`.
    fn from_f64(x: f64) -> Self;

    /// The nearest f64.
    fn to_f64(self) -> f64;

    /// The same number, with guard digits.
    fn widen(self) -> Self::Working;

    /// The nearest value to a number with guard digits.
    fn narrow(working: Self::Working) -> Self;

    /// The total of a sum, with guard digits.
    fn working_total(sum: Self::Sum) -> Self::Working;

    /// The total of a sum, with guard digits, and what its rounding leaves.
    #[inline(always)]
    fn working_parts(sum: Self::Sum) -> [Self::Working; 2] {
        let high = Self::working_total(sum);
        [high, Self::working_total(Self::plus_working(sum, -high))]
    }

    /// A sum with one more term that has guard digits.
    fn plus_working(sum: Self::Sum, term: Self::Working) -> Self::Sum;

    /// Each of several sums with one more term that has guard digits.
    fn plus_each_working<const N: usize>(
        sums: <Self::Sum as Sum<Self>>::Lanes<N>,
        terms: [Self::Working; N],
    ) -> <Self::Sum as Sum<Self>>::Lanes<N>;

    /// The absolute value.
    fn abs(self) -> Self;

    /// e to the power of `self`; within 1 ULP for floats.
    fn exp(self) -> Self;

    /// The natural logarithm; within 1 ULP for floats.
    fn ln(self) -> Self;

    /// ln(1 + `self`), without the rounding of the sum; within 1 ULP for floats.
    fn ln_1p(self) -> Self;

    /// e to the power of `self`, minus 1, without the rounding of the difference; within 1.1 ULPs for floats.
    fn exp_m1(self) -> Self;

    /// The square root, correctly rounded for floats; NaN below 0.
    fn sqrt(self) -> Self;

    /// `self` to the power of `exponent`, as IEEE 754's `pow`; within 1 ULP for floats.
    fn powf(self, exponent: Self) -> Self;

    /// `self` times `factor` plus `term`; for floats rounded once.
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        self * factor + term
    }

    /// The larger of the two; NaN if either is.
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        if self >= other || self.is_nan() { self } else { other }
    }

    /// The smaller of the two; NaN if either is.
    #[inline(always)]
    fn minimum(self, other: Self) -> Self {
        if self <= other || self.is_nan() { self } else { other }
    }

    /// -1, 0 or 1 as `self` is negative, zero or positive; NaN for NaN.
    #[inline(always)]
    fn signum_or_zero(self) -> Self {
        // Without branches, so that a loop over it vectorises.
        let one_if = |holds: bool| if holds { Self::ONE } else { Self::ZERO };
        let sign = one_if(self > Self::ZERO) - one_if(self < Self::ZERO);
        if self.is_nan() { self } else { sign }
    }

    /// Whether this is NaN.
    #[inline(always)]
    fn is_nan(self) -> bool {
        self.partial_cmp(&self).is_none()
    }

    /// Runs a kernel over this type, for floats compiled for the widest vectors that the processor has.
    #[inline(always)]
    fn vectorize<T>(kernel: impl FnOnce() -> T) -> T {
        kernel()
    }

    /// Gives `input` to `fast`, compiled for the widest vectors that the processor has, or to `plain` if this type or the
    /// processor has no vectors. Both must return the same result. `fast` is not compiled for types without vectors.
    #[inline(always)]
    fn fast_or_plain<I, T>(input: I, _fast: impl FnOnce(I) -> T, plain: impl FnOnce(I) -> T) -> T {
        plain(input)
    }
}

/// Products of matrices, which the losses of linear layers take.
pub trait MatrixProduct: Sized {
    /// Adds to each of `sums` (M, N) the products of a row of `a` (M, K) and a column of `b` (K, N). No product is rounded by
    /// itself; if K is large, the sum of a few may be.
    fn add_matrix_product(a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, sums: ArrayViewMut2<'_, Self::Sum>)
    where
        Self: Real,
    {
        matrix::add_product(a, b, sums);
    }
}

/// ln(2 pi).
#[inline(always)]
pub(crate) fn ln_2_pi<R: Real>() -> R {
    // The nearest f64, and what it leaves.
    R::from_f64(1.837_877_066_409_345_6) + R::from_f64(-7.756_588_316_134_483e-17)
}

/// `x` within that range; comparisons written so that NaN passes through.
#[inline(always)]
pub(crate) fn within<R: Real>(range: (R, R), x: R) -> R {
    let x = if x < range.0 { range.0 } else { x };
    if x > range.1 { range.1 } else { x }
}

/// The floating-point formats that computations are done in.
pub trait Float: Real {
    /// The number of bits of the significand, the implicit one included.
    const PRECISION: i32;
    /// The exponent of the smallest positive normal number.
    const MIN_EXPONENT: i32;
    /// The largest finite value.
    const LARGEST: Self;
}
