use ndarray::ArrayViewMutD;

use crate::call::{Call, IntoView};
use crate::losses::Triple;
use crate::losses::kink::{PassingAtKink, passes};
use crate::vectors::{Vectors, Vectorwise};
use crate::{Backward, CosineEmbeddingLoss, Error, Loss, Real, Reduction, Shapes, Sum, fold};

/// Computes [`CosineEmbeddingLoss`].
pub fn cosine_embedding_loss<'a, R: Real>(
    input1: impl IntoView<'a, R>,
    input2: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    options: CosineEmbeddingLoss,
) -> Call<CosineEmbeddingLoss, Triple<'a, R>, R, 2> {
    Call::new(options, (input1.into_view(), input2.into_view(), target.into_view()))
}

/// PyTorch's, inside both squares.
const EPS: f64 = 1e-12;
/// What may be left of a difference before it takes more than the guard digits.
const NARROW: f64 = 1.0 / (1 << 20) as f64;
const NAMES: [&str; 2] = ["input1", "input2"];

/// The cosine of two vectors: `whole` + `rest`, of which the former is 1, 0 or -1.
///
/// Where the vectors point in nearly the same or the opposite direction, it is what the cosine lacks of 1 or -1 that matters,
/// and the small part of each that is across the other. Both are differences of products of sums, which therefore have twice
/// the digits: with N the product of the lengths, 1 - |c| is (N^2 - (x1 . x2)^2) / (N (N + |x1 . x2|)).
struct Cosine<R> {
    whole: R,
    rest: R,
    /// x1 . x2, on both scales.
    product: [R; 2],
    sides: [Side<R>; 2],
    /// Whether the sums have twice the digits.
    is_doubled: bool,
}

/// A vector's scale and, on that scale, the square of its length, eps, and the root of both: the length itself may be out
/// of range.
#[derive(Clone, Copy)]
struct Side<R> {
    scale: R,
    square: [R; 2],
    eps: R,
    length: R,
}

impl<R: Real> Side<R> {
    #[inline(always)]
    fn new(scale: R, square @ [high, low]: [R; 2]) -> Self {
        let eps = (R::from_f64(EPS) / scale) / scale;
        Self { scale, square, eps, length: R::Sum::ZERO.plus(high).plus(low).plus(eps).total().sqrt() }
    }

    /// With twice the digits.
    #[inline(always)]
    fn of<S: Real<Working = R>>(x: &[S]) -> Self {
        let squares = fold::dot(
            x,
            x,
            #[inline(always)]
            |x, _| (x.widen(), x.widen()),
        );
        if is_in_range(squares.total()) {
            return Self::new(R::ONE, squares.parts());
        }
        let scale = x.iter().fold(R::ONE, |largest, x| {
            let x = x.widen().abs();
            if x > largest && x < R::from_f64(f64::INFINITY) { x } else { largest }
        });
        let squares = fold::dot(
            x,
            x,
            #[inline(always)]
            |x, _| {
                let x = x.widen() / scale;
                (x, x)
            },
        );
        Self::new(scale, squares.parts())
    }
}

/// Whether a vector of that squared length is worked with as it is. Beyond, eps is lost beside it with twice the digits; short
/// vectors need no scale, for below 1e-6 it is eps that counts.
#[inline(always)]
fn is_in_range<R: Real>(square: R) -> bool {
    square < R::from_f64(1e24)
}

impl<R: Real> Cosine<R> {
    #[inline(always)]
    fn of<S: Real<Working = R>>(vectors @ [x1, x2]: [&[S]; 2]) -> Self {
        let [of_1, of_2, of_both] = fold::dots(x1, x2).map(S::working_parts);
        if is_in_range(of_1[0]) && is_in_range(of_2[0]) {
            let sides = [of_1, of_2].map(|square| Side::new(R::ONE, square));
            let cosine = Self::new(sides, of_both, !S::HAS_EXTRA_DIGITS);
            if cosine.whole == R::ZERO || cosine.rest.abs() > R::from_f64(NARROW) {
                return cosine;
            }
        }
        Self::with_twice_the_digits(vectors)
    }

