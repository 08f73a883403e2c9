//! Products of matrices.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::{Real, Sum};
use crate::fold;

/// How many sums are worked on at once.
const LANES: usize = 32;

/// Adds to each of `sums` (M, N) the products of a row of `a` (M, K) and a column of `b` (K, N).
pub(super) fn add_product<R: Real>(a: ArrayView2<'_, R>, b: ArrayView2<'_, R>, sums: ArrayViewMut2<'_, R::Sum>) {
    let b_rows = b.as_standard_layout();
    let b_columns = b.t();
    R::vectorize(
        #[inline(always)]
        || match b_columns.is_standard_layout() {
            true => add_dots(a, b_columns, sums),
            false => add_rows(a, b_rows.view(), sums),
        },
    );
}

/// The same where the columns lie in order, given as rows.
#[inline(always)]
fn add_dots<R: Real>(a: ArrayView2<'_, R>, columns: ArrayView2<'_, R>, mut sums: ArrayViewMut2<'_, R::Sum>) {
    for (column, mut sums) in columns.outer_iter().zip(sums.axis_iter_mut(Axis(1))) {
        let Some(column) = column.to_slice() else { continue };
        for (row, sum) in a.outer_iter().zip(sums.iter_mut()) {
            let product = match row.to_slice() {
                Some(row) => fold::dot(column.len(), |k| (row[k], column[k])),
                None => fold::dot(column.len(), |k| (row[k], column[k])),
            };
            *sum = sum.merge(product);
        }
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
