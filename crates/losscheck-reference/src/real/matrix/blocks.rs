//! Products of large matrices, in blocks of f64 that the caches hold.

use std::marker::PhantomData;

use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use pulp::{Simd, WithSimd, bytemuck};

use crate::{CompensatedSum, Real, Sum};

/// The columns of a panel, in vectors, and the rows that meet it at once: as many sums as the registers hold.
const VECTORS: usize = 2;
const ROWS: usize = 6;
/// The same for what is left of the rows.
const FEW_ROWS: usize = 2;
/// The lanes of the widest vectors of f64.
const MOST_LANES: usize = 8;
/// The terms of a panel, which the first cache holds.
const TERMS: usize = 256;
/// The rows and the columns of a block, which the second cache holds.
const BLOCK_ROWS: usize = 48;
const BLOCK_COLUMNS: usize = 256;
/// The terms that are added up plainly before they join a compensated sum.
const TERMS_PER_COMPENSATION: usize = <CompensatedSum<f64> as Sum<f64>>::TERMS_PER_COMPENSATION;

/// Adds to each of `sums` (M, N) the products of a row of `a` (M, K), whose rows lie in order, and a column of `b` (K, N).
pub(super) struct Product<'a, R: Real, T> {
    pub(super) a: ArrayView2<'a, R>,
    pub(super) b: ArrayView2<'a, R>,
    pub(super) sums: ArrayViewMut2<'a, R::Sum>,
    pub(super) totals: PhantomData<T>,
}

impl<R: Real, T: Totals<R>> WithSimd for Product<'_, R, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, b, mut sums, .. } = self;
        let width = VECTORS * S::F64_LANES;
        let columns = b.ncols().min(BLOCK_COLUMNS).next_multiple_of(width);
        let mut panels = vec![0.0; columns * b.nrows().min(TERMS)];
        let mut rows = vec![[0.0; TERMS]; a.nrows().next_multiple_of(ROWS).min(BLOCK_ROWS)];
        let blocks = b.axis_chunks_iter(Axis(1), BLOCK_COLUMNS);
        for (b, mut sums) in blocks.zip(sums.axis_chunks_iter_mut(Axis(1), BLOCK_COLUMNS)) {
            for (start, b) in (0..).step_by(TERMS).zip(b.axis_chunks_iter(Axis(0), TERMS)) {
                let terms = b.nrows();
                let panels = &mut panels[..b.ncols().next_multiple_of(width) * terms];
                for (panel, b) in panels.chunks_exact_mut(width * terms).zip(b.axis_chunks_iter(Axis(1), width)) {
                    fill_panel(panel, width, b);
                }
                let a = a.slice(s![.., start..start + terms]);
                let blocks = a.axis_chunks_iter(Axis(0), BLOCK_ROWS);
                for (a, sums) in blocks.zip(sums.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS)) {
                    for (to, row) in rows.iter_mut().zip(a.outer_iter()) {
                        widen(row.to_slice().unwrap_or_default(), to);
                    }
                    add_block::<S, R, T>(simd, &rows, terms, panels, sums);
                }
            }
        }
    }
}

/// Lays columns side by side; what is left of the panel is 0.
#[inline(always)]
fn fill_panel<R: Real>(panel: &mut [f64], width: usize, columns: ArrayView2<'_, R>) {
    if columns.ncols() < width {
        panel.fill(0.0);
    }
    if columns.t().is_standard_layout() || columns.ncols() == 1 {
        for (lane, column) in columns.columns().into_iter().enumerate() {
            for (to, x) in panel[lane..].iter_mut().step_by(width).zip(column) {
                *to = x.to_f64();
            }
        }
    } else {
        for (to, row) in panel.chunks_exact_mut(width).zip(columns.outer_iter()) {
            match row.to_slice() {
                Some(row) => widen(row, to),
                None => to.iter_mut().zip(row).for_each(|(to, x)| *to = x.to_f64()),
            }
        }
    }
}

#[inline(always)]
fn widen<R: Real>(from: &[R], to: &mut [f64]) {
    to.iter_mut().zip(from).for_each(|(to, x)| *to = x.to_f64());
}

/// Adds the products of a block's rows, of so many terms, and all panels.
#[inline(always)]
fn add_block<S: Simd, R: Real, T: Totals<R>>(
    simd: S,
    rows: &[[f64; TERMS]],
    terms: usize,
    panels: &[f64],
    mut sums: ArrayViewMut2<'_, R::Sum>,
) {
    let width = VECTORS * S::F64_LANES;
    for (panel, mut sums) in panels.chunks_exact(width * terms).zip(sums.axis_chunks_iter_mut(Axis(1), width)) {
        let panel = S::as_simd_f64s(panel).0.as_chunks::<VECTORS>().0;
        for (rows, mut sums) in rows.chunks(ROWS).zip(sums.axis_chunks_iter_mut(Axis(0), ROWS)) {
            let has_few = sums.nrows() <= FEW_ROWS;
            let row = |at: usize| &rows[at][..terms];
            if has_few {
                T::sum_products::<S, FEW_ROWS>(
                    simd,
                    std::array::from_fn(row),
                    panel,
                    #[inline(always)]
                    |row, totals| merge_row(&mut sums, row, totals),
                );
            } else {
                T::sum_products::<S, ROWS>(
                    simd,
                    std::array::from_fn(row),
                    panel,
                    #[inline(always)]
                    |row, totals| merge_row(&mut sums, row, totals),
                );
            }
        }
    }
}

