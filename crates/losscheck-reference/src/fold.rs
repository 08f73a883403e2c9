//! Folds over a row, in lanes that the processor runs side by side.

use crate::{Real, Sum};

const LANES: usize = 16;

/// The sum of `term(i)` for i from 0 to `n`.
#[inline(always)]
pub(crate) fn sum<R: Real>(n: usize, mut term: impl FnMut(usize) -> R) -> R::Sum {
    let mut sums = [R::Sum::ZERO; LANES];
    let whole = n - n % LANES;
    for at in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = sum.plus(term(at + lane));
        }
    }
    for (at, sum) in (whole..n).zip(&mut sums) {
        *sum = sum.plus(term(at));
    }
    merged(sums, Sum::merge)
}

/// The sum of `term(x)` for each of `row` but that at `left_out`; `keep` gets all terms, from the place on that it is given.
#[inline(always)]
pub(crate) fn sum_of_others<S: Copy, R: Real>(
    row: &[S],
    left_out: usize,
    term: impl Fn(S) -> R,
    mut keep: impl FnMut(usize, &[R]),
) -> R::Sum {
    let mut sums = [R::Sum::ZERO; LANES];
    // Apart from working the terms out, for only so do both run side by side.
    let mut add = |at: usize, mut terms: [R; LANES]| {
        if let Some(term) = terms.get_mut(left_out.wrapping_sub(at)) {
            *term = R::ZERO;
        }
        for (sum, &term) in sums.iter_mut().zip(&terms) {
            *sum = sum.plus(term);
        }
    };
    let (chunks, rest) = row.as_chunks::<LANES>();
    for (chunk, at) in chunks.iter().zip((0..).step_by(LANES)) {
        let mut terms = [R::ZERO; LANES];
        for (to, &x) in terms.iter_mut().zip(chunk) {
            *to = term(x);
        }
        keep(at, &terms);
        add(at, terms);
    }
    let (at, terms) = (row.len() - rest.len(), of_rest(rest, &term));
    keep(at, &terms[..rest.len()]);
    add(at, terms);
    merged(sums, Sum::merge)
}

/// The terms of fewer numbers than there are lanes, and zeros.
#[inline(always)]
fn of_rest<S: Copy, R: Real>(rest: &[S], term: impl Fn(S) -> R) -> [R; LANES] {
    let mut terms = [R::ZERO; LANES];
    let Some(&first) = rest.first() else { return terms };
    if !R::HAS_VECTORS {
        for (to, &x) in terms.iter_mut().zip(rest) {
            *to = term(x);
        }
        return terms;
    }
    // All lanes cost what one does.
    let mut padded = [first; LANES];
    for (to, &x) in padded.iter_mut().zip(rest) {
        *to = x;
    }
    for (lane, (to, &x)) in terms.iter_mut().zip(&padded).enumerate() {
        let term = term(x);
        *to = if lane < rest.len() { term } else { R::ZERO };
    }
    terms
}

/// The sum of `term(x, y)` over the pairs of two rows.
#[inline(always)]
pub(crate) fn sum_of_pairs<R: Real>(x: &[R], y: &[R], term: impl Fn(R, R) -> R::Guarded) -> R::Guarded {
    R::guarded_total(fold_pairs(x, y, R::Sum::ZERO, |sum, x, y| R::plus_guarded(sum, term(x, y)), Sum::merge))
}

/// The sum of `term(x)` for each of `row`.
#[inline(always)]
pub(crate) fn sum_of<R: Real>(row: &[R], term: impl Fn(R) -> R::Guarded) -> R::Sum {
    fold_pairs(row, row, R::Sum::ZERO, |sum, x, _| R::plus_guarded(sum, term(x)), Sum::merge)
}

/// The sum of the products of both `factors(x, y)`, none of which is rounded, over the pairs of two rows.
#[inline(always)]
pub(crate) fn dot<S: Copy, R: Real>(x: &[S], y: &[S], factors: impl Fn(S, S) -> (R, R)) -> R::Sum {
    let plus = |sum: R::Sum, x, y| {
        let (a, b) = factors(x, y);
        sum.plus_product(a, b)
    };
    fold_pairs(x, y, R::Sum::ZERO, plus, Sum::merge)
}

#[inline(always)]
fn fold_pairs<S: Copy, T: Copy>(
    x: &[S],
    y: &[S],
    first: T,
    step: impl Fn(T, S, S) -> T,
    merge: impl Fn(T, T) -> T,
) -> T {
    // To merge many lanes takes longer than to fill them, in a short row.
    const FEW: usize = 4;
    if x.len() < LANES {
        merged(in_lanes([first; FEW], x, y, step), merge)
    } else {
        merged(in_lanes([first; LANES], x, y, step), merge)
    }
}

#[inline(always)]
fn in_lanes<S: Copy, T: Copy, const N: usize>(
    mut lanes: [T; N],
    x: &[S],
    y: &[S],
    step: impl Fn(T, S, S) -> T,
) -> [T; N] {
    let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks::<N>(), y.as_chunks::<N>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..N {
            lanes[lane] = step(lanes[lane], x[lane], y[lane]);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(rest_of_x).zip(rest_of_y) {
        *lane = step(*lane, x, y);
    }
    lanes
}

/// All lanes in one: halves are merged side by side.
#[inline(always)]
fn merged<T: Copy, const N: usize>(mut lanes: [T; N], merge: impl Fn(T, T) -> T) -> T {
    let mut half = N / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = merge(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Whether a magnitude is so far from the ends of f64's range that squares and quotients of such stay in it.
#[inline(always)]
pub(crate) fn is_ordinary<R: Real>(magnitude: R) -> bool {
    magnitude > R::from_f64(1e-100) && magnitude < R::from_f64(1e100)
}

/// The largest element; NaN if any is. Minus infinity of nothing.
#[inline(always)]
pub(crate) fn largest<R: Real>(row: &[R]) -> R {
    let mut maxima = [R::from_f64(f64::NEG_INFINITY); LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            maxima[lane] = maxima[lane].maximum(chunk[lane]);
        }
    }
    for (maximum, &x) in maxima.iter_mut().zip(rest) {
        *maximum = maximum.maximum(x);
    }
    merged(maxima, R::maximum)
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
