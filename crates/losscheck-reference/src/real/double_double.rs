//! The oracle's arithmetic: pairs of f64, about 106 bits.
//!
//! The operations are those of Joldes, Muller and Popescu, "Tight and rigorous error bounds for basic building blocks of
//! double-word arithmetic", 2017, with infinities and NaN mended. The functions are within 2^-90 (`tests/elementary.rs`).
//! Every operation is a function of its own, which no formula inlines: a sum takes 20 instructions and a product 10, so that
//! inlined they would make the oracle the largest part of the program. Inside such a function the fused multiply-adds are
//! instructions if the processor has them, and calls otherwise ([`fused`]).
//!
//! The exponents are f64's: below about 2^-960 the low half vanishes and the precision falls towards f64's own.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::LazyLock;

use super::{MatrixProduct, Real, Sum, SumLanes};

/// An f64 and the remainder that it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubleDouble {
    high: f64,
    low: f64,
}

impl DoubleDouble {
    /// The sum of two f64, exactly.
    #[inline(always)]
    pub fn sum_of(a: f64, b: f64) -> Self {
        let sum = a + b;
        let (of_a, rough) = (sum - b, sum);
        let of_b = sum - of_a;
        Self { high: sum, low: (a - of_a) + (b - of_b) }.mended(rough)
    }

    /// The same, faster, for |a| >= |b|.
    #[inline(always)]
    fn sum_of_ordered(a: f64, b: f64) -> Self {
        let sum = a + b;
        Self { high: sum, low: b - (sum - a) }
    }

    /// The product of two f64, exactly.
    #[inline(always)]
    fn product_of(a: f64, b: f64) -> Self {
        let product = a * b;
        Self { high: product, low: a.mul_add(b, -product) }
    }

    /// The nearest f64.
    #[inline(always)]
    pub fn high(self) -> f64 {
        self.high
    }

    /// What `high` leaves.
    #[inline(always)]
    pub fn low(self) -> f64 {
        self.low
    }

    /// This, or where it is not finite what f64 gives.
    #[inline(always)]
    fn mended(self, rough: f64) -> Self {
        if self.high.is_finite() && self.low.is_finite() { self } else { Self { high: rough, low: 0.0 } }
    }

    /// The sum, by algorithm 6 (AccurateDWPlusDW).
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let exact_sum = |a: f64, b: f64| {
            let sum = a + b;
            let of_a = sum - b;
            (sum, (a - of_a) + (b - (sum - of_a)))
        };
        let (high, rest) = exact_sum(self.high, other.high);
        let (low, rest_of_low) = exact_sum(self.low, other.low);
        let sum = Self::sum_of_ordered(high, rest + low);
        Self::sum_of_ordered(sum.high, rest_of_low + sum.low).mended(high)
    }

    /// The product, by algorithm 12 (DWTimesDW3).
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let product = Self::product_of(self.high, other.high);
        let cross = self.high.mul_add(other.low, self.low * other.low);
        let cross = self.low.mul_add(other.high, cross);
        Self::sum_of_ordered(product.high, product.low + cross).mended(product.high)
    }

    /// The quotient, by long division: three quotients of f64.
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        let quotient = self.high / other.high;
        let rest = self.plus(-other.times(Self::from_f64(quotient)));
        let second = rest.high / other.high;
        let rest = rest.plus(-other.times(Self::from_f64(second)));
        let third = rest.high / other.high;
        Self::sum_of_ordered(quotient, second).plus(Self::from_f64(third)).mended(quotient)
    }

    /// `self` times a power of two.
    #[inline(always)]
    fn times_power_of_two(self, exponent: i32) -> Self {
        // Two steps, for 2^exponent alone may be out of range.
        let half = exponent / 2;
        let scaled = |x: f64| x * power_of_two(half) * power_of_two(exponent - half);
        Self::sum_of_ordered(scaled(self.high), scaled(self.low)).mended(scaled(self.high))
    }

    /// e^`self` as (power, rest, exponent): power (1 + rest) 2^exponent. The power is one of [`POWERS`], so near 1 that rest
    /// is a short Taylor series.
    #[inline(always)]
    fn exp_in_parts(self) -> (Self, Self, i32) {
        let n = (self.high * (POWERS_OF_2 as f64 / std::f64::consts::LN_2)).round();
        let r = self.plus(-LN_2.times_power_of_two(-(POWERS_OF_2.ilog2() as i32)).times(Self::from_f64(n)));
        // The later terms are so small that f64 has all the digits that count.
        let mut tail = 1.0;
        for k in (TERMS + 2..=9).rev() {
            tail = 1.0 + tail * r.high / k as f64;
        }
        let (mut series, inverses) = (Self::from_f64(tail), &*INVERSES);
        for k in (0..TERMS).rev() {
            series = Self::ONE.plus(series.times(r.times(inverses[k])));
        }
        let n = n as i32;
        let at = n.rem_euclid(POWERS_OF_2 as i32);
        (POWERS[at as usize], r.times(series), n.div_euclid(POWERS_OF_2 as i32))
    }

    /// The logarithm, for a positive number.
    #[inline(always)]
    fn ln_of_positive(self) -> Self {
        let distance = self.plus(-Self::ONE);
        if distance.high.abs() < SERIES {
            return Self::twice_atanh(distance.over(self.plus(Self::ONE)));
        }
        // Near the ends of the range e^ln(x) would leave it, or lose its low half.
        let exponent = if (1e-200..1e200).contains(&self.high) { 0 } else { self.high.log2().floor() as i32 };
        let m = self.times_power_of_two(-exponent);
        // One step of Halley's method from f64's logarithm, whose error it cubes.
        let guess = Self::from_f64(m.high.ln());
        let e = guess.exp();
        let step = m.plus(-e).over(m.plus(e));
        guess.plus(step).plus(step).plus(LN_2.times(Self::from_f64(f64::from(exponent))))
    }

    /// 2 atanh(s), for |s| up to 1/31, by its series.
    #[inline(always)]
    fn twice_atanh(s: Self) -> Self {
        let square = s.times(s);
        // The later terms are so small that f64 has all the digits that count.
        let mut tail = 0.0;
        for k in (ODD_TERMS + 1..=11).rev() {
            tail = tail * square.high + 1.0 / (2 * k + 1) as f64;
        }
        let (mut series, inverses) = (Self::from_f64(tail), &*INVERSES);
        for k in (1..=ODD_TERMS).rev() {
            series = inverses[2 * k - 1].plus(square.times(series));
        }
        let sum = s.plus(s.times(square.times(series)));
        sum.plus(sum)
    }
}

