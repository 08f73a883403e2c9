//! Products of matrices.

use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use super::sum::two_sum;
use super::{CompensatedSum, Real, Sum};
use crate::fold;

/// How many sums are worked on at once.
const LANES: usize = 16;

/// From so many terms on, a few of them are added up plainly before they join the sum.
const MANY: usize = 16;
const FEW: usize = <CompensatedSum<f64> as Sum<f64>>::PLAIN;

/// The terms of a tile, which stays in the first cache.
const TILE: usize = 128;

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

/// [`add_product`] for f64.
pub(super) fn add_product_of_f64(
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
    sums: ArrayViewMut2<'_, CompensatedSum<f64>>,
) {
    if b.nrows() < MANY {
        return add_product(a, b, sums);
    }
    let a = a.as_standard_layout();
    f64::vectorize(
        #[inline(always)]
        || add_tiles(a.view(), b, sums),
    );
}

/// The same, with copies of stretches of a few columns, which all rows of `a` meet.
#[inline(always)]
fn add_tiles(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, mut sums: ArrayViewMut2<'_, CompensatedSum<f64>>) {
    let mut tile = [[0.0; LANES]; TILE];
    for (b, mut sums) in b.axis_chunks_iter(Axis(1), LANES).zip(sums.axis_chunks_iter_mut(Axis(1), LANES)) {
        let mut totals = vec![Totals::default(); a.nrows()];
        for (start, b) in (0..).step_by(TILE).zip(b.axis_chunks_iter(Axis(0), TILE)) {
            for (lane, column) in b.axis_iter(Axis(1)).enumerate() {
                for (row, &x) in tile.iter_mut().zip(column) {
                    row[lane] = x;
                }
            }
            let a = a.slice(s![.., start..start + b.nrows()]);
            for (row, totals) in a.outer_iter().zip(&mut totals) {
                totals.add_products(row.to_slice().unwrap_or_default(), &tile[..b.nrows()]);
            }
        }
        for (sums, totals) in sums.outer_iter_mut().zip(totals) {
            for (lane, sum) in sums.into_iter().enumerate() {
                *sum = sum.merge(CompensatedSum::new(totals.sums[lane], totals.lost[lane]));
            }
        }
    }
}

/// A [`CompensatedSum`] in each lane, in the order in which the processor takes them.
#[derive(Clone, Default)]
struct Totals {
    sums: [f64; LANES],
    lost: [f64; LANES],
}

impl Totals {
    /// Adds to each lane its products with the coefficients.
    #[inline(always)]
    fn add_products(&mut self, coefficients: &[f64], rows: &[[f64; LANES]]) {
        for (coefficients, rows) in coefficients.chunks(FEW).zip(rows.chunks(FEW)) {
            let mut plain = [0.0; LANES];
            for (coefficient, row) in coefficients.iter().zip(rows) {
                for lane in 0..LANES {
                    plain[lane] = coefficient.mul_add(row[lane], plain[lane]);
                }
            }
            for ((sum, total_lost), term) in self.sums.iter_mut().zip(&mut self.lost).zip(plain) {
                let (with_term, lost) = two_sum(*sum, term);
                *sum = with_term;
                *total_lost += lost;
            }
        }
    }
}

/// The same where the rows of `a` and the columns of `b`, given as rows, lie in order.
#[inline(always)]
fn add_dots<R: Real>(a: ArrayView2<'_, R>, columns: ArrayView2<'_, R>, mut sums: ArrayViewMut2<'_, R::Sum>) {
    let terms = a.ncols();
    let (a, columns) = (a.to_slice().unwrap_or_default(), columns.to_slice().unwrap_or_default());
    for ((i, j), sum) in sums.indexed_iter_mut() {
        let (row, column) = (&a[i * terms..][..terms], &columns[j * terms..][..terms]);
        *sum = sum.merge(fold::dot(row, column, |a, b| (a, b)));
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
