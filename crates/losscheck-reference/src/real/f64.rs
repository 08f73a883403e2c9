//! binary64. The functions are free of branches and tables, so that a loop over them vectorises.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::sum::CompensatedLanes;
use super::{CompensatedSum, Float, MatrixProduct, Real, Sum, SumLanes, matrix, within};
use crate::processor;

impl Float for f64 {
    const PRECISION: i32 = f64::MANTISSA_DIGITS as i32;
    const MIN_EXPONENT: i32 = f64::MIN_EXP - 1;
    const LARGEST: Self = f64::MAX;
}

impl MatrixProduct for f64 {
    fn add_matrix_product(
        a: ArrayView2<'_, f64>,
        b: ArrayView2<'_, f64>,
        sums: ArrayViewMut2<'_, CompensatedSum<f64>>,
    ) {
        matrix::add_product_in_blocks::<Self, matrix::Compensated>(a, b, sums);
    }
}

impl Real for f64 {
    type Sum = CompensatedSum<f64>;
    type Working = Self;

    const HAS_VECTORS: bool = true;

    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn widen(self) -> Self {
        self
    }

    #[inline(always)]
    fn narrow(working: Self) -> Self {
        working
    }

    #[inline(always)]
    fn working_total(sum: Self::Sum) -> Self::Working {
        sum.total()
    }

    #[inline(always)]
    fn plus_working(sum: Self::Sum, term: Self::Working) -> Self::Sum {
        sum.plus(term)
    }

    #[inline(always)]
    fn plus_each_working<const N: usize>(
        sums: CompensatedLanes<Self, N>,
        terms: [Self; N],
    ) -> CompensatedLanes<Self, N> {
        sums.plus(terms)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
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
        f64::mul_add(self, factor, term)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    fn powf(self, exponent: Self) -> Self {
        libm::pow(self, exponent)
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

const SIGNIFICAND_BITS: u32 = f64::MANTISSA_DIGITS - 1;
const BIAS: i64 = f64::MAX_EXP as i64 - 1;

/// The leading bits of ln 2, few enough that their product with an exponent is exact, and the rest.
const LN_2_LEADING: f64 = 0.693_147_180_559_663;
const LN_2_TRAILING: f64 = 2.823_529_056_303_157_7e-13;

/// Beyond these the result is 0 or infinite.
const EXP_RANGE: (f64, f64) = (-746.0, 710.0);
/// From this power of 2 on down it is -1 after the subtraction of 1.
const EXP_M1_LEAST: i64 = -80;
/// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2, relative error of e^r below 2^-61 (at the nodes of Chebyshev).
const EXP: [f64; 11] = [
    0.5,
    0.166_666_666_666_666_7,
    0.041_666_666_666_666_67,
    0.008_333_333_333_326_112,
    0.001_388_888_888_888_373,
    0.000_198_412_698_749_012_6,
    0.000_024_801_587_325_605_324,
    2.755_725_529_796_964_3e-6,
    2.755_727_357_010_214e-7,
    2.510_525_953_844_849_4e-8,
    2.091_471_734_171_637_8e-9,
];
/// Adding it rounds to an integer, which then stands in the low bits.
const ROUND: f64 = 1.5 * (1u64 << SIGNIFICAND_BITS) as f64;

/// For e^x = 2^n (1 + leading + small), with n = round(x / ln 2), the three.
#[inline(always)]
fn reduced(x: f64) -> (f64, f64, i64) {
    let rounded = x.mul_add(std::f64::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    // Exact; the rest of r goes among the small terms.
    let leading = (-n).mul_add(LN_2_LEADING, x);
    let trailing = -n * LN_2_TRAILING;
    let r = leading + trailing;
    let small = (r * r).mul_add(polynomial(EXP, r), trailing);
    (leading, small, rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i64)
}

#[inline(always)]
fn exp(x: f64) -> f64 {
    let (leading, small, n) = reduced(within(EXP_RANGE, x));
    // Two factors, for 2^n alone may be out of range where e^x is not; only the last product rounds.
    // (n + 2^12) / 2 - 2^11 is n >> 1 by a logical shift, for AVX2 has no other on 64 bits.
    let half = ((n.wrapping_add(1 << 12) as u64) >> 1).wrapping_sub(1 << 11) as i64;
    ((leading + small) + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// e^x - 1 = 2^n (leading + small) + (2^n - 1).
#[inline(always)]
fn exp_m1(x: f64) -> f64 {
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
    let other = if n < SIGNIFICAND_BITS as i64 { moderate } else { large };
    let result = 2.0 * if n == 1 { beside_half } else { other };
    if x.abs() < f64::EPSILON / 4.0 { x } else { result }
}

#[inline(always)]
fn power_of_two(n: i64) -> f64 {
    f64::from_bits((n.wrapping_add(BIAS) as u64) << SIGNIFICAND_BITS)
}

/// The sum of `coefficients[i] * x^i`.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f64; N], x: f64) -> f64 {
    let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
    rest.iter().rev().fold(*last, |sum, &c| sum.mul_add(x, c))
}

/// (2 atanh(s)/s - 2) / s^2 as a polynomial in s^2, for 1 + f between sqrt(1/2) and sqrt(2) and s = f / (2 + f), to
/// 2^-59 of the logarithm (Remez).
const ATANH: [f64; 7] = [
    0.666_666_666_666_673_4,
    0.399_999_999_994_133_5,
    0.285_714_287_428_36,
    0.222_221_985_146_884_26,
    0.181_835_679_181_866_65,
    0.153_139_461_626_886_83,
    0.147_971_075_066_225_1,
];
/// From here on, the low bits of a float are an integer.
const INTEGERS: f64 = (1u64 << SIGNIFICAND_BITS) as f64;
const SQRT_HALF_BITS: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();

/// x = 2^k m with m between sqrt(1/2) and sqrt(2); for positive normal x.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let above = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    // AVX2 neither shifts nor converts signed 64-bit integers: the biased exponent goes into the low bits of 2^52.
    let biased = above.wrapping_add((BIAS as u64) << SIGNIFICAND_BITS) >> SIGNIFICAND_BITS;
    let k = f64::from_bits(INTEGERS.to_bits() | biased) - (INTEGERS + BIAS as f64);
    let m = f64::from_bits((above & ((1 << SIGNIFICAND_BITS) - 1)).wrapping_add(SQRT_HALF_BITS));
    (k, m)
}

/// k ln 2 + ln(1 + f + c) for a tiny correction c, the small terms added first.
#[inline(always)]
fn ln_of_split(k: f64, f: f64, c: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let series = z * polynomial(ATANH, z);
    let half_square = 0.5 * f * f;
    let small = s.mul_add(half_square + series, k.mul_add(LN_2_TRAILING, c));
    k.mul_add(LN_2_LEADING, f - (half_square - small))
}

#[inline(always)]
fn ln(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * (1u64 << SIGNIFICAND_BITS) as f64 } else { x };
    let (k, m) = split(scaled);
    let k = if subnormal { k - SIGNIFICAND_BITS as f64 } else { k };
    let finite = ln_of_split(k, m - 1.0, 0.0);
    ends(x, finite)
}

#[inline(always)]
fn ln_1p(x: f64) -> f64 {
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
fn ends(x: f64, finite: f64) -> f64 {
    let y = if x > 0.0 { finite } else { f64::NAN };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x == f64::INFINITY { x } else { y }
}
