//! The distances that triplets are compared by.

use crate::{Real, fold};

/// A distance of two vectors.
pub trait Distance: Sync {
    /// The distance of a and b.
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Guarded;

    /// What writes the cotangent times the derivatives by a and by b, whose distance is known.
    fn pullback<R: Real>(&self, cotangent: R::Guarded, distance: R::Guarded, vectors: [&[R]; 2]) -> impl Pullback<R>;
}

/// A function that writes the gradients by any part of both vectors, given the same part of each.
pub trait Pullback<R: Real>: Fn([&[R]; 2], [&mut [R::Guarded]; 2]) {}

impl<R: Real, F: Fn([&[R]; 2], [&mut [R::Guarded]; 2])> Pullback<R> for F {}

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
    /// a - b + eps.
    #[inline(always)]
    fn difference<R: Real>(&self, a: R, b: R) -> R::Guarded {
        (a.guarded() - b.guarded()) + R::from_f64(self.eps).guarded()
    }

    #[inline(always)]
    fn magnitudes<R: Real>(&self, a: &[R], b: &[R]) -> impl Iterator<Item = R::Guarded> {
        a.iter().zip(b).map(|(&a, &b)| self.difference(a, b).abs())
    }

    #[inline(always)]
    fn largest<R: Real>(&self, a: &[R], b: &[R]) -> R::Guarded {
        self.magnitudes(a, b).fold(R::Guarded::ZERO, |largest, d| d.maximum(largest))
    }

    /// The norm as a product of two: a scale, and what the norm is in its unit, which is in range.
    #[inline(always)]
    fn norm<R: Real>(&self, a: &[R], b: &[R]) -> (R::Guarded, R::Guarded) {
        let one = R::Guarded::ONE;
        let scale = || {
            let largest = self.largest(a, b);
            let is_scale = largest > R::Guarded::ZERO && largest < R::Guarded::from_f64(f64::INFINITY);
            if is_scale { largest } else { one }
        };
        if self.p == 2.0 {
            let square = |d: R::Guarded| d * d;
            let norm = fold::sum_of_pairs(a, b, |a, b| square(self.difference(a, b))).sqrt();
            if fold::is_ordinary(norm) {
                return (one, norm);
            }
            let scale = scale();
            (scale, fold::sum_of_pairs(a, b, |a, b| square(self.difference(a, b) / scale)).sqrt())
        } else if self.p == 1.0 {
            (one, fold::sum_of_pairs(a, b, |a, b| self.difference(a, b).abs()))
        } else if self.p == f64::INFINITY {
            (one, self.largest(a, b))
        } else if self.p == f64::NEG_INFINITY {
            let infinity = R::Guarded::from_f64(f64::INFINITY);
            (one, self.magnitudes(a, b).fold(infinity, |smallest, d| d.minimum(smallest)))
        } else if self.p == 0.0 {
            let count = |d: R::Guarded| if d == R::Guarded::ZERO || d.is_nan() { d } else { one };
            (one, fold::sum_of_pairs(a, b, |a, b| count(self.difference(a, b))))
        } else {
            // Powers of ratios, which stay in range.
            let (scale, p) = (scale(), R::Guarded::from_f64(self.p));
            let power = |a: R, b: R| (self.difference(a, b).abs() / scale).powf(p);
            (scale, fold::sum_of_pairs(a, b, power).powf(one / p))
        }
    }
}

impl Distance for PairwiseDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Guarded {
        let (scale, norm) = self.norm(a, b);
        scale * norm
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R::Guarded, distance: R::Guarded, [a, b]: [&[R]; 2]) -> impl Pullback<R> {
        let (zero, one) = (R::Guarded::ZERO, R::Guarded::ONE);
        let (scale, norm) = if fold::is_ordinary(distance) { (one, distance) } else { self.norm(a, b) };
        let ties = if self.p.is_infinite() {
            fold::sum_of_pairs(a, b, |a, b| if self.difference(a, b).abs() == norm { one } else { zero })
        } else {
            one
        };
        let exponent = R::Guarded::from_f64(self.p - 1.0);
        let slope = move |d: R::Guarded| {
            if self.p == 2.0 {
                d / scale / norm
            } else if self.p == 1.0 {
                d.signum_or_zero()
            } else if self.p.is_infinite() {
                let is_another = if self.p > 0.0 { d.abs() < norm } else { d.abs() > norm };
                if is_another { zero } else { d.signum_or_zero() / ties }
            } else if self.p > 0.0 && self.p < 2.0 {
                // Such a power is in range where the ratio may not be.
                d.signum_or_zero() * d.abs().powf(exponent) / scale.powf(exponent) / norm.powf(exponent)
            } else {
                d.signum_or_zero() * (d.abs() / scale / norm).powf(exponent)
            }
        };
        // A Euclidean slope is a multiple of the difference, where the multiple is in range.
        let multiple = fold::factor(cotangent, norm).filter(|_| self.p == 2.0 && scale == one);
        #[inline(always)]
        move |vectors, gradients| {
            if let Some(multiple) = multiple {
                write_slopes(vectors, gradients, |a, b| multiple * self.difference(a, b));
            } else {
                write_slopes(vectors, gradients, |a, b| {
                    let d = self.difference(a, b);
                    if d == zero || self.p == 0.0 { zero } else { cotangent * slope(d) }
                });
            }
        }
    }
}

/// Writes the slope of each pair of elements as that of a, and its opposite as that of b.
#[inline(always)]
fn write_slopes<R: Real>([a, b]: [&[R]; 2], [by_a, by_b]: [&mut [R::Guarded]; 2], slope: impl Fn(R, R) -> R::Guarded) {
    for ((&a, &b), (by_a, by_b)) in a.iter().zip(b).zip(by_a.iter_mut().zip(by_b)) {
        // A sum with 0 is not a negative 0.
        let (slope, zero) = (slope(a, b), R::Guarded::ZERO);
        *by_a = zero + slope;
        *by_b = zero - slope;
    }
}

/// The sum of the absolute differences; its slope at 0 is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ManhattanDistance;

/// The norm that it is.
const MANHATTAN: &PairwiseDistance = &PairwiseDistance { p: 1.0, eps: 0.0 };

impl Distance for ManhattanDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Guarded {
        MANHATTAN.distance(a, b)
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R::Guarded, distance: R::Guarded, vectors: [&[R]; 2]) -> impl Pullback<R> {
        MANHATTAN.pullback(cotangent, distance, vectors)
    }
}

/// The sum of the squared differences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredEuclideanDistance;

impl Distance for SquaredEuclideanDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Guarded {
        fold::sum_of_pairs(a, b, |a, b| {
            let d = a.guarded() - b.guarded();
            d * d
        })
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R::Guarded, _: R::Guarded, _: [&[R]; 2]) -> impl Pullback<R> {
        #[inline(always)]
        move |vectors, gradients| {
            write_slopes(vectors, gradients, |a, b| {
                let d = a.guarded() - b.guarded();
                cotangent * (d + d)
            });
        }
    }
}
