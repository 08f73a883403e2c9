//! binary32. The functions are free of branches and tables, so that a loop over them vectorises.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::{Float, MatrixProduct, Real, matrix, within};
use crate::processor;

impl Float for f32 {
    const PRECISION: i32 = f32::MANTISSA_DIGITS as i32;
    const MIN_EXPONENT: i32 = f32::MIN_EXP - 1;
    const LARGEST: Self = f32::MAX;
}

impl MatrixProduct for f32 {
    fn add_matrix_product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, sums: ArrayViewMut2<'_, f64>) {
        matrix::add_product_in_blocks::<Self, matrix::Exact>(a, b, sums);
    }
}

impl Real for f32 {
    /// 29 bits to spare: a sum of fewer than 2^28 terms, rounded once, is within 1 ULP of the exact one at its scale.
    type Sum = f64;
    type Working = f64;

    const HAS_EXTRA_DIGITS: bool = true;
    const HAS_VECTORS: bool = true;

    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn narrow(working: f64) -> Self {
        working as f32
    }

    #[inline(always)]
    fn working_total(sum: f64) -> f64 {
        sum
    }

    #[inline(always)]
    fn plus_working(sum: f64, term: f64) -> f64 {
        sum + term
    }

    #[inline(always)]
    fn plus_each_working<const N: usize>(mut sums: [f64; N], terms: [f64; N]) -> [f64; N] {
        for lane in 0..N {
            sums[lane] += terms[lane];
        }
        sums
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        exp(self)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        ln(self)
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        ln_1p(self)
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        exp_m1(self)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        f32::mul_add(self, factor, term)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    fn powf(self, exponent: Self) -> Self {
        libm::powf(self, exponent)
    }

    #[inline(always)]
    fn vectorize<T>(kernel: impl FnOnce() -> T) -> T {
        processor::vectorize(kernel)
    }

    #[inline(always)]
    fn fast_or_plain<I, T>(input: I, fast: impl FnOnce(I) -> T, plain: impl FnOnce(I) -> T) -> T {
        processor::fast_or_plain(input, fast, plain)
    }
}

const SIGNIFICAND_BITS: u32 = f32::MANTISSA_DIGITS - 1;
const BIAS: i32 = f32::MAX_EXP - 1;

/// The leading bits of ln 2, few enough that their product with an exponent is exact, and the rest.
const LN_2_LEADING: f32 = 0.693_145_75;
const LN_2_TRAILING: f32 = 1.428_606_8e-6;

/// Beyond these the result is 0 or infinite.
const EXP_RANGE: (f32, f32) = (-104.0, 89.0);
/// From this power of 2 on down it is -1 after the subtraction of 1.
const EXP_M1_LEAST: i32 = -40;
/// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2, relative error of e^r below 2^-28 (Remez).
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_21, 0.041_668_378, 0.008_368_675, 0.001_381_491];
/// Adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 1.5 * (1u32 << SIGNIFICAND_BITS) as f32;

/// For e^x = 2^n (1 + leading + small), with n = round(x / ln 2), the three.
#[inline(always)]
fn reduced(x: f32) -> (f32, f32, i32) {
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    // Exact; the rest of r goes among the small terms.
    let leading = (-n).mul_add(LN_2_LEADING, x);
    let trailing = -n * LN_2_TRAILING;
    let r = leading + trailing;
    let small = (r * r).mul_add(polynomial(EXP, r), trailing);
    (leading, small, rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32)
}

#[inline(always)]
fn exp(x: f32) -> f32 {
    let (leading, small, n) = reduced(within(EXP_RANGE, x));
    // Two factors, for 2^n alone may be out of range where e^x is not; only the last product rounds.
    let half = n >> 1;
    ((leading + small) + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// e^x - 1 = 2^n (leading + small) + (2^n - 1).
#[inline(always)]
fn exp_m1(x: f32) -> f32 {
    // Reduced as for e^x, so that a formula that takes both reduces once.
    let (leading, small, n) = reduced(within(EXP_RANGE, x));
    let n = n.max(EXP_M1_LEAST);
    // Half of 2^n, for 2^n may be out of range where e^x is not.
    let half = power_of_two(n.wrapping_sub(1));
    // Where n is 1 the result may be as small as what has been rounded, but here the first sum is exact.
    let beside_half = (leading + 0.5) + small;
    // Exact is half - 1/2 where half is no larger than the significand; beyond, 1/2 goes with what is smaller.
    let moderate = half.mul_add(leading + small, half - 0.5);
    let large = half + half.mul_add(leading + small, -0.5);
    let other = if n < SIGNIFICAND_BITS as i32 { moderate } else { large };
    let result = 2.0 * if n == 1 { beside_half } else { other };
    if x.abs() < f32::EPSILON / 4.0 { x } else { result }
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(BIAS) as u32) << SIGNIFICAND_BITS)
}

/// The sum of `coefficients[i] * x^i`.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
    rest.iter().rev().fold(*last, |sum, &c| sum.mul_add(x, c))
}

/// (2 atanh(s)/s - 2) / s^2 as a polynomial in s^2, for 1 + f between sqrt(1/2) and sqrt(2) and s = f / (2 + f), to
/// 2^-30 of the logarithm (Remez).
const ATANH: [f32; 3] = [0.666_667_76, 0.399_775_06, 0.298_728_2];
const SQRT_HALF_BITS: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();

/// x = 2^k m with m between sqrt(1/2) and sqrt(2); for positive normal x.
#[inline(always)]
fn split(x: f32) -> (f32, f32) {
    let above = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let k = (above as i32) >> SIGNIFICAND_BITS;
    let m = f32::from_bits((above & ((1 << SIGNIFICAND_BITS) - 1)).wrapping_add(SQRT_HALF_BITS));
    (k as f32, m)
}

/// k ln 2 + ln(1 + f + c) for a tiny correction c, the small terms added first.
#[inline(always)]
fn ln_of_split(k: f32, f: f32, c: f32) -> f32 {
    let s = f / (2.0 + f);
    let z = s * s;
    let series = z * polynomial(ATANH, z);
    let half_square = 0.5 * f * f;
    let small = s.mul_add(half_square + series, k.mul_add(LN_2_TRAILING, c));
    k.mul_add(LN_2_LEADING, f - (half_square - small))
}

#[inline(always)]
fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * (1u32 << SIGNIFICAND_BITS) as f32 } else { x };
    let (k, m) = split(scaled);
    let k = if subnormal { k - SIGNIFICAND_BITS as f32 } else { k };
    let finite = ln_of_split(k, m - 1.0, 0.0);
    ends(x, finite)
}

#[inline(always)]
fn ln_1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let (k, m) = split(u);
    // What the sum lost, exactly.
    let back = u - 1.0;
    let lost = (1.0 - (u - back)) + (x - back);
    let near_one = k == 0.0;
    let f = if near_one { x } else { m - 1.0 };
    let c = if near_one { 0.0 } else { lost / u };
    let finite = ln_of_split(k, f, c);
    // The sign of zero stays.
    if x == 0.0 { x } else { ends(u, finite) }
}

/// The logarithm at the ends of its domain, where `finite` means nothing.
#[inline(always)]
fn ends(x: f32, finite: f32) -> f32 {
    let y = if x > 0.0 { finite } else { f32::NAN };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x == f32::INFINITY { x } else { y }
}
