//! Folds over a row, in lanes that the processor runs side by side.

use std::ops::Range;

use crate::{Real, Sum};

const LANES: usize = 16;
const HALF: usize = LANES / 2;
/// As many sums as stay in registers, with what each has lost.
const SUMS: usize = 4;

/// The sum of `term(i)` for i from 0 to `n`.
#[inline(always)]
pub(crate) fn sum<R: Real>(n: usize, mut term: impl FnMut(usize) -> R) -> R::Sum {
    let mut sums = [R::Sum::ZERO; SUMS];
    let whole = n - n % SUMS;
    for at in (0..whole).step_by(SUMS) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = sum.plus(term(at + lane));
        }
    }
    let rest = (whole..n).fold(R::Sum::ZERO, |sum, at| sum.plus(term(at)));
    merged(sums, R::Sum::merge).merge(rest)
}

/// The sum of `term(x)` for each of `row` but that at `left_out`; `keep` gets all terms, from the place on that it is given,
/// some of them twice.
#[inline(always)]
pub(crate) fn sum_of_others<S: Copy, R: Real>(
    row: &[S],
    left_out: usize,
    term: impl Fn(S) -> R,
    mut keep: impl FnMut(usize, &[R]),
) -> R::Sum {
    if !R::HAS_VECTORS {
        return sum_in_chunks::<S, R, 1>(row, left_out, term, keep);
    }
    let Some(Short { lanes, repeated }) = Short::new(row) else {
        return sum_in_chunks::<S, R, LANES>(row, left_out, term, keep);
    };
    let terms = terms_of(&lanes, term);
    match repeated {
        Range { start: HALF, .. } => {
            keep(0, &terms[..HALF]);
            keep(row.len() - HALF, &terms[HALF..]);
        }
        Range { start, .. } => keep(0, &terms[..start]),
    }
    let mut sums = [R::Sum::ZERO; LANES];
    let left_out = if left_out < repeated.start { left_out } else { left_out.wrapping_add(repeated.len()) };
    add(&mut sums, &terms, |lane| lane != left_out && !repeated.contains(&lane));
    merged(sums, Sum::merge)
}

/// As [`sum_of_others`], in steps of `N` elements.
#[inline(always)]
fn sum_in_chunks<S: Copy, R: Real, const N: usize>(
    row: &[S],
    left_out: usize,
    term: impl Fn(S) -> R,
    mut keep: impl FnMut(usize, &[R]),
) -> R::Sum {
    let mut sums = [R::Sum::ZERO; N];
    for (at, seen, chunk) in overlapping::<S, N>(row) {
        let terms = terms_of(chunk, &term);
        keep(at, &terms);
        let left_out = left_out.wrapping_sub(at);
        if seen == 0 && left_out >= N {
            add(&mut sums, &terms, |_| true);
        } else {
            add(&mut sums, &terms, |lane| lane >= seen && lane != left_out);
        }
    }
    merged(sums, Sum::merge)
}

/// The terms of a chunk, worked out before any is added: only so do both vectorise.
#[inline(always)]
fn terms_of<S: Copy, R: Real, const N: usize>(chunk: &[S; N], term: impl Fn(S) -> R) -> [R; N] {
    let mut terms = [R::ZERO; N];
    for (to, &x) in terms.iter_mut().zip(chunk) {
        *to = term(x);
    }
    terms
}

/// Adds to each lane the term that counts.
#[inline(always)]
fn add<R: Real, const N: usize>(sums: &mut [R::Sum; N], terms: &[R; N], counts: impl Fn(usize) -> bool) {
    for lane in 0..N {
        sums[lane] = sums[lane].plus(if counts(lane) { terms[lane] } else { R::ZERO });
    }
}

/// A row in arrays of `N` elements, each with its place. Where `N` does not divide the length, the last one begins with
/// elements that the one before ends with: the number between says with how many. A row that is shorter has none.
#[inline(always)]
fn overlapping<S, const N: usize>(row: &[S]) -> impl Iterator<Item = (usize, usize, &[S; N])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= row.len() {
            return None;
        }
        let at = start.min(row.len().checked_sub(N)?);
        let place = (at, start - at, row[at..].first_chunk()?);
        start += N;
        Some(place)
    })
}

/// A row of fewer elements than there are lanes. All lanes cost what one does, so those left over repeat elements.
struct Short<S> {
    lanes: [S; LANES],
    /// Which lanes do; what comes after them is the row's end.
    repeated: Range<usize>,
}

impl<S: Copy> Short<S> {
    /// `None` where the row is not short, or empty.
    #[inline(always)]
    fn new(row: &[S]) -> Option<Self> {
        let count = row.len();
        if count >= LANES {
            return None;
        }
        let mut lanes = [*row.first()?; LANES];
        let repeated = if let (Some(start), Some(end)) = (row.first_chunk::<HALF>(), row.last_chunk::<HALF>()) {
            lanes[..HALF].copy_from_slice(start);
            lanes[HALF..].copy_from_slice(end);
            HALF..HALF + LANES - count
        } else {
            for (lane, &x) in lanes.iter_mut().zip(row) {
                *lane = x;
            }
            count..LANES
        };
        Some(Self { lanes, repeated })
    }
}

/// The sum of `term(x, y)` over the pairs of two rows.
#[inline(always)]
pub(crate) fn sum_of_pairs<R: Real>(x: &[R], y: &[R], term: impl Fn(R, R) -> R::Guarded) -> R::Guarded {
    R::guarded_total(fold_pairs::<R, R>(x, y, |sum, x, y| R::plus_guarded(sum, term(x, y))))
}

