//! The oracle's arithmetic: pairs of f64, about 106 bits.
//!
//! The operations are twofloat's (Joldes, Muller and Popescu, "Tight and rigorous error bounds for basic building blocks
//! of double-word arithmetic", 2017), with infinities and NaN mended. Its division keeps only some 59 bits, its `exp` and
//! logarithms some 36, so these are our own, within 2^-90 (`tests/elementary.rs`).
//!
//! The exponents are f64's: below about 2^-960 the low half vanishes and the precision falls towards f64's own.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::LazyLock;

use twofloat::TwoFloat;

use super::{Real, Sum};

/// An f64 and the remainder that it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wide(TwoFloat);

impl Wide {
    /// The sum of two f64, exactly.
    pub fn sum_of(a: f64, b: f64) -> Self {
        Self::mended(TwoFloat::new_add(a, b), a + b)
    }

    /// The nearest f64.
    pub fn high(self) -> f64 {
        self.0.hi()
    }

    /// What `high` leaves.
    pub fn low(self) -> f64 {
        self.0.lo()
    }

    /// `exact`, or where it is not finite what f64 gives.
    fn mended(exact: TwoFloat, rough: f64) -> Self {
        if exact.hi().is_finite() && exact.lo().is_finite() { Self(exact) } else { Self(TwoFloat::from_f64(rough)) }
    }

    /// `self` times a power of two.
    fn times_power_of_two(self, exponent: i32) -> Self {
        // Two steps, for 2^exponent alone may be out of range.
        let half = exponent / 2;
        [half, exponent - half].iter().fold(self, |x, &n| {
            let scale = 2f64.powi(n);
            let high = x.high() * scale;
            if high.is_finite() { Self::sum_of(high, x.low() * scale) } else { Self::from_f64(high) }
        })
    }

    /// e^r - 1 for |r| up to about 1/2: from r/512, where it is a short Taylor series, by squarings, through which
    /// (1 + y)^2 - 1 = y (2 + y) keeps its digits.
    fn exp_m1_near_0(self) -> Self {
        const SQUARINGS: i32 = 9;
        let r = self.times_power_of_two(-SQUARINGS);
        let series = INVERSES.iter().rev().fold(Self::ONE, |sum, &inverse| Self::ONE + sum * r * inverse);
        let two = Self::from_f64(2.0);
        (0..SQUARINGS).fold(r * series, |y, _| y * (two + y))
    }

    /// 2 atanh(s), for small s, by its series.
    fn twice_atanh(s: Self) -> Self {
        let square = s * s;
        let mut power = s;
        let mut sum = s;
        for odd in (3..).step_by(2) {
            power = power * square;
            let term = power / Self::from_f64(f64::from(odd));
            sum = sum + term;
            if term.high().abs() <= sum.high().abs() * 2f64.powi(-108) {
                break;
            }
        }
        sum + sum
    }
}

/// Below this, ln(1 + z) is summed as a series in z / (2 + z).
const SERIES: f64 = 1.0 / 16.0;
/// Below this, ln(1 + z) is z.
const LINEAR: f64 = 1.0 / (1u128 << 110) as f64;
/// 1/2, 1/3, ... to as many terms as the exponential's series takes.
static INVERSES: LazyLock<[Wide; 10]> =
    LazyLock::new(|| std::array::from_fn(|k| Wide::ONE / Wide::from_f64(k as f64 + 2.0)));
const LN_2: Wide = Wide(twofloat::consts::LN_2);

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.high().partial_cmp(&other.high())? {
            Ordering::Equal => self.low().partial_cmp(&other.low()),
            order => Some(order),
        }
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::mended(self.0 + other.0, self.high() + other.high())
    }
}

impl Sub for Wide {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::mended(self.0 - other.0, self.high() - other.high())
    }
}

impl Mul for Wide {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::mended(self.0 * other.0, self.high() * other.high())
    }
}

