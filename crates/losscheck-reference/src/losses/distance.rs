//! The distances that triplets are compared by.

use crate::{Real, fold};

/// A distance of two vectors.
pub trait Distance: Sync {
    /// The distance of a and b.
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Working;

    /// What writes the cotangent times the derivatives by a and by b, whose distance is known.
    fn pullback<R: Real>(&self, cotangent: R::Working, distance: R::Working, vectors: [&[R]; 2]) -> impl Pullback<R>;
}

/// The most elements that a [`Pullback`] takes at once.
pub const PULLBACK_ELEMENTS: usize = 32;

/// A function that writes the gradients by a part of both vectors, of at most [`PULLBACK_ELEMENTS`] elements, given the same part of each.
pub trait Pullback<R: Real>: Fn([&[R]; 2], [&mut [R::Working]; 2]) {}

impl<R: Real, F: Fn([&[R]; 2], [&mut [R::Working]; 2])> Pullback<R> for F {}

/// The p-norm of the difference, to each element of which `eps` is added:
///
/// ```text
/// (sum_i |a_i - b_i + eps|^p)^(1/p)
/// ```
///
/// As in PyTorch p = 0 counts the elements that are not 0, an infinite p takes the largest, minus infinity the smallest, and
/// the slope of an element that is 0 is 0. Where several are the largest, or smallest, they share the slope.
///
/// Source: <https://docs.pytorch.org/docs/2.15/generated/torch.nn.PairwiseDistance.html>
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
    fn difference<R: Real>(&self, a: R, b: R) -> R::Working {
        (a.widen() - b.widen()) + R::from_f64(self.eps).widen()
    }

    #[inline(always)]
    fn magnitudes<R: Real>(&self, a: &[R], b: &[R]) -> impl Iterator<Item = R::Working> {
        a.iter().zip(b).map(|(&a, &b)| self.difference(a, b).abs())
    }

    #[inline(always)]
    fn largest<R: Real>(&self, a: &[R], b: &[R]) -> R::Working {
        self.magnitudes(a, b).fold(R::Working::ZERO, |largest, d| d.maximum(largest))
    }

    /// The norm as a product of two: a scale, and what the norm is in its unit, which is in range.
    #[inline(always)]
    fn norm<R: Real>(&self, a: &[R], b: &[R]) -> (R::Working, R::Working) {
        if self.p == 2.0 {
            let square = |d: R::Working| d * d;
            let norm = fold::sum_of_pairs(a, b, |a, b| square(self.difference(a, b))).sqrt();
            if fold::is_ordinary(norm) {
                return (R::Working::ONE, norm);
            }
        }
        self.other_norm(a, b)
    }

    /// [`PairwiseDistance::norm`] if it is not Euclidean, or near the ends of the range. Not inlined: a triplet has three
    /// distances in two passes, and these branches would be compiled for each of them.
    #[inline(never)]
    fn other_norm<R: Real>(&self, a: &[R], b: &[R]) -> (R::Working, R::Working) {
        R::vectorize(
            #[inline(always)]
            || {
                let one = R::Working::ONE;
                let scale = || {
                    let largest = self.largest(a, b);
                    let is_scale = largest > R::Working::ZERO && largest < R::Working::from_f64(f64::INFINITY);
                    if is_scale { largest } else { one }
                };
                if self.p == 2.0 {
                    let square = |d: R::Working| d * d;
                    let scale = scale();
                    (scale, fold::sum_of_pairs(a, b, |a, b| square(self.difference(a, b) / scale)).sqrt())
                } else if self.p == 1.0 {
                    (one, fold::sum_of_pairs(a, b, |a, b| self.difference(a, b).abs()))
                } else if self.p == f64::INFINITY {
                    (one, self.largest(a, b))
                } else if self.p == f64::NEG_INFINITY {
                    let infinity = R::Working::from_f64(f64::INFINITY);
                    (one, self.magnitudes(a, b).fold(infinity, |smallest, d| d.minimum(smallest)))
                } else if self.p == 0.0 {
                    let count = |d: R::Working| if d == R::Working::ZERO || d.is_nan() { d } else { one };
                    (one, fold::sum_of_pairs(a, b, |a, b| count(self.difference(a, b))))
                } else {
                    // Powers of ratios, which stay in range.
                    let (scale, p) = (scale(), R::Working::from_f64(self.p));
                    let power = |a: R, b: R| (self.difference(a, b).abs() / scale).powf(p);
                    (scale, fold::sum_of_pairs(a, b, power).powf(one / p))
                }
            },
        )
    }

    /// The slopes if they are no multiples of the differences.
    #[inline(never)]
    fn other_slopes<R: Real>(&self, distance: R::Working, [a, b]: [&[R]; 2]) -> Slopes<R::Working> {
        let (zero, one) = (R::Working::ZERO, R::Working::ONE);
        let (scale, norm) = if fold::is_ordinary(distance) { (one, distance) } else { self.norm(a, b) };
        let ties = if self.p.is_infinite() {
            fold::sum_of_pairs(a, b, |a, b| if self.difference(a, b).abs() == norm { one } else { zero })
        } else {
            one
        };
        Slopes { p: self.p, scale, norm, ties }
    }

    /// Returns the cotangent times slopes that are no multiples of the differences, for the first so many elements.
    ///
    /// It returns them, because arrays whose address it took might overlap the vectors for all that LLVM knows, and the
    /// loops over multiples would check that ("scripts/instructions": 14 % more for a triplet).
    #[inline(never)]
    fn other_pullback<R: Real>(
        &self,
        cotangent: R::Working,
        slopes: &Slopes<R::Working>,
        a: &[R],
        b: &[R],
    ) -> [[R::Working; PULLBACK_ELEMENTS]; 2] {
        let (zero, count) = (R::Working::ZERO, a.len());
        let mut by_both = [[zero; PULLBACK_ELEMENTS]; 2];
        R::vectorize(
            #[inline(always)]
            || {
                write_slopes([a, b], by_both.each_mut().map(|by| &mut by[..count]), |a, b| {
                    let d = self.difference(a, b);
                    if d == zero || self.p == 0.0 { zero } else { cotangent * slopes.of(d) }
                });
            },
        );
        by_both
    }
}