/// 2^n, for n from -1022 to 1023.
#[inline(always)]
fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((n + (f64::MAX_EXP - 1)) as u64) << (f64::MANTISSA_DIGITS - 1))
}

/// Below this, ln(1 + z) is summed as a series in z / (2 + z).
const SERIES: f64 = 1.0 / 16.0;
/// Below this, ln(1 + z) and e^z - 1 are z.
const LINEAR: f64 = 1.0 / (1u128 << 110) as f64;
/// How many terms of the exponential's series need all digits.
const TERMS: usize = 4;
/// How many terms of the series of atanh need all digits.
const ODD_TERMS: usize = 5;
/// 1/2, 1/3, ...
static INVERSES: LazyLock<[DoubleDouble; 2 * ODD_TERMS]> =
    LazyLock::new(|| std::array::from_fn(|k| DoubleDouble::ONE / DoubleDouble::from_f64(k as f64 + 2.0)));
/// How many powers of 2, from 2^0 to below 2^1, are stored.
const POWERS_OF_2: usize = 256;
/// 2^0, 2^(1/256), 2^(2/256), ...: products of square roots of square roots of 2.
static POWERS: LazyLock<[DoubleDouble; POWERS_OF_2]> = LazyLock::new(|| {
    let mut powers = [DoubleDouble::ONE; POWERS_OF_2];
    let (mut root, mut step) = (DoubleDouble::from_f64(2.0).sqrt(), POWERS_OF_2 / 2);
    while step > 0 {
        for at in (0..POWERS_OF_2).filter(|at| at & step != 0) {
            powers[at] = powers[at] * root;
        }
        (root, step) = (root.sqrt(), step / 2);
    }
    powers
});
const LN_2: DoubleDouble = DoubleDouble { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };

impl PartialOrd for DoubleDouble {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.high.partial_cmp(&other.high)? {
            Ordering::Equal => self.low.partial_cmp(&other.low),
            order => Some(order),
        }
    }
}

impl Add for DoubleDouble {
    type Output = Self;

    #[inline(never)]
    fn add(self, other: Self) -> Self {
        self.plus(other)
    }
}

impl Sub for DoubleDouble {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for DoubleDouble {
    type Output = Self;

    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        fused(
            #[inline(always)]
            || self.times(other),
        )
    }
}

impl Div for DoubleDouble {
    type Output = Self;

