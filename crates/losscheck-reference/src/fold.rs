//! Folds over a row, in lanes that the processor runs side by side.

mod across;

use std::ops::Range;

pub(crate) use self::across::{
    each, element_of_each, guarded_sum_of_others_of_each, max_of_each, single, single_mut, sum_of_others_of_each,
};
use crate::real::SumLanes;
use crate::{Real, Sum, prefetch};

const LANES: usize = 16;
const HALF: usize = LANES / 2;
/// Sums side by side: so many that the compiler leaves their loop a loop, which it vectorises.
const SUMS: usize = 32;
/// Of what is left of a row.
const PARALLEL_SUMS: usize = 4;

/// Sums side by side.
pub(crate) type SumsOf<R, const N: usize> = <<R as Real>::Sum as Sum<R>>::Lanes<N>;

/// What is added up over the pairs of two rows.
trait Step<S, R: Real> {
    /// Adds that of `N` pairs, one to each sum.
    fn add<const N: usize>(&self, sums: SumsOf<R, N>, x: &[S; N], y: &[S; N]) -> SumsOf<R, N>;

    /// Adds that of one pair.
    fn add_one(&self, sum: R::Sum, x: S, y: S) -> R::Sum;
}

/// Terms with guard digits.
struct Terms<F>(F);

impl<R: Real, F: Fn(R, R) -> R::Working> Step<R, R> for Terms<F> {
    #[inline(always)]
    fn add<const N: usize>(&self, sums: SumsOf<R, N>, x: &[R; N], y: &[R; N]) -> SumsOf<R, N> {
        let mut terms = [R::Working::ZERO; N];
        for lane in 0..N {
            terms[lane] = (self.0)(x[lane], y[lane]);
        }
        R::plus_each_working(sums, terms)
    }

    #[inline(always)]
    fn add_one(&self, sum: R::Sum, x: R, y: R) -> R::Sum {
        R::plus_working(sum, (self.0)(x, y))
    }
}

/// Products of both factors.
struct Products<F>(F);

impl<S: Copy, R: Real, F: Fn(S, S) -> (R, R)> Step<S, R> for Products<F> {
    #[inline(always)]
    fn add<const N: usize>(&self, sums: SumsOf<R, N>, x: &[S; N], y: &[S; N]) -> SumsOf<R, N> {
        let (mut a, mut b) = ([R::ZERO; N], [R::ZERO; N]);
        for lane in 0..N {
            (a[lane], b[lane]) = (self.0)(x[lane], y[lane]);
        }
        sums.plus_products(a, b)
    }

    #[inline(always)]
    fn add_one(&self, sum: R::Sum, x: S, y: S) -> R::Sum {
        let (a, b) = (self.0)(x, y);
        sum.plus_product(a, b)
    }
}

/// The sum over the pairs of two rows, of many at once where there are as many and the processor has vectors.
#[inline(always)]
fn fold_pairs<S: Copy, R: Real>(x: &[S], y: &[S], step: &impl Step<S, R>) -> R::Sum {
    if !R::HAS_VECTORS {
        return fold_plainly::<S, R>(x, y, &|sum, x, y| step.add_one(sum, x, y));
    }
    if x.len() >= SUMS { fold_many(x, y, step) } else { fold_few(x, y, step) }
}

/// The sum over the pairs of two rows, in the order of [`fold_few`]. Compiled once for all terms.
fn fold_plainly<S: Copy, R: Real>(x: &[S], y: &[S], add: &dyn Fn(R::Sum, S, S) -> R::Sum) -> R::Sum {
    let (mut sums, mut rest) = ([R::Sum::ZERO; PARALLEL_SUMS], R::Sum::ZERO);
    let whole = x.len().min(y.len()) / PARALLEL_SUMS * PARALLEL_SUMS;
    for (at, (&x, &y)) in x.iter().zip(y).enumerate() {
        let sum = if at < whole { &mut sums[at % PARALLEL_SUMS] } else { &mut rest };
        *sum = add(*sum, x, y);
    }
    merged(sums, R::Sum::merge).merge(rest)
}