/// What the slopes of a norm are worked out from.
struct Slopes<R> {
    p: f64,
    /// The norm is a product of two: see [`PairwiseDistance::norm`].
    scale: R,
    norm: R,
    /// How many differences are the largest or, for minus infinity, the smallest.
    ties: R,
}

impl<R: Real> Slopes<R> {
    /// The slope of a difference that is not 0.
    #[inline(always)]
    fn of(&self, d: R) -> R {
        let &Self { p, scale, norm, ties } = self;
        let exponent = R::from_f64(p - 1.0);
        if p == 2.0 {
            d / scale / norm
        } else if p == 1.0 {
            d.signum_or_zero()
        } else if p.is_infinite() {
            let is_another = if p > 0.0 { d.abs() < norm } else { d.abs() > norm };
            if is_another { R::ZERO } else { d.signum_or_zero() / ties }
        } else if p > 0.0 && p < 2.0 {
            // Such a power is in range where the ratio may not be.
            d.signum_or_zero() * d.abs().powf(exponent) / scale.powf(exponent) / norm.powf(exponent)
        } else {
            d.signum_or_zero() * (d.abs() / scale / norm).powf(exponent)
        }
    }
}

impl Distance for PairwiseDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Working {
        let (scale, norm) = self.norm(a, b);
        scale * norm
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R::Working, distance: R::Working, vectors: [&[R]; 2]) -> impl Pullback<R> {
        // A Euclidean slope is a multiple of the difference, where the multiple is in range.
        let is_multiple = self.p == 2.0 && fold::is_ordinary(distance);
        let multiple = if is_multiple { fold::factor(cotangent, distance) } else { None };
        let slopes = if multiple.is_none() { Some(self.other_slopes(distance, vectors)) } else { None };
        #[inline(always)]
        move |[a, b], [by_a, by_b]| {
            if let Some(multiple) = multiple {
                write_slopes([a, b], [by_a, by_b], |a, b| multiple * self.difference(a, b));
            } else if let Some(slopes) = &slopes {
                let [all_by_a, all_by_b] = self.other_pullback(cotangent, slopes, a, b);
                by_a.copy_from_slice(&all_by_a[..a.len()]);
                by_b.copy_from_slice(&all_by_b[..a.len()]);
            }
        }
    }
}

/// Writes the slope of each pair of elements as that of a, and its opposite as that of b.
#[inline(always)]
fn write_slopes<R: Real>([a, b]: [&[R]; 2], [by_a, by_b]: [&mut [R::Working]; 2], slope: impl Fn(R, R) -> R::Working) {
    for ((&a, &b), (by_a, by_b)) in a.iter().zip(b).zip(by_a.iter_mut().zip(by_b)) {
        // A sum with 0 is not a negative 0.
        let (slope, zero) = (slope(a, b), R::Working::ZERO);
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
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Working {
        MANHATTAN.distance(a, b)
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R::Working, distance: R::Working, vectors: [&[R]; 2]) -> impl Pullback<R> {
        MANHATTAN.pullback(cotangent, distance, vectors)
    }
}

/// The sum of the squared differences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredEuclideanDistance;

impl Distance for SquaredEuclideanDistance {
    #[inline(always)]
    fn distance<R: Real>(&self, a: &[R], b: &[R]) -> R::Working {
        fold::sum_of_pairs(a, b, |a, b| {
            let d = a.widen() - b.widen();
            d * d
        })
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R::Working, _: R::Working, _: [&[R]; 2]) -> impl Pullback<R> {
        #[inline(always)]
        move |vectors, gradients| {
            write_slopes(vectors, gradients, |a, b| {
                let d = a.widen() - b.widen();
                cotangent * (d + d)
            });
        }
    }
}