    #[inline(never)]
    fn div(self, other: Self) -> Self {
        fused(
            #[inline(always)]
            || self.over(other),
        )
    }
}

impl Neg for DoubleDouble {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl MatrixProduct for DoubleDouble {}

impl Real for DoubleDouble {
    type Sum = DoubleDouble;
    type Working = Self;

    const ZERO: Self = Self { high: 0.0, low: 0.0 };
    const ONE: Self = Self { high: 1.0, low: 0.0 };

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        Self { high: x, low: 0.0 }
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.high
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
        sum
    }

    #[inline(always)]
    fn plus_working(sum: Self::Sum, term: Self::Working) -> Self::Sum {
        sum.plus(term)
    }

    #[inline(always)]
    fn plus_each_working<const N: usize>(sums: [Self; N], terms: [Self; N]) -> [Self; N] {
        sums.plus(terms)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        if self.high.is_sign_negative() { -self } else { self }
    }

    #[inline(never)]
    fn exp(self) -> Self {
        let x = self.high;
        if !(-746.0..=710.0).contains(&x) {
            return Self::from_f64(x.exp());
        }
        fused(
            #[inline(always)]
            || {
                let (power, rest, exponent) = self.exp_in_parts();
                power.plus(power.times(rest)).times_power_of_two(exponent)
            },
        )
    }

    #[inline(never)]
    fn exp_m1(self) -> Self {
        if self.high.abs() < LINEAR {
            return self;
        }
        if self.high.abs() >= 0.5 {
            return self.exp() - Self::ONE;
        }
        fused(
            #[inline(always)]
            || {
                let (power, rest, exponent) = self.exp_in_parts();
                let power = power.times_power_of_two(exponent);
                power.plus(-Self::ONE).plus(power.times(rest))
            },
        )
    }

    /// One step of Newton's method from f64's root.
    #[inline(never)]
    fn sqrt(self) -> Self {
        let guess = Self::from_f64(self.high.sqrt());
        if guess.high == 0.0 || !guess.high.is_finite() {
            return guess;
        }
        guess + (self - guess * guess) / (guess + guess)
    }

    /// e^(y ln x); exactly where y is a small integer.
    #[inline(never)]
    fn powf(self, exponent: Self) -> Self {
        const LARGEST_COUNT: f64 = 16.0;
        let (x, y) = (self.high, exponent.high);
        let integer = y.fract() == 0.0 && exponent.low == 0.0;
        if integer && y.abs() <= LARGEST_COUNT {
            let power = (0..y.abs() as usize).fold(Self::ONE, |power, _| power * self);
            return if y < 0.0 { Self::ONE / power } else { power };
        }
        if x > 0.0 && x.is_finite() && y.is_finite() {
            (exponent * self.ln()).exp()
        } else if x < 0.0 && integer && y.is_finite() {
            let power = (-self).powf(exponent);
            if y % 2.0 == 0.0 { power } else { -power }
        } else {
            Self::from_f64(x.powf(y))
        }
    }

    #[inline(never)]
    fn ln(self) -> Self {
        let x = self.high;
        if x.is_nan() || x <= 0.0 || x.is_infinite() {
            return Self::from_f64(x.ln());
        }
        fused(
            #[inline(always)]
            || self.ln_of_positive(),
        )
    }

    #[inline(never)]
    fn ln_1p(self) -> Self {
        if self.high.abs() < LINEAR {
            return self;
        }
        if self.high.abs() < SERIES {
            return fused(
                #[inline(always)]
                || Self::twice_atanh(self.over(self.plus(Self::from_f64(2.0)))),
            );
        }
        (Self::ONE + self).ln()
    }
}

/// Runs a kernel, compiled with AVX2's fused multiply-add if the processor has it.
#[inline(always)]
fn fused<T>(kernel: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    if let Some(processor) = pulp::x86::V3::try_new() {
        return processor.vectorize(kernel);
    }
    kernel()
}

/// DoubleDouble enough to be its own sum.
impl Sum<DoubleDouble> for DoubleDouble {
    const ZERO: Self = <Self as Real>::ZERO;

    type Lanes<const N: usize> = [Self; N];

    #[inline(always)]
    fn plus(self, term: DoubleDouble) -> Self {
        self + term
    }

    #[inline(never)]
    fn plus_product(self, a: DoubleDouble, b: DoubleDouble) -> Self {
        self + a * b
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn total(self) -> DoubleDouble {
        self
    }

    #[inline(always)]
    fn over(self, divisor: Self) -> DoubleDouble {
        self / divisor
    }
}