impl Div for Wide {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        // By long division: twofloat's own quotient leaves a fused multiply-add out, and with it half of the digits.
        let quotient = self.high() / other.high();
        let rest = self.0 - other.0 * quotient;
        let second = rest.hi() / other.high();
        let rest = rest - other.0 * second;
        let third = rest.hi() / other.high();
        Self::mended(TwoFloat::new_add(quotient, second) + third, quotient)
    }
}

impl Neg for Wide {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Real for Wide {
    type Sum = Wide;

    const ZERO: Self = Self(TwoFloat::from_f64(0.0));
    const ONE: Self = Self(TwoFloat::from_f64(1.0));

    fn from_f64(x: f64) -> Self {
        Self(TwoFloat::from_f64(x))
    }

    fn to_f64(self) -> f64 {
        self.high()
    }

    fn abs(self) -> Self {
        if self.high().is_sign_negative() { -self } else { self }
    }

    fn exp(self) -> Self {
        let x = self.high();
        if !(-746.0..=710.0).contains(&x) {
            return Self::from_f64(x.exp());
        }
        let n = (x / std::f64::consts::LN_2).round();
        (Self::ONE + (self - LN_2 * Self::from_f64(n)).exp_m1_near_0()).times_power_of_two(n as i32)
    }

    fn exp_m1(self) -> Self {
        if self.high().abs() < 0.5 { self.exp_m1_near_0() } else { self.exp() - Self::ONE }
    }

    /// One step of Newton's method from f64's root.
    fn sqrt(self) -> Self {
        let guess = Self::from_f64(self.high().sqrt());
        if guess.high() == 0.0 || !guess.high().is_finite() {
            return guess;
        }
        guess + (self - guess * guess) / (guess + guess)
    }

    /// e^(y ln x); exactly where y is a small integer.
    fn powf(self, exponent: f64) -> Self {
        const LARGEST_COUNT: f64 = 16.0;
        let x = self.high();
        if exponent.fract() == 0.0 && exponent.abs() <= LARGEST_COUNT {
            let power = (0..exponent.abs() as usize).fold(Self::ONE, |power, _| power * self);
            return if exponent < 0.0 { Self::ONE / power } else { power };
        }
        if x > 0.0 && x.is_finite() && exponent.is_finite() {
            (Self::from_f64(exponent) * self.ln()).exp()
        } else if x < 0.0 && exponent.fract() == 0.0 && exponent.is_finite() {
            let power = (-self).powf(exponent);
            if exponent % 2.0 == 0.0 { power } else { -power }
        } else {
            Self::from_f64(x.powf(exponent))
        }
    }

    fn ln(self) -> Self {
        let x = self.high();
        if x.is_nan() || x <= 0.0 || x.is_infinite() {
            return Self::from_f64(x.ln());
        }
        let distance = self - Self::ONE;
        if distance.high().abs() < SERIES {
            return Self::twice_atanh(distance / (self + Self::ONE));
        }
        // One step of Halley's method from f64's logarithm, whose error it cubes. Away from 1, and scaled into range.
        let exponent = x.log2().floor();
        let m = self.times_power_of_two(-(exponent as i32));
        let guess = Self::from_f64(m.high().ln());
        let e = guess.exp();
        let step = (m - e) / (m + e);
        guess + step + step + LN_2 * Self::from_f64(exponent)
    }

    fn ln_1p(self) -> Self {
        if self.high().abs() < LINEAR {
            return self;
        }
        if self.high().abs() < SERIES {
            return Self::twice_atanh(self / (self + Self::from_f64(2.0)));
        }
        (Self::ONE + self).ln()
    }
}

/// Wide enough to be its own sum.
impl Sum<Wide> for Wide {
    const ZERO: Self = <Self as Real>::ZERO;

    fn plus(self, term: Wide) -> Self {
        self + term
    }

    fn merge(self, other: Self) -> Self {
        self + other
    }

    fn total(self) -> Wide {
        self
    }

    fn over(self, divisor: Self) -> Wide {
        self / divisor
    }
}