/// Out of line, lest the registers that it takes be missed where a row is short.
#[inline(never)]
fn fold_many<S: Copy, R: Real>(x: &[S], y: &[S], step: &impl Step<S, R>) -> R::Sum {
    R::vectorize(
        #[inline(always)]
        || {
            let mut sums = SumsOf::<R, SUMS>::ZERO;
            let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks(), y.as_chunks());
            for (x, y) in x.iter().zip(y) {
                prefetch::ahead_of(x);
                prefetch::ahead_of(y);
                sums = step.add(sums, x, y);
            }
            merged_apart::<R>(&{ sums }).merge(fold_few(rest_of_x, rest_of_y, step))
        },
    )
}

/// Of a few pairs at once, then one by one.
#[inline(always)]
fn fold_few<S: Copy, R: Real>(x: &[S], y: &[S], step: &impl Step<S, R>) -> R::Sum {
    let (mut sums, mut rest) = (SumsOf::<R, PARALLEL_SUMS>::ZERO, SumsOf::<R, 1>::ZERO);
    let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks(), y.as_chunks());
    for (x, y) in x.iter().zip(y) {
        sums = step.add(sums, x, y);
    }
    for (&x, &y) in rest_of_x.iter().zip(rest_of_y) {
        rest = step.add(rest, &[x], &[y]);
    }
    merged(sums.sums(), R::Sum::merge).merge(merged(rest.sums(), R::Sum::merge))
}

/// The sums in one. Out of line, for sums that are an array are vectors in the loop before. Lent a copy of them, lest that loop
/// write them to memory at each step.
#[inline(never)]
fn merged_apart<R: Real>(sums: &SumsOf<R, SUMS>) -> R::Sum {
    R::vectorize(
        #[inline(always)]
        || merged(sums.sums(), R::Sum::merge),
    )
}

/// The sum of `term(x, y)` over the pairs of two rows.
#[inline(always)]
pub(crate) fn sum_of_pairs<R: Real>(x: &[R], y: &[R], term: impl Fn(R, R) -> R::Working) -> R::Working {
    R::working_total(fold_pairs::<R, R>(x, y, &Terms(term)))
}

/// The sum of `term(x)` for each of `row`.
#[inline(always)]
pub(crate) fn sum_of<R: Real>(row: &[R], term: impl Fn(R) -> R::Working) -> R::Sum {
    let step = Terms(
        #[inline(always)]
        |x, _| term(x),
    );
    fold_pairs::<R, R>(row, row, &step)
}

/// The sum of the products of both `factors(x, y)`, none of which is rounded, over the pairs of two rows.
#[inline(always)]
pub(crate) fn dot<S: Copy, R: Real>(x: &[S], y: &[S], factors: impl Fn(S, S) -> (R, R)) -> R::Sum {
    fold_pairs(x, y, &Products(factors))
}

/// The sums of the products of two rows: of x with itself, of y with itself, and of both; none of them is rounded.
#[inline(always)]
pub(crate) fn dots<R: Real>(x: &[R], y: &[R]) -> [R::Sum; 3] {
    // Sums that keep what they lose are too many for the registers.
    if R::HAS_VECTORS && R::HAS_EXTRA_DIGITS && x.len() >= SUMS {
        return dots_at_once(x, y);
    }
    [dot(x, x, pair), dot(y, y, pair), dot(x, y, pair)]
}

/// Returns what [`dots`] returns, with the three sums added up together.
#[inline(never)]
fn dots_at_once<R: Real>(x: &[R], y: &[R]) -> [R::Sum; 3] {
    // The first half of the lanes of every chunk, then the second half. The result is that of one pass over all lanes.
    let halves = [dots_of_half::<R, 0>(x, y), dots_of_half::<R, 1>(x, y)];
    R::vectorize(
        #[inline(always)]
        || {
            let (rest_of_x, rest_of_y) = (x.as_chunks::<SUMS>().1, y.as_chunks::<SUMS>().1);
            let rest_of = |x, y| fold_few(x, y, &Products(pair));
            let sum_of = |product: usize, rest: R::Sum| {
                let ([mut sums, others], merge) = (halves.map(|half| half[product].sums()), R::Sum::merge);
                sums.iter_mut().zip(others).for_each(|(sum, other)| *sum = merge(*sum, other));
                merged(sums, merge).merge(rest)
            };
            [
                sum_of(0, rest_of(rest_of_x, rest_of_x)),
                sum_of(1, rest_of(rest_of_y, rest_of_y)),
                sum_of(2, rest_of(rest_of_x, rest_of_y)),
            ]
        },
    )
}