/// The sum of `term(x)` for each of `row`.
#[inline(always)]
pub(crate) fn sum_of<R: Real>(row: &[R], term: impl Fn(R) -> R::Guarded) -> R::Sum {
    fold_pairs::<R, R>(row, row, |sum, x, _| R::plus_guarded(sum, term(x)))
}

/// The sum of the products of both `factors(x, y)`, none of which is rounded, over the pairs of two rows.
#[inline(always)]
pub(crate) fn dot<S: Copy, R: Real>(x: &[S], y: &[S], factors: impl Fn(S, S) -> (R, R)) -> R::Sum {
    let plus = |sum: R::Sum, x, y| {
        let (a, b) = factors(x, y);
        sum.plus_product(a, b)
    };
    fold_pairs::<S, R>(x, y, plus)
}

/// The sums of the products of two rows: of x with itself, of y with itself, and of both; none of them is rounded.
#[inline(always)]
pub(crate) fn dots<R: Real>(x: &[R], y: &[R]) -> [R::Sum; 3] {
    let [mut of_x, mut of_y, mut of_both] = [[R::Sum::ZERO; SUMS]; 3];
    let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks::<SUMS>(), y.as_chunks::<SUMS>());
    for (x, y) in x.iter().zip(y) {
        // One sum after the other: only so does each vectorise.
        for (sums, x, y) in [(&mut of_x, x, x), (&mut of_y, y, y), (&mut of_both, x, y)] {
            for lane in 0..SUMS {
                sums[lane] = sums[lane].plus_product(x[lane], y[lane]);
            }
        }
    }
    let mut sums = [of_x, of_y, of_both].map(|sums| merged(sums, Sum::merge));
    for (&x, &y) in rest_of_x.iter().zip(rest_of_y) {
        for (sum, (x, y)) in sums.iter_mut().zip([(x, x), (y, y), (x, y)]) {
            *sum = sum.plus_product(x, y);
        }
    }
    sums
}

#[inline(always)]
fn fold_pairs<S: Copy, R: Real>(x: &[S], y: &[S], step: impl Fn(R::Sum, S, S) -> R::Sum) -> R::Sum {
    let mut lanes = [R::Sum::ZERO; SUMS];
    let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks::<SUMS>(), y.as_chunks::<SUMS>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..SUMS {
            lanes[lane] = step(lanes[lane], x[lane], y[lane]);
        }
    }
    // Not in the lanes, which would then be kept in memory.
    let rest = rest_of_x.iter().zip(rest_of_y).fold(R::Sum::ZERO, |sum, (&x, &y)| step(sum, x, y));
    merged(lanes, R::Sum::merge).merge(rest)
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

/// The quotient, where it can be a factor of many numbers and lose nothing to the ends of f64's range.
#[inline(always)]
pub(crate) fn factor<R: Real>(numerator: R, divisor: R) -> Option<R> {
    let factor = numerator / divisor;
    (is_ordinary(divisor) && (numerator == R::ZERO || is_ordinary(factor.abs()))).then_some(factor)
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

/// The largest element and where it first stands, of elements none of which is NaN; where one is, any of them or NaN, at some
/// place. Minus infinity, at 0, of nothing.
#[inline(always)]
pub(crate) fn max<R: Real>(row: &[R]) -> (R, usize) {
    let maximum_and_place = match Short::new(row) {
        _ if !R::HAS_VECTORS => max_in_chunks::<R, 1>(row),
        None => max_in_chunks::<R, LANES>(row),
        Some(Short { lanes, repeated }) => {
            let maximum = merged(lanes, larger);
            let lane = first_lane(&lanes, maximum);
            (maximum, if lane < repeated.end { lane } else { lane - repeated.len() })
        }
    };
    match maximum_and_place {
        // The element itself, for a dual number has its own derivative.
        (_, place) if place < row.len() => (row[place], place),
        (maximum, _) => (maximum, 0),
    }
}

/// As [`max`], in steps of `N` elements; the place is out of range where there is none.
#[inline(always)]
fn max_in_chunks<R: Real, const N: usize>(row: &[R]) -> (R, usize) {
    let mut maxima = [R::from_f64(f64::NEG_INFINITY); N];
    for (.., chunk) in overlapping::<R, N>(row) {
        for (maximum, &x) in maxima.iter_mut().zip(chunk) {
            *maximum = larger(*maximum, x);
        }
    }
    let maximum = merged(maxima, larger);
    let places = overlapping::<R, N>(row).map(|(at, _, chunk)| (at, first_lane(chunk, maximum)));
    let first = places.into_iter().find(|&(_, lane)| lane < N);
    (maximum, first.map_or(row.len(), |(at, lane)| at + lane))
}

/// The second where it is larger: not where either is NaN.
#[inline(always)]
fn larger<R: Real>(a: R, b: R) -> R {
    if b > a { b } else { a }
}

/// The first lane of that value; out of range where there is none.
#[inline(always)]
fn first_lane<R: Real, const N: usize>(lanes: &[R; N], value: R) -> usize {
    let mut places = [u32::MAX; N];
    for (lane, place) in places.iter_mut().enumerate() {
        *place = if lanes[lane] == value { lane as u32 } else { u32::MAX };
    }
    merged(places, u32::min) as usize
}

/// Where the largest element first stands; NaN counts as larger than any other.
#[inline(always)]
pub(crate) fn argmax<R: Real>(row: &[R]) -> usize {
    row.iter().position(|x| x.is_nan()).unwrap_or_else(|| max(row).1)
}
