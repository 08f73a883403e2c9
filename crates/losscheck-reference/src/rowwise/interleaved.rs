//! Rows of few classes, worked on side by side: a row by itself would leave most of a vector empty, and the steps that it
//! takes once would be taken one at a time.

use ndarray::ArrayViewMutD;

use super::{Chunk, RowGradients, Rows, Rowwise, Targets};
use crate::fold::{self, SumsOf};
use crate::lanes::{LaneSinks, LaneSource};
use crate::real::SumLanes;
use crate::reduction::Losses;
use crate::{Backward, Error, Real, Sum};

/// How many rows stand side by side.
const ROWS: usize = 32;
/// With fewer there would be more empty places than rows.
const FEW_ROWS: usize = ROWS / 2;
/// Rows of more classes fill vectors of their own.
const FEW_CLASSES: usize = 64;

/// The formula of a loss of rows side by side, be it a single one: `scores[c][n]` is that of class c in row n, and each target
/// is a class.
///
/// No row may touch another, for places without a row hold anything, and what comes of them is thrown away.
pub trait Interleaved<R: Real>: Sync {
    /// The losses of the rows.
    fn values<const N: usize>(&self, scores: &[[R; N]], targets: [usize; N]) -> [R; N];

    /// The losses; writes each cotangent times its gradients, over whatever was there.
    fn values_and_pullbacks<const N: usize>(
        &self,
        cotangents: [R; N],
        scores: &[[R; N]],
        targets: [usize; N],
        gradients: &mut [[R; N]],
    ) -> [R; N];
}

/// The same of one row after the other.
struct OneByOne<'f, F>(&'f F);

impl<R: Real, F: Interleaved<R>> Rowwise<R, usize> for OneByOne<'_, F> {
    #[inline(always)]
    fn value(&self, scores: &[R], target: usize) -> R {
        let [value] = self.0.values(fold::single(scores), [target]);
        value
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, scores: &[R], target: usize, gradients: RowGradients<'_, R>) -> R {
        let gradient = fold::single_mut(gradients.scores);
        let [value] = self.0.values_and_pullbacks([cotangent], fold::single(scores), [target], gradient);
        value
    }
}

impl<R: Real, T: for<'r> Targets<R, Row<'r> = usize>> Rows<'_, R, T> {
    /// Runs the formula over all rows, side by side where they are short.
    ///
    /// # Errors
    ///
    /// As [`Rows::evaluate_into`].
    pub fn evaluate_side_by_side_into<const K: usize>(
        &self,
        formula: &impl Interleaved<R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, K>>,
    ) -> Result<(), Error> {
        // A value takes all scores.
        self.evaluate_pieces(value, backward, true, &|chunk, cotangent| {
            R::fast_or_plain(
                chunk,
                #[inline(always)]
                |chunk| {
                    if chunk.is_for_side_by_side() {
                        chunk.run_side_by_side(formula, cotangent)
                    } else {
                        chunk.run(&OneByOne(formula), cotangent)
                    }
                },
                |chunk| {
                    // The first is a constant: types without vectors have no rows side by side.
                    if R::HAS_VECTORS && chunk.is_for_side_by_side() {
                        chunk.run_side_by_side(formula, cotangent)
                    } else {
                        chunk.run_plainly(&OneByOne(formula), cotangent)
                    }
                },
            )
        })
    }
}

impl<R: Real, T: for<'r> Targets<R, Row<'r> = usize>> Chunk<'_, R, T> {
    fn is_for_side_by_side(&self) -> bool {
        let [classes, rows] = self.classes_and_rows();
        classes < FEW_CLASSES && rows >= FEW_ROWS
    }

    fn classes_and_rows(&self) -> [usize; 2] {
        let classes = self.scores.shape()[self.class_axis];
        [classes, self.scores.len() / classes.max(1)]
    }

    /// Runs the formula over the rows, side by side, and returns the sum of the losses that have no places of their own.
    #[inline(always)]
    fn run_side_by_side(&mut self, formula: &impl Interleaved<R>, common_cotangent: Option<R>) -> R::Sum {
        let axis = self.class_axis;
        let backs = common_cotangent.is_some();
        let [classes, mut rows_left] = self.classes_and_rows();
        let mut scores = LaneSource::new(&self.scores, axis);
        let mut targets = self.targets.iter(axis);
        let mut cotangents = self.cotangents.as_ref().map(|cotangents| cotangents.iter());
        let mut gradients = LaneSinks::new(self.score_gradient.as_mut(), axis, classes);
        let mut losses = Losses::new(self.losses.as_mut());
        let mut sums = SumsOf::<R, ROWS>::ZERO;
        let mut scores_of_rows = vec![[R::ZERO; ROWS]; classes];
        let mut gradients_of_rows = vec![[R::ZERO; ROWS]; if backs { classes } else { 0 }];
        while rows_left > 0 {
            let rows = rows_left.min(ROWS);
            rows_left -= rows;
            // What stands in places without a row, and in those of an ignored one, counts for nothing.
            let mut is_counted = [false; ROWS];
            let mut targets_of_rows = [0; ROWS];
            let mut cotangents_of_rows = [common_cotangent.unwrap_or(R::ONE); ROWS];
            scores.next_side_by_side(&mut scores_of_rows);
            for row in 0..rows {
                if let Some(target) = T::next(&mut targets) {
                    (is_counted[row], targets_of_rows[row]) = (true, target);
                }
                if let Some(&cotangent) = cotangents.as_mut().and_then(Iterator::next) {
                    cotangents_of_rows[row] = cotangent;
                }
            }
            let values = if backs {
                let gradients = &mut gradients_of_rows[..];
                formula.values_and_pullbacks(cotangents_of_rows, &scores_of_rows, targets_of_rows, gradients)
            } else {
                formula.values(&scores_of_rows, targets_of_rows)
            };
            let counted = |row: usize, x: R| if is_counted[row] { x } else { R::ZERO };
            if backs {
                for gradients in &mut gradients_of_rows {
                    *gradients = fold::each(|row| counted(row, gradients[row]));
                }
                gradients.write_side_by_side(&gradients_of_rows, rows);
            }
            sums = losses.add_each(sums, fold::each(|row| counted(row, values[row])));
        }
        fold::merged(sums.sums(), R::Sum::merge)
    }
}
