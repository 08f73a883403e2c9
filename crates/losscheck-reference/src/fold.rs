//! Folds over a row, in lanes that the processor runs side by side.

use crate::{Real, Sum};

const LANES: usize = 16;

/// The sum of `term(i)` for i from 0 to `n`.
#[inline(always)]
pub(crate) fn sum<R: Real>(n: usize, mut term: impl FnMut(usize) -> R) -> R::Sum {
    add_up::<R>(n, |sum, i| sum.plus(term(i)))
}

/// The sum of `term(x)` for each of `row`.
#[inline(always)]
pub(crate) fn sum_of<S: Copy, R: Real>(row: &[S], term: impl Fn(S) -> R) -> R::Sum {
    let mut sums = [R::Sum::ZERO; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        let mut terms = [R::ZERO; LANES];
        add_terms(&mut sums, chunk, &mut terms, &term);
    }
    add_terms(&mut sums, rest, &mut [R::ZERO; LANES], &term);
    merged::<R>(sums)
}

/// The same, which leaves the terms in `out`.
#[inline(always)]
pub(crate) fn sum_into<S: Copy, R: Real>(row: &[S], out: &mut [R], term: impl Fn(S) -> R) -> R::Sum {
    let mut sums = [R::Sum::ZERO; LANES];
    let ((chunks, rest), (outs, rest_of_out)) = (row.as_chunks::<LANES>(), out.as_chunks_mut::<LANES>());
    for (chunk, out) in chunks.iter().zip(outs) {
        add_terms(&mut sums, chunk, out, &term);
    }
    add_terms(&mut sums, rest, rest_of_out, &term);
    merged::<R>(sums)
}

/// Adds a term of each number to a sum of its own: first all terms, for only so are they worked out side by side.
#[inline(always)]
fn add_terms<S: Copy, R: Real>(sums: &mut [R::Sum], row: &[S], terms: &mut [R], term: &impl Fn(S) -> R) {
    for (to, &x) in terms.iter_mut().zip(row) {
        *to = term(x);
    }
    for ((sum, &term), _) in sums.iter_mut().zip(&*terms).zip(row) {
        *sum = sum.plus(term);
    }
}

#[inline(always)]
fn merged<R: Real>(sums: [R::Sum; LANES]) -> R::Sum {
    sums.into_iter().reduce(Sum::merge).unwrap_or(R::Sum::ZERO)
}

/// The sum of the products of both `factors(i)` for i from 0 to `n`, none of which is rounded.
#[inline(always)]
pub(crate) fn dot<R: Real>(n: usize, mut factors: impl FnMut(usize) -> (R, R)) -> R::Sum {
    add_up::<R>(n, |sum, i| {
        let (a, b) = factors(i);
        sum.plus_product(a, b)
    })
}

#[inline(always)]
fn add_up<R: Real>(n: usize, mut add: impl FnMut(R::Sum, usize) -> R::Sum) -> R::Sum {
    let mut sums = [R::Sum::ZERO; LANES];
    let whole = n - n % LANES;
    for at in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = add(*sum, at + lane);
        }
    }
    for (at, sum) in (whole..n).zip(&mut sums) {
        *sum = add(*sum, at);
    }
    merged::<R>(sums)
}

/// What to divide `n` numbers by so that neither their squares nor the sum of these leave the range: 1 for numbers of
/// ordinary size, else the largest magnitude. 1 too where that is 0, infinite or NaN.
#[inline(always)]
pub(crate) fn scale<R: Real>(n: usize, mut number: impl FnMut(usize) -> R) -> R {
    const ORDINARY: (f64, f64) = (1e-12, 1e12);
    let largest = (0..n).fold(R::ZERO, |largest, i| {
        let magnitude = number(i).abs();
        if magnitude > largest { magnitude } else { largest }
    });
    let is_ordinary = largest > R::from_f64(ORDINARY.0) && largest < R::from_f64(ORDINARY.1);
    let is_finite = largest < R::from_f64(f64::INFINITY);
    if is_ordinary || !is_finite || largest == R::ZERO { R::ONE } else { largest }
}

/// The largest element; NaN if any is. Minus infinity of nothing.
#[inline(always)]
pub(crate) fn largest<R: Real>(row: &[R]) -> R {
    let lowest = R::from_f64(f64::NEG_INFINITY);
    let mut maxima = [lowest; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            maxima[lane] = maxima[lane].maximum(chunk[lane]);
        }
    }
    for (maximum, &x) in maxima.iter_mut().zip(rest) {
        *maximum = maximum.maximum(x);
    }
    maxima.into_iter().reduce(R::maximum).unwrap_or(lowest)
}

/// The largest element and where it first stands; NaN if any is. Minus infinity, at 0, of nothing.
#[inline(always)]
pub(crate) fn max<R: Real>(row: &[R]) -> (R, usize) {
    let maximum = largest(row);
    match row.iter().position(|&x| x == maximum) {
        // The element itself, for a dual number has its own derivative.
        Some(first) => (row[first], first),
        None => (maximum, 0),
    }
}

/// Where the largest element first stands; NaN counts as larger than any other.
#[inline(always)]
pub(crate) fn argmax<R: Real>(row: &[R]) -> usize {
    match max(row) {
        (maximum, _) if maximum.is_nan() => row.iter().position(|x| x.is_nan()).unwrap_or(0),
        (_, first) => first,
    }
}