/// Merges totals with the sums of a row. Those of rows and columns that are not there have no place.
#[inline(always)]
fn merge_row<R, S: Sum<R>>(sums: &mut ArrayViewMut2<'_, S>, row: usize, totals: &[S]) {
    if row >= sums.nrows() {
        return;
    }
    let mut sums = sums.row_mut(row);
    if let Some(sums) = sums.as_slice_mut() {
        sums.iter_mut().zip(totals).for_each(|(sum, &total)| *sum = sum.merge(total));
    } else {
        // By place, for an iterator takes longer to set up than a few sums take.
        for (column, &total) in totals.iter().enumerate() {
            if let Some(sum) = sums.get_mut(column) {
                *sum = sum.merge(total);
            }
        }
    }
}

/// What the sums of a block are kept in.
pub(in crate::real) trait Totals<R: Real> {
    /// Gives for each row, with its place, the sums of its products with the columns of a panel.
    fn sum_products<S: Simd, const N: usize>(
        simd: S,
        rows: [&[f64]; N],
        panel: &[[S::f64s; VECTORS]],
        add: impl FnMut(usize, &[R::Sum]),
    );
}

/// Plain sums, of numbers of so few digits that their products are exact.
pub(in crate::real) struct Exact;

impl Totals<f32> for Exact {
    #[inline(always)]
    fn sum_products<S: Simd, const N: usize>(
        simd: S,
        rows: [&[f64]; N],
        panel: &[[S::f64s; VECTORS]],
        mut add: impl FnMut(usize, &[f64]),
    ) {
        let mut sums = [[simd.splat_f64s(0.0); VECTORS]; N];
        let rows = rows.map(|row| &row[..panel.len()]);
        for (k, columns) in panel.iter().enumerate() {
            plus_products(simd, &mut sums, std::array::from_fn(|row| rows[row][k]), columns);
        }
        for (row, sums) in sums.iter().enumerate() {
            add(row, numbers::<S>(sums));
        }
    }
}

/// Compensated sums, which a few terms join together.
pub(in crate::real) struct Compensated;

impl Totals<f64> for Compensated {
    #[inline(always)]
    fn sum_products<S: Simd, const N: usize>(
        simd: S,
        rows: [&[f64]; N],
        panel: &[[S::f64s; VECTORS]],
        mut add: impl FnMut(usize, &[CompensatedSum<f64>]),
    ) {
        let zero = [[simd.splat_f64s(0.0); VECTORS]; N];
        let (mut sums, mut lost) = (zero, zero);
        let rows = rows.map(|row| &row[..panel.len()]);
        for start in (0..panel.len()).step_by(TERMS_PER_COMPENSATION) {
            let mut plain = zero;
            for k in start..panel.len().min(start + TERMS_PER_COMPENSATION) {
                plus_products(simd, &mut plain, std::array::from_fn(|row| rows[row][k]), &panel[k]);
            }
            for ((sums, lost), plain) in sums.iter_mut().zip(&mut lost).zip(plain) {
                for ((sum, lost), term) in sums.iter_mut().zip(lost).zip(plain) {
                    let with_term = simd.add_f64s(*sum, term);
                    let back = simd.sub_f64s(with_term, *sum);
                    let of_sum = simd.sub_f64s(*sum, simd.sub_f64s(with_term, back));
                    let of_term = simd.sub_f64s(term, back);
                    *lost = simd.add_f64s(*lost, simd.add_f64s(of_sum, of_term));
                    *sum = with_term;
                }
            }
        }
        for (row, (sums, lost)) in sums.iter().zip(&lost).enumerate() {
            const { assert!(S::F64_LANES <= MOST_LANES) };
            let mut totals = [CompensatedSum::ZERO; VECTORS * MOST_LANES];
            for (total, (&sum, &lost)) in totals.iter_mut().zip(numbers::<S>(sums).iter().zip(numbers::<S>(lost))) {
                *total = CompensatedSum::new(sum, lost);
            }
            add(row, &totals);
        }
    }
}

/// Adds to each row's sums the products of its coefficient and the columns.
#[inline(always)]
fn plus_products<S: Simd, const N: usize>(
    simd: S,
    sums: &mut [[S::f64s; VECTORS]; N],
    coefficients: [f64; N],
    columns: &[S::f64s; VECTORS],
) {
    for (sums, coefficient) in sums.iter_mut().zip(coefficients) {
        let coefficient = simd.splat_f64s(coefficient);
        for (sum, &column) in sums.iter_mut().zip(columns) {
            *sum = simd.mul_add_f64s(coefficient, column, *sum);
        }
    }
}

/// The numbers in vectors.
#[inline(always)]
fn numbers<S: Simd>(vectors: &[S::f64s; VECTORS]) -> &[f64] {
    bytemuck::cast_slice(vectors)
}
