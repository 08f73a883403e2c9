//! Products of matrices.

use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use super::sum::two_sum;
use super::{CompensatedSum, Real, Sum};
use crate::fold;

/// How many sums are worked on at once.
const LANES: usize = 16;

/// From so many terms on, tiles are worth their copying.
const MANY: usize = 16;
/// The terms that are added up plainly before they join a sum.
const FEW: usize = <CompensatedSum<f64> as Sum<f64>>::PLAIN;

/// The terms of a tile, which stays in the first cache.
const TILE: usize = 128;
/// The rows that go through a tile together.
const ROWS: usize = 2;

/// Adds to each of `sums` (M, N) the products of a row of `a` (M, K) and a column of `b` (K, N).
pub(super) fn add_product<R: Real>(a: ArrayView2<'_, R>, b: ArrayView2<'_, R>, sums: ArrayViewMut2<'_, R::Sum>) {
    let columns = b.t();
    if columns.is_standard_layout() {
        let a = a.as_standard_layout();
        R::vectorize(
            #[inline(always)]
            || add_dots(a.view(), columns, sums),
        );
    } else {
        let b = b.as_standard_layout();
        R::vectorize(
            #[inline(always)]
            || add_rows(a, b.view(), sums),
        );
    }
}

/// [`add_product`] in tiles of f64.
pub(super) fn add_product_in_tiles<R: Real, T: Totals<R>>(
    a: ArrayView2<'_, R>,
    b: ArrayView2<'_, R>,
    sums: ArrayViewMut2<'_, R::Sum>,
) {
    let is_b_by_columns = b.t().is_standard_layout();
    // The rows of `a` would not fill the lanes.
    let leaves_lanes_empty = is_b_by_columns && a.nrows() < LANES;
    if b.nrows() < MANY || leaves_lanes_empty {
        return add_product(a, b, sums);
    }
    // Whichever has rows in order is not to be copied.
    let (a, b, sums) = if is_b_by_columns { (b.t(), a.t(), sums.reversed_axes()) } else { (a, b, sums) };
    let a = a.as_standard_layout();
    R::vectorize(
        #[inline(always)]
        || add_tiles::<R, T>(a.view(), b, sums),
    );
}

/// The same, with copies of stretches of a few columns, which all rows of `a` meet.
#[inline(always)]
fn add_tiles<R: Real, T: Totals<R>>(a: ArrayView2<'_, R>, b: ArrayView2<'_, R>, mut sums: ArrayViewMut2<'_, R::Sum>) {
    let mut tile = vec![[0.0; LANES]; b.nrows().min(TILE)];
    let mut coefficients = [[0.0; TILE]; ROWS];
    for (b, mut sums) in b.axis_chunks_iter(Axis(1), LANES).zip(sums.axis_chunks_iter_mut(Axis(1), LANES)) {
        let mut totals = vec![[T::ZERO; ROWS]; a.nrows().div_ceil(ROWS)];
        for (start, b) in (0..).step_by(TILE).zip(b.axis_chunks_iter(Axis(0), TILE)) {
            let terms = b.nrows();
            copy(b, &mut tile);
            let a = a.slice(s![.., start..start + terms]);
            for (totals, rows) in totals.iter_mut().zip(a.axis_chunks_iter(Axis(0), ROWS)) {
                for (to, row) in coefficients.iter_mut().zip(rows.outer_iter()) {
                    widen(row.to_slice().unwrap_or_default(), to);
                }
                T::add_products(totals, coefficients.each_ref().map(|row| &row[..terms]), &tile[..terms]);
            }
        }
        for (sums, totals) in sums.outer_iter_mut().zip(totals.into_iter().flatten()) {
            for (lane, sum) in sums.into_iter().enumerate() {
                *sum = sum.merge(totals.sum(lane));
            }
        }
    }
}

/// Copies a few columns.
#[inline(always)]
fn copy<R: Real>(b: ArrayView2<'_, R>, tile: &mut [[f64; LANES]]) {
    for (to, row) in tile.iter_mut().zip(b.outer_iter()) {
        match row.to_slice() {
            Some(row) => widen(row, to),
            None => to.iter_mut().zip(row).for_each(|(to, x)| *to = x.to_f64()),
        }
    }
}

#[inline(always)]
fn widen<R: Real>(from: &[R], to: &mut [f64]) {
    to.iter_mut().zip(from).for_each(|(to, x)| *to = x.to_f64());
}

