//! Sums that do not lose digits.

use super::Real;

/// A running sum of `R`.
pub trait Sum<R>: Copy + Send + Sync {
    /// The empty sum.
    const ZERO: Self;

    /// Several sums side by side.
    type Lanes<const N: usize>: SumLanes<R, Self, N>;

    /// How many terms of a sum of many are added up plainly before they join it, where that is quicker: so few that it
    /// loses no more than two ULPs of the sum of their magnitudes.
    const TERMS_PER_COMPENSATION: usize = 1;

    /// The sum with one more term.
    fn plus(self, term: R) -> Self;

    /// The sum with one more product, which is not rounded on the way.
    fn plus_product(self, a: R, b: R) -> Self;

    /// The sum of both.
    fn merge(self, other: Self) -> Self;

    /// The total, rounded once.
    fn total(self) -> R;

    /// The total, and what its rounding leaves.
    #[inline(always)]
    fn parts(self) -> [R; 2]
    where
        R: Real,
    {
        let high = self.total();
        [high, self.plus(-high).total()]
    }

    /// The quotient of two totals, without overflow on the way where the format allows.
    fn over(self, divisor: Self) -> R;
}

/// Running sums side by side, in the order in which the processor takes them.
pub trait SumLanes<R, S, const N: usize>: Copy {
    /// Empty sums.
    const ZERO: Self;

    /// Each sum with one more term.
    fn plus(self, terms: [R; N]) -> Self;

    /// Each sum with one more product, which is not rounded on the way.
    fn plus_products(self, a: [R; N], b: [R; N]) -> Self;

    /// The sums.
    fn sums(self) -> [S; N];
}

/// One sum after the other.
impl<R: Copy, S: Sum<R>, const N: usize> SumLanes<R, S, N> for [S; N] {
    const ZERO: Self = [S::ZERO; N];

    #[inline(always)]
    fn plus(mut self, terms: [R; N]) -> Self {
        for lane in 0..N {
            self[lane] = self[lane].plus(terms[lane]);
        }
        self
    }

    #[inline(always)]
    fn plus_products(mut self, a: [R; N], b: [R; N]) -> Self {
        for lane in 0..N {
            self[lane] = self[lane].plus_product(a[lane], b[lane]);
        }
        self
    }

    #[inline(always)]
    fn sums(self) -> [S; N] {
        self
    }
}

/// For f32: 29 bits to spare, and no overflow on the way to a mean.
impl Sum<f32> for f64 {
    const ZERO: Self = 0.0;

    type Lanes<const N: usize> = [Self; N];

    #[inline(always)]
    fn plus(self, term: f32) -> Self {
        self + f64::from(term)
    }

    #[inline(always)]
    fn plus_product(self, a: f32, b: f32) -> Self {
        f64::from(a).mul_add(f64::from(b), self)
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn total(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn over(self, divisor: Self) -> f32 {
        (self / divisor) as f32
    }
}

/// A sum and what its rounding lost (Neumaier 1974, with Knuth's two-sum).
#[derive(Clone, Copy, Debug)]
pub struct CompensatedSum<R> {
    sum: R,
    lost: R,
}

impl<R> CompensatedSum<R> {
    /// A sum that has lost something.
    pub(super) fn new(sum: R, lost: R) -> Self {
        Self { sum, lost }
    }
}

/// The sum of two numbers, and what its rounding lost.
#[inline(always)]
fn two_sum<R: Real>(a: R, b: R) -> (R, R) {
    let sum = a + b;
    let back = sum - a;
    (sum, (a - (sum - back)) + (b - back))
}

impl<R: Real> Sum<R> for CompensatedSum<R> {
    const ZERO: Self = Self { sum: R::ZERO, lost: R::ZERO };

    type Lanes<const N: usize> = CompensatedLanes<R, N>;

    const TERMS_PER_COMPENSATION: usize = 4;

    #[inline(always)]
    fn plus(self, term: R) -> Self {
        let (sum, lost) = two_sum(self.sum, term);
        Self { sum, lost: self.lost + lost }
    }

    #[inline(always)]
    fn plus_product(self, a: R, b: R) -> Self {
        let product = a * b;
        let with_product = self.plus(product);
        Self { lost: with_product.lost + a.mul_add(b, -product), ..with_product }
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        let merged = self.plus(other.sum);
        Self { lost: merged.lost + other.lost, ..merged }
    }

    #[inline(always)]
    fn total(self) -> R {
        // Infinities and NaN leave nothing sensible in `lost`.
        if self.lost.is_nan() { self.sum } else { self.sum + self.lost }
    }

    #[inline(always)]
    fn over(self, divisor: Self) -> R {
        self.total() / divisor.total()
    }
}

/// The sums, then what each has lost.
#[derive(Clone, Copy, Debug)]
pub struct CompensatedLanes<R, const N: usize> {
    sums: [R; N],
    lost: [R; N],
}

impl<R: Real, const N: usize> SumLanes<R, CompensatedSum<R>, N> for CompensatedLanes<R, N> {
    const ZERO: Self = Self { sums: [R::ZERO; N], lost: [R::ZERO; N] };

    #[inline(always)]
    fn plus(mut self, terms: [R; N]) -> Self {
        for ((sum, all_lost), &term) in self.sums.iter_mut().zip(&mut self.lost).zip(&terms) {
            let (with_term, lost) = two_sum(*sum, term);
            *sum = with_term;
            *all_lost = *all_lost + lost;
        }
        self
    }

    #[inline(always)]
    fn plus_products(mut self, a: [R; N], b: [R; N]) -> Self {
        for lane in 0..N {
            let product = a[lane] * b[lane];
            let (sum, lost) = two_sum(self.sums[lane], product);
            self.sums[lane] = sum;
            self.lost[lane] = (self.lost[lane] + lost) + a[lane].mul_add(b[lane], -product);
        }
        self
    }

    #[inline(always)]
    fn sums(self) -> [CompensatedSum<R>; N] {
        std::array::from_fn(|lane| CompensatedSum::new(self.sums[lane], self.lost[lane]))
    }
}
