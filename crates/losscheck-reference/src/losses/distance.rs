//! The distances that triplets are compared by.

use crate::{Real, Sum, fold};

/// A distance of two vectors.
pub trait Distance: Sync {
    /// The distance of a and b.
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R;

    /// Adds the cotangent times the derivatives by a and by b to `by_a` and `by_b`.
    fn add_pullback<R: Real>(&self, cotangent: R, a: &[R], b: &[R], by_a: &mut [R], by_b: &mut [R]);
}

/// The p-norm of the difference, to each element of which `eps` is added:
///
/// ```text
/// (sum_i |a_i - b_i + eps|^p)^(1/p)
/// ```
///
/// As in PyTorch p = 0 counts the elements that are not 0, an infinite p takes the largest, minus infinity the smallest, and
/// the slope of an element that is 0 is 0. Where several are the largest, or smallest, they share the slope.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.PairwiseDistance.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairwiseDistance {
    /// The norm's degree.
    pub p: f64,
    /// What is added to each difference.
    pub eps: f64,
}

impl Default for PairwiseDistance {
    fn default() -> Self {
        Self { p: 2.0, eps: 1e-6 }
    }
}

impl PairwiseDistance {
    /// a_i - b_i + eps.
    #[inline(always)]
    fn difference<R: Real>(&self, a: &[R], b: &[R], i: usize) -> R {
        (a[i] - b[i]) + R::from_f64(self.eps)
    }

    #[inline(always)]
    fn largest<R: Real>(&self, a: &[R], b: &[R]) -> R {
        (0..a.len()).fold(R::ZERO, |largest, i| self.difference(a, b, i).abs().maximum(largest))
    }

    #[inline(always)]
    fn smallest<R: Real>(&self, a: &[R], b: &[R]) -> R {
        (0..a.len()).fold(R::from_f64(f64::INFINITY), |smallest, i| self.difference(a, b, i).abs().minimum(smallest))
    }

    /// The norm as a product of two: a scale, and what the norm is in its unit, which is in range.
    #[inline(always)]
    fn norm<R: Real>(&self, a: &[R], b: &[R]) -> (R, R) {
        let sum = |term: &dyn Fn(R) -> R| fold::sum(a.len(), |i| term(self.difference(a, b, i))).total();
        let scale = || fold::scale(a.len(), |i| self.difference(a, b, i));
        if self.p == 2.0 {
            let scale = scale();
            let square = |i| {
                let d = self.difference(a, b, i) / scale;
                d * d
            };
            (scale, fold::sum(a.len(), square).total().sqrt())
        } else if self.p == 1.0 {
            (R::ONE, fold::sum(a.len(), |i| self.difference(a, b, i).abs()).total())
        } else if self.p == f64::INFINITY {
            (R::ONE, self.largest(a, b))
        } else if self.p == f64::NEG_INFINITY {
            (R::ONE, self.smallest(a, b))
        } else if self.p == 0.0 {
            (R::ONE, sum(&|d| if d == R::ZERO || d.is_nan() { d } else { R::ONE }))
        } else {
            // Powers of ratios, which stay in range.
            let largest = self.largest(a, b);
            let scale = if largest > R::ZERO && largest < R::from_f64(f64::INFINITY) { largest } else { R::ONE };
            let p = R::from_f64(self.p);
            (scale, sum(&|d| (d.abs() / scale).powf(p)).powf(R::ONE / p))
        }
    }
}

impl Distance for PairwiseDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R {
        let (scale, norm) = self.norm(a, b);
        scale * norm
    }

    #[inline(always)]
    fn add_pullback<R: Real>(&self, cotangent: R, a: &[R], b: &[R], by_a: &mut [R], by_b: &mut [R]) {
        if self.p == 0.0 {
            return;
        }
        let (scale, norm) = self.norm(a, b);
        let difference = |i| self.difference(a, b, i);
        let ties = if self.p.is_infinite() {
            fold::sum(a.len(), |i| if difference(i).abs() == norm { R::ONE } else { R::ZERO }).total()
        } else {
            R::ONE
        };
        let exponent = R::from_f64(self.p - 1.0);
        for i in 0..a.len() {
            let d = difference(i);
            let slope = if self.p == 2.0 {
                d / scale / norm
            } else if self.p == 1.0 {
                d.signum_or_zero()
            } else if self.p.is_infinite() {
                let is_another = if self.p > 0.0 { d.abs() < norm } else { d.abs() > norm };
                if is_another { R::ZERO } else { d.signum_or_zero() / ties }
            } else if self.p > 0.0 && self.p < 2.0 {
                // Such a power is in range where the ratio may not be.
                d.signum_or_zero() * d.abs().powf(exponent) / scale.powf(exponent) / norm.powf(exponent)
            } else {
                d.signum_or_zero() * (d.abs() / scale / norm).powf(exponent)
            };
            let slope = if d == R::ZERO { R::ZERO } else { cotangent * slope };
            by_a[i] = by_a[i] + slope;
            by_b[i] = by_b[i] - slope;
        }
    }
}

/// The sum of the absolute differences; its slope at 0 is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ManhattanDistance;

impl Distance for ManhattanDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R {
        PairwiseDistance { p: 1.0, eps: 0.0 }.distance(a, b)
    }

    #[inline(always)]
    fn add_pullback<R: Real>(&self, cotangent: R, a: &[R], b: &[R], by_a: &mut [R], by_b: &mut [R]) {
        PairwiseDistance { p: 1.0, eps: 0.0 }.add_pullback(cotangent, a, b, by_a, by_b);
    }
}

/// The sum of the squared differences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredEuclideanDistance;

impl Distance for SquaredEuclideanDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R {
        let square = |i: usize| {
            let d = a[i] - b[i];
            d * d
        };
        fold::sum(a.len(), square).total()
    }

    #[inline(always)]
    fn add_pullback<R: Real>(&self, cotangent: R, a: &[R], b: &[R], by_a: &mut [R], by_b: &mut [R]) {
        for i in 0..a.len() {
            let d = a[i] - b[i];
            let slope = cotangent * (d + d);
            by_a[i] = by_a[i] + slope;
            by_b[i] = by_b[i] - slope;
        }
    }
}