/// Returns the three sums over one half of the lanes of every chunk: the first half if `WHICH` is 0, the second if it is 1.
///
/// AVX2 has 16 registers of 4 sums: three times 16 lanes fit, with room for the numbers. Of three times 32 lanes LLVM spills
/// half, and how many instructions that takes differs by a third from build to build (`scripts/instructions`).
#[inline(never)]
fn dots_of_half<R: Real, const WHICH: usize>(x: &[R], y: &[R]) -> [SumsOf<R, LANES>; 3] {
    R::vectorize(
        #[inline(always)]
        || {
            let [mut xx, mut yy, mut xy] = [SumsOf::<R, LANES>::ZERO; 3];
            for (x, y) in x.as_chunks::<SUMS>().0.iter().zip(y.as_chunks::<SUMS>().0) {
                let (x, y) = (&x.as_chunks::<LANES>().0[WHICH], &y.as_chunks::<LANES>().0[WHICH]);
                prefetch::ahead_of(x);
                prefetch::ahead_of(y);
                xx = xx.plus_products(*x, *x);
                yy = yy.plus_products(*y, *y);
                xy = xy.plus_products(*x, *y);
            }
            [xx, yy, xy]
        },
    )
}

/// The factors of a product of both.
#[inline(always)]
pub(crate) fn pair<R>(x: R, y: R) -> (R, R) {
    (x, y)
}

/// The sum of `term(i)` for i from 0 to `n`.
#[inline(always)]
pub(crate) fn sum<R: Real>(n: usize, term: impl Fn(usize) -> R) -> R::Sum {
    if !R::HAS_VECTORS {
        return sum_plainly(n, &term);
    }
    let (mut sums, whole) = (SumsOf::<R, PARALLEL_SUMS>::ZERO, n - n % PARALLEL_SUMS);
    for at in (0..whole).step_by(PARALLEL_SUMS) {
        sums = sums.plus(std::array::from_fn(|lane| term(at + lane)));
    }
    let rest = (whole..n).fold(R::Sum::ZERO, |sum, at| sum.plus(term(at)));
    merged(sums.sums(), R::Sum::merge).merge(rest)
}

/// [`sum`] in the same order. Compiled once for all terms.
fn sum_plainly<R: Real>(n: usize, term: &dyn Fn(usize) -> R) -> R::Sum {
    let (mut sums, mut rest) = ([R::Sum::ZERO; PARALLEL_SUMS], R::Sum::ZERO);
    for at in 0..n {
        let sum = if at < n / PARALLEL_SUMS * PARALLEL_SUMS { &mut sums[at % PARALLEL_SUMS] } else { &mut rest };
        *sum = sum.plus(term(at));
    }
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
        return row.iter().enumerate().fold(R::Sum::ZERO, |sum, (at, &x)| {
            let term = term(x);
            keep(at, &[term]);
            if at == left_out { sum } else { sum.plus(term) }
        });
    }
    let Some(Short { lanes, repeated }) = Short::new(row) else {
        return sum_in_blocks(row, left_out, term, keep);
    };
    let mut terms = terms_of(&lanes, term);
    match repeated {
        Range { start: HALF, .. } => {
            keep(0, &terms[..HALF]);
            keep(row.len() - HALF, &terms[HALF..]);
        }
        Range { start, .. } => keep(0, &terms[..start]),
    }
    let left_out = if left_out < repeated.start { left_out } else { left_out.wrapping_add(repeated.len()) };
    // Of 32 bits and without a branch, to vectorise.
    let [left_out, start, end] = [left_out, repeated.start, repeated.end].map(|lane| lane as u32);
    for (lane, term) in (0..).zip(&mut terms) {
        let is_out = (lane == left_out) | ((lane >= start) & (lane < end));
        *term = if is_out { R::ZERO } else { *term };
    }
    merged(SumsOf::<R, LANES>::ZERO.plus(terms).sums(), Sum::merge)
}