    #[inline(always)]
    fn with_twice_the_digits<S: Real<Working = R>>([x1, x2]: [&[S]; 2]) -> Self {
        let sides @ [one, two] = [Side::of(x1), Side::of(x2)];
        let products = fold::dot(
            x1,
            x2,
            #[inline(always)]
            |x1, x2| (x1.widen() / one.scale, x2.widen() / two.scale),
        );
        Self::new(sides, products.parts(), true)
    }

    #[inline(always)]
    fn new(sides @ [one, two]: [Side<R>; 2], product @ [high, low]: [R; 2], is_doubled: bool) -> Self {
        let cosine = (high / one.length) / two.length;
        if cosine.is_nan() || cosine.abs() <= R::from_f64(0.5) {
            return Self { whole: R::ZERO, rest: cosine, product, sides, is_doubled };
        }
        let whole = cosine.signum_or_zero();
        let ([a, a_low], [b, b_low]) = (one.square, two.square);
        let lacking = R::Sum::ZERO
            .plus_product(a, b)
            .plus_product(-high, high)
            .plus_product(a, b_low)
            .plus_product(a_low, b)
            .plus_product(-high, low + low)
            .plus_product(a, two.eps)
            .plus_product(one.eps, b)
            .plus_product(one.eps, two.eps);
        let lengths = one.length * two.length;
        let rest = -whole * (lacking.total() / lengths / (lengths + high.abs()));
        Self { whole, rest, product, sides, is_doubled }
    }

    /// Writes the slope times the gradients. Says whether some element of them is all but nothing of the two terms that it
    /// is the difference of, as beside an element that makes up nearly all of its vector.
    #[inline(always)]
    fn pull_back<S: Real<Working = R>>(&self, slope: R, vectors: [&[S]; 2], gradients: [&mut [S]; 2]) -> bool {
        let [product, low] = self.product;
        // The part of a vector that is across the other: x2 |x1|^2 - x1 (x1 . x2) for the gradient of x1.
        if !self.is_doubled {
            return self.write(slope, vectors, gradients, |own, side, other| {
                other.mul_add(side.square[0] + side.eps, -(own * product))
            });
        }
        // As the difference of two products by Kahan's method.
        self.write(slope, vectors, gradients, |own, side, other| {
            let [square, square_low] = side.square;
            let rounded = own * product;
            let lost = (-own).mul_add(product, rounded);
            let rest = other * (square_low + side.eps) - own * low;
            // In this order, for of parallel vectors only eps is left.
            (other.mul_add(square, -rounded) + lost) + rest
        })
    }

    #[inline(always)]
    fn write<S: Real<Working = R>>(
        &self,
        slope: R,
        [x1, x2]: [&[S]; 2],
        [by_1, by_2]: [&mut [S]; 2],
        across: impl Fn(R, &Side<R>, R) -> R,
    ) -> bool {
        let [one, two] = &self.sides;
        // The product of the vectors may itself be all but nothing of its terms, of which the lengths are a bound.
        let (narrow, mut cancels) = (R::from_f64(NARROW) * (one.length * two.length), false);
        let mut across = |own: R, side: &Side<R>, other: R| {
            let across = across(own, side, other);
            cancels |= across.abs() < narrow * own.abs();
            across
        };
        let cubes = [one, two].map(|side| side.length * side.length * side.length);
        let (lengths_of_1, lengths_of_2) = (cubes[0] * two.length, cubes[1] * one.length);
        let factors = [lengths_of_1, lengths_of_2].map(|lengths| fold::factor(slope, lengths));
        let elements = x1.iter().zip(x2).zip(by_1.iter_mut().zip(by_2));
        if let ([Some(factor_1), Some(factor_2)], true) = (factors, [one.scale, two.scale] == [R::ONE; 2]) {
            for ((&x1, &x2), (by_1, by_2)) in elements {
                let (x1, x2) = (x1.widen(), x2.widen());
                *by_1 = S::narrow(factor_1 * across(x1, one, x2));
                *by_2 = S::narrow(factor_2 * across(x2, two, x1));
            }
        } else {
            for ((&x1, &x2), (by_1, by_2)) in elements {
                let (x1, x2) = (x1.widen() / one.scale, x2.widen() / two.scale);
                *by_1 = S::narrow(slope * (across(x1, one, x2) / lengths_of_1 / one.scale));
                *by_2 = S::narrow(slope * (across(x2, two, x1) / lengths_of_2 / two.scale));
            }
        }
        cancels
    }

