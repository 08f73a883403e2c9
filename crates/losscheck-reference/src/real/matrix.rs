//! Products of matrices.

mod blocks;

use std::marker::PhantomData;

use ndarray::{ArrayView2, ArrayViewMut2};

pub(super) use self::blocks::{Compensated, Exact};
use self::blocks::{Product, Totals};
use super::{Real, Sum};
use crate::{fold, processor};

/// How many sums are worked on at once.
const LANES: usize = 16;
/// From so many terms on, blocks are worth their copying.
const WORTH_COPYING: usize = 16;
/// Fewer columns would leave most lanes of a block empty.
const COLUMNS: usize = 3;

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

/// [`add_product`] in blocks of f64.
pub(super) fn add_product_in_blocks<R: Real, T: Totals<R>>(
    a: ArrayView2<'_, R>,
    b: ArrayView2<'_, R>,
    sums: ArrayViewMut2<'_, R::Sum>,
) {
    let is_b_by_columns = b.t().is_standard_layout();
    if b.nrows() < WORTH_COPYING || is_b_by_columns && a.nrows() < COLUMNS {
        return add_product(a, b, sums);
    }
    // Whichever has rows in order is not to be copied.
    let (a, b, sums) = if is_b_by_columns { (b.t(), a.t(), sums.reversed_axes()) } else { (a, b, sums) };
    let a = a.as_standard_layout();
    processor::dispatch(Product::<R, T> { a: a.view(), b, sums, totals: PhantomData });
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
