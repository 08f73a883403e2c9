//! Folds over several rows at once, which stand side by side: the first array holds the first element of each. That of a
//! single row runs along it, that of more across them.

use super::{SumsOf, max, sum_of, sum_of_others};
use crate::real::SumLanes;
use crate::{Real, Sum};

/// A row by itself.
#[inline(always)]
pub(crate) fn single<R>(row: &[R]) -> &[[R; 1]] {
    row.as_chunks().0
}

/// The same, to write.
#[inline(always)]
pub(crate) fn single_mut<R>(row: &mut [R]) -> &mut [[R; 1]] {
    row.as_chunks_mut().0
}

/// What `of` makes of each row's number.
#[inline(always)]
pub(crate) fn each<R: Real, const N: usize>(of: impl Fn(usize) -> R) -> [R; N] {
    // `array::from_fn` is not inlined for so many.
    let mut all = [R::ZERO; N];
    for (row, to) in all.iter_mut().enumerate() {
        *to = of(row);
    }
    all
}

/// Places in 32 bits, to vectorise comparisons with them.
#[inline(always)]
fn narrow<const N: usize>(places: [usize; N]) -> [u32; N] {
    places.map(|place| place as u32)
}

/// The other way round.
#[inline(always)]
fn widen<const N: usize>(places: [u32; N]) -> [usize; N] {
    places.map(|place| place as usize)
}

/// The element of each row at its place.
#[inline(always)]
pub(crate) fn element_of_each<R: Real, const N: usize>(rows: &[[R; N]], places: [usize; N]) -> [R; N] {
    each(
        #[inline(always)]
        |row| rows[places[row]][row],
    )
}

/// [`max`] of each row.
#[inline(always)]
pub(crate) fn max_of_each<R: Real, const N: usize>(rows: &[[R; N]]) -> ([R; N], [usize; N]) {
    if N == 1 {
        let (maximum, place) = max(rows.as_flattened());
        return ([maximum; N], [place; N]);
    }
    let mut maxima = [R::from_f64(f64::NEG_INFINITY); N];
    let mut places = [0; N];
    for (at, elements) in (0..).zip(rows) {
        for row in 0..N {
            let is_larger = elements[row] > maxima[row];
            maxima[row] = if is_larger { elements[row] } else { maxima[row] };
            places[row] = if is_larger { at } else { places[row] };
        }
    }
    (maxima, widen(places))
}

/// [`sum_of_others`] of each row; the term takes the row's number, too.
#[inline(always)]
pub(crate) fn sum_of_others_of_each<S: Copy, R: Real, const N: usize>(
    rows: &[[S; N]],
    left_out: [usize; N],
    term: impl Fn(usize, S) -> R,
    mut keep: impl FnMut(usize, &[[R; N]]),
) -> [R::Sum; N] {
    if N == 1 {
        let sum = sum_of_others(
            rows.as_flattened(),
            left_out[0],
            #[inline(always)]
            |x| term(0, x),
            #[inline(always)]
            |at, terms| keep(at, terms.as_chunks().0),
        );
        return [sum; N];
    }
    let left_out = narrow(left_out);
    let mut sums = SumsOf::<R, N>::ZERO;
    for (at, elements) in rows.iter().enumerate() {
        let terms: [_; N] = each(
            #[inline(always)]
            |row| term(row, elements[row]),
        );
        keep(at, &[terms]);
        let others: [_; N] = each(
            #[inline(always)]
            |row| if left_out[row] == at as u32 { R::ZERO } else { terms[row] },
        );
        sums = sums.plus(others);
    }
    sums.sums()
}

/// [`sum_of_others_of_each`] of terms with guard digits, none of which is kept. Both have a loop of their own: in one that takes
/// the addition as an argument f64 is half as quick.
#[inline(always)]
pub(crate) fn guarded_sum_of_others_of_each<R: Real, const N: usize>(
    rows: &[[R; N]],
    left_out: [usize; N],
    term: impl Fn(usize, R) -> R::Working,
) -> [R::Sum; N] {
    if N == 1 {
        let (before, rest) = rows.as_flattened().split_at(left_out[0]);
        let after = rest.get(1..).unwrap_or_default();
        return [sum_of(before, |x| term(0, x)).merge(sum_of(after, |x| term(0, x))); N];
    }
    let left_out = narrow(left_out);
    let mut sums = SumsOf::<R, N>::ZERO;
    for (at, elements) in rows.iter().enumerate() {
        let terms: [_; N] = each(
            #[inline(always)]
            |row| term(row, elements[row]),
        );
        let others: [_; N] = each(
            #[inline(always)]
            |row| if left_out[row] == at as u32 { R::Working::ZERO } else { terms[row] },
        );
        sums = R::plus_each_working(sums, others);
    }
    sums.sums()
}