/// The sums in the lanes of a row.
pub(super) trait Totals<R: Real>: Copy {
    const ZERO: Self;

    /// Adds to each lane of each row its products with the row's coefficients.
    fn add_products(totals: &mut [Self; ROWS], coefficients: [&[f64]; ROWS], tile: &[[f64; LANES]]);

    fn sum(&self, lane: usize) -> R::Sum;
}

/// A sum in each lane, of numbers of so few digits that their products are exact.
#[derive(Clone, Copy)]
pub(super) struct Exact([f64; LANES]);

impl Totals<f32> for Exact {
    const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    fn add_products(totals: &mut [Self; ROWS], coefficients: [&[f64]; ROWS], tile: &[[f64; LANES]]) {
        let mut sums = [[0.0; LANES]; ROWS];
        let [first, second] = coefficients;
        for ((row, &first), &second) in tile.iter().zip(first).zip(second) {
            for (sums, coefficient) in sums.iter_mut().zip([first, second]) {
                for lane in 0..LANES {
                    sums[lane] = coefficient.mul_add(row[lane], sums[lane]);
                }
            }
        }
        for (total, sums) in totals.iter_mut().zip(sums) {
            total.0.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
    }

    #[inline(always)]
    fn sum(&self, lane: usize) -> f64 {
        self.0[lane]
    }
}

/// A [`CompensatedSum`] in each lane, in the order in which the processor takes them.
#[derive(Clone, Copy)]
pub(super) struct Compensated {
    sums: [f64; LANES],
    lost: [f64; LANES],
}

impl Totals<f64> for Compensated {
    const ZERO: Self = Self { sums: [0.0; LANES], lost: [0.0; LANES] };

    #[inline(always)]
    fn add_products(totals: &mut [Self; ROWS], coefficients: [&[f64]; ROWS], tile: &[[f64; LANES]]) {
        for (total, coefficients) in totals.iter_mut().zip(coefficients) {
            for (coefficients, rows) in coefficients.chunks(FEW).zip(tile.chunks(FEW)) {
                let mut plain = [0.0; LANES];
                for (coefficient, row) in coefficients.iter().zip(rows) {
                    for lane in 0..LANES {
                        plain[lane] = coefficient.mul_add(row[lane], plain[lane]);
                    }
                }
                for ((sum, total_lost), term) in total.sums.iter_mut().zip(&mut total.lost).zip(plain) {
                    let (with_term, lost) = two_sum(*sum, term);
                    *sum = with_term;
                    *total_lost += lost;
                }
            }
        }
    }

    #[inline(always)]
    fn sum(&self, lane: usize) -> CompensatedSum<f64> {
        CompensatedSum::new(self.sums[lane], self.lost[lane])
    }
}

/// The same where the rows of `a` and the columns of `b`, given as rows, lie in order.
#[inline(always)]
fn add_dots<R: Real>(a: ArrayView2<'_, R>, columns: ArrayView2<'_, R>, mut sums: ArrayViewMut2<'_, R::Sum>) {
    let terms = a.ncols();
    let (a, columns) = (a.to_slice().unwrap_or_default(), columns.to_slice().unwrap_or_default());
    for ((i, j), sum) in sums.indexed_iter_mut() {
        let (row, column) = (&a[i * terms..][..terms], &columns[j * terms..][..terms]);
        *sum = sum.merge(fold::dot(row, column, fold::pair));
    }
}

/// The same where the rows of `b` lie in order.
#[inline(always)]
fn add_rows<R: Real>(a: ArrayView2<'_, R>, b: ArrayView2<'_, R>, mut sums: ArrayViewMut2<'_, R::Sum>) {
    let width = b.ncols();
    let b = b.to_slice().unwrap_or_default();
    for (coefficients, mut sums) in a.outer_iter().zip(sums.outer_iter_mut()) {
        for start in (0..width).step_by(LANES) {
            let end = width.min(start + LANES);
            let mut block = [R::Sum::ZERO; LANES];
            for (k, &coefficient) in coefficients.iter().enumerate() {
                for (sum, &x) in block.iter_mut().zip(&b[k * width..][start..end]) {
                    *sum = sum.plus_product(coefficient, x);
                }
            }
            for (sum, block) in sums.iter_mut().skip(start).zip(&block[..end - start]) {
                *sum = sum.merge(*block);
            }
        }
    }
}