    #[inline(always)]
    fn cosine(&self) -> R {
        self.whole + self.rest
    }
}

#[inline(always)]
fn loss<R: Real>(margin: f64, cosine: &Cosine<R>, label: R) -> R {
    let unlike = (cosine.cosine() - R::from_f64(margin)).maximum(R::ZERO);
    let other = if label == -R::ONE { unlike } else { R::ZERO };
    if label == R::ONE { (R::ONE - cosine.whole) - cosine.rest } else { other }
}

#[inline(always)]
fn slope<R: Real>(margin: f64, at_kink: bool, cosine: &Cosine<R>, label: R) -> R {
    let unlike = if passes(cosine.cosine() - R::from_f64(margin), at_kink) { R::ONE } else { R::ZERO };
    let other = if label == -R::ONE { unlike } else { R::ZERO };
    if label == R::ONE { -R::ONE } else { other }
}

fn vectors<'a, R: Real>(
    reduction: Reduction,
    (input1, input2, target): &'a Triple<'_, R>,
) -> Result<Vectors<'a, R, 2>, Error> {
    let rank = target.ndim() + 1;
    if rank > 2 {
        let expected = "a scalar or one dimension".to_owned();
        return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
    }
    for (input, name) in [(input1, NAMES[0]), (input2, NAMES[1])] {
        if input.ndim() != rank || input.shape().last() != input1.shape().last() {
            let expected = format!("{rank} dimensions, one more than the target, the last as that of input1");
            return Err(Error::Shape { name, shape: input.shape().to_vec(), expected });
        }
    }
    let operands = [input1.view(), input2.view()];
    Ok(Vectors { operands, labels: Some(target.view()), reduction })
}

/// The formula.
struct Formula {
    margin: f64,
    /// Whether the gradient passes where the hinge is 0.
    at_kink: bool,
}

impl<R: Real> Vectorwise<R, 2> for Formula {
    #[inline(always)]
    fn value(&self, vectors: [&[R]; 2], label: R) -> R {
        R::narrow(loss(self.margin, &Cosine::of(vectors), label.widen()))
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, [x1, x2]: [&[R]; 2], label: R, [by_1, by_2]: [&mut [R]; 2]) -> R {
        let (cosine, label) = (Cosine::of([x1, x2]), label.widen());
        let slope = cotangent.widen() * slope(self.margin, self.at_kink, &cosine, label);
        if cosine.pull_back(slope, [x1, x2], [&mut *by_1, &mut *by_2]) && !cosine.is_doubled {
            Cosine::with_twice_the_digits([x1, x2]).pull_back(slope, [x1, x2], [by_1, by_2]);
        }
        R::narrow(loss(self.margin, &cosine, label))
    }
}

impl<'a, R: Real> Loss<R, Triple<'a, R>, 2> for CosineEmbeddingLoss {
    fn shapes(&self, inputs: &Triple<'a, R>) -> Result<Shapes<2>, Error> {
        vectors(self.reduction, inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: Triple<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let formula = Formula { margin: self.margin, at_kink: false };
        vectors(self.reduction, &inputs)?.evaluate_into(&formula, NAMES, value, backward)
    }
}

impl<'a, R: Real> Loss<R, Triple<'a, R>, 2> for PassingAtKink<CosineEmbeddingLoss> {
    fn shapes(&self, inputs: &Triple<'a, R>) -> Result<Shapes<2>, Error> {
        self.0.shapes(inputs)
    }

    fn evaluate_into(
        &self,
        inputs: Triple<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let formula = Formula { margin: self.0.margin, at_kink: true };
        vectors(self.0.reduction, &inputs)?.evaluate_into(&formula, NAMES, value, backward)
    }
}