/// How many terms are worked out before any is added: only so do both vectorise.
const BLOCK: usize = 8 * SUMS;

/// As [`sum_of_others`], of a row that is not short.
#[inline(always)]
fn sum_in_blocks<S: Copy, R: Real>(
    row: &[S],
    left_out: usize,
    term: impl Fn(S) -> R,
    mut keep: impl FnMut(usize, &[R]),
) -> R::Sum {
    let mut sums = SumsOf::<R, SUMS>::ZERO;
    let mut terms = [R::ZERO; BLOCK];
    for start in (0..row.len()).step_by(BLOCK) {
        let block = &row[start..row.len().min(start + BLOCK)];
        let (chunks, rest) = block.as_chunks::<LANES>();
        for (terms, chunk) in terms.as_chunks_mut::<LANES>().0.iter_mut().zip(chunks) {
            *terms = terms_of(chunk, &term);
        }
        // What is left over makes one more array, with elements before it that have been seen.
        if let Some(last) = row[..start + block.len()].last_chunk::<LANES>()
            && !rest.is_empty()
        {
            let rest_of_terms = &terms_of(last, &term)[LANES - rest.len()..];
            terms[block.len() - rest.len()..][..rest.len()].copy_from_slice(rest_of_terms);
        }
        keep(start, &terms[..block.len()]);
        let whole = block.len().next_multiple_of(SUMS);
        terms[block.len()..whole].fill(R::ZERO);
        if let Some(term) = terms[..block.len()].get_mut(left_out.wrapping_sub(start)) {
            *term = R::ZERO;
        }
        for &terms in terms[..whole].as_chunks::<SUMS>().0 {
            sums = sums.plus(terms);
        }
    }
    merged_apart::<R>(&sums)
}

/// The terms of a chunk.
#[inline(always)]
fn terms_of<S: Copy, R: Real, const N: usize>(chunk: &[S; N], term: impl Fn(S) -> R) -> [R; N] {
    let mut terms = [R::ZERO; N];
    for (to, &x) in terms.iter_mut().zip(chunk) {
        *to = term(x);
    }
    terms
}

/// A row in arrays of `N` elements, each with its place. Where `N` does not divide the length, the last one begins with
/// elements that the one before ends with. A row that is shorter has none.
#[inline(always)]
fn overlapping<S, const N: usize>(row: &[S]) -> impl Iterator<Item = (usize, &[S; N])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= row.len() {
            return None;
        }
        let at = start.min(row.len().checked_sub(N)?);
        start += N;
        Some((at, row[at..].first_chunk()?))
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
        row.first()?;
        let (start, end, repeated) = match (row.first_chunk::<HALF>(), row.last_chunk::<HALF>()) {
            (Some(&start), Some(&end)) => (start, end, HALF..HALF + LANES - count),
            _ => {
                let half = std::array::from_fn(|lane| row[lane.min(count - 1)]);
                (half, half, count..LANES)
            }
        };
        // Places that are known beforehand, so that the lanes stay in registers.
        let lanes = std::array::from_fn(|lane| if lane < HALF { start[lane] } else { end[lane - HALF] });
        Some(Self { lanes, repeated })
    }
}

/// All lanes in one: halves are merged side by side.
#[inline(always)]
pub(crate) fn merged<T: Copy, const N: usize>(mut lanes: [T; N], merge: impl Fn(T, T) -> T) -> T {
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
    for (_, chunk) in overlapping::<R, N>(row) {
        prefetch::ahead_of(chunk);
        for (maximum, &x) in maxima.iter_mut().zip(chunk) {
            *maximum = larger(*maximum, x);
        }
    }
    let maximum = merged(maxima, larger);
    for (at, chunk) in overlapping::<R, N>(row) {
        let is_here = chunk.iter().fold(false, |is_here, &x| is_here | (x == maximum));
        if is_here {
            return (maximum, at + first_lane(chunk, maximum));
        }
    }
    (maximum, row.len())
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
