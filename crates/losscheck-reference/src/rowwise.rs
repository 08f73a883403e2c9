//! The driver of losses over classes: the class dimension, class indices and probabilities, `ignore_index`, reduction
//! and cotangents.

mod interleaved;

use std::ops::Range;

use ndarray::{ArrayViewD, ArrayViewMutD, Axis};

pub use self::interleaved::Interleaved;
pub use crate::buffers::ElementSource;
use crate::lanes::LaneSinks;
pub use crate::lanes::LaneSource;
use crate::loss::{PreparedBackward, check_buffers, check_shape, find};
use crate::reduction::{self, Losses};
use crate::threads::{self, SplitWork};
use crate::{Backward, Error, Real, Reduction, Shapes, Sum};

/// The formula of a loss of one row of class scores, whose target is a `T`: a class, or a probability for each class.
pub trait Rowwise<R: Real, T>: Sync {
    /// The loss of the row.
    fn value(&self, scores: &[R], target: T) -> R;

    /// The loss; writes the cotangent times its gradients.
    fn value_and_pullback(&self, cotangent: R, scores: &[R], target: T, gradients: RowGradients<'_, R>) -> R;

    /// Whether the value goes through all scores of a row, which is what work is shared by; else it takes a few of them.
    fn value_takes_all(&self) -> bool {
        true
    }
}

/// Where the gradients of one row go.
#[derive(Debug)]
pub struct RowGradients<'a, R: Real> {
    /// That of the scores.
    pub scores: &'a mut [R],
    /// That of the target, where it is asked for and the target is differentiable.
    pub target: Option<&'a mut [R]>,
    /// Space to work in.
    pub workspace: &'a mut Vec<R::Working>,
}

/// The targets of all rows.
pub trait Targets<R: Real>: Clone + Send {
    /// The target of one row.
    type Row<'r>;
    /// Goes through the rows in order.
    type Iter<'i>
    where
        Self: 'i;

    /// That there is a target for each row, where the scores have this shape.
    ///
    /// # Errors
    ///
    /// Where their shape does not fit.
    fn check_shape(&self, scores: &[usize], class_axis: usize) -> Result<(), Error>;

    /// What the mean divides by.
    ///
    /// # Errors
    ///
    /// Where an index is neither a class nor ignored.
    fn divisor(&self, classes: usize, rows: usize, weight: &Option<ArrayViewD<'_, R>>) -> Result<R::Sum, Error>;

    /// Those of the samples before this one and those of the others, where there is a dimension of samples.
    fn split_at(self, sample: usize) -> (Self, Self);

    /// All rows, from the first.
    fn iter(&self, class_axis: usize) -> Self::Iter<'_>;

    /// The next row's target; `None` for an ignored row.
    fn next<'r, 'i>(iter: &'r mut Self::Iter<'i>) -> Option<Self::Row<'r>>
    where
        Self: 'i;
}

/// A class index for each row, or `ignore_index`.
#[derive(Clone, Debug)]
pub struct Classes<'a> {
    /// The indices.
    pub indices: ArrayViewD<'a, i64>,
    /// Rows with this index count for nothing.
    pub ignore_index: i64,
}

impl<R: Real> Targets<R> for Classes<'_> {
    type Row<'r> = usize;
    type Iter<'i>
        = (ElementSource<'i, i64>, i64)
    where
        Self: 'i;

    fn check_shape(&self, scores: &[usize], class_axis: usize) -> Result<(), Error> {
        let mut rows = scores.to_vec();
        rows.remove(class_axis);
        check_shape("target", self.indices.shape(), &rows)
    }

    fn divisor(&self, classes: usize, _: usize, weight: &Option<ArrayViewD<'_, R>>) -> Result<R::Sum, Error> {
        let &Self { ref indices, ignore_index } = self;
        check_indices(indices, 1, classes, Some(ignore_index))?;
        let counted = indices.iter().filter(|&&index| index != ignore_index);
        Ok(match weight {
            None => reduction::count::<R>(counted.count()),
            Some(_) => counted.fold(R::Sum::ZERO, |sum, &class| sum.plus(weight_of(weight, class as usize))),
        })
    }

    fn split_at(self, sample: usize) -> (Self, Self) {
        let ignore_index = self.ignore_index;
        let (first, second) = self.indices.split_at(Axis(0), sample);
        (Self { indices: first, ignore_index }, Self { indices: second, ignore_index })
    }

    fn iter(&self, _: usize) -> Self::Iter<'_> {
        (ElementSource::new(&self.indices), self.ignore_index)
    }

    #[inline(always)]
    fn next<'r, 'i>((indices, ignore_index): &'r mut Self::Iter<'i>) -> Option<usize>
    where
        Self: 'i,
    {
        indices.next().filter(|&index| index != ignore_index).map(|&index| index as usize)
    }
}

/// A class for each row of scores (N, C).
#[derive(Clone, Debug)]
pub struct Labels<'a>(pub ArrayViewD<'a, i64>);

impl<R: Real> Targets<R> for Labels<'_> {
    type Row<'r> = usize;
    type Iter<'i>
        = ElementSource<'i, i64>
    where
        Self: 'i;

    fn check_shape(&self, scores: &[usize], _: usize) -> Result<(), Error> {
        check_shape("target", self.0.shape(), &scores[..1])
    }

    fn divisor(&self, classes: usize, rows: usize, _: &Option<ArrayViewD<'_, R>>) -> Result<R::Sum, Error> {
        check_indices(&self.0, 1, classes, None)?;
        Ok(reduction::count::<R>(rows))
    }

    fn split_at(self, sample: usize) -> (Self, Self) {
        let (first, second) = self.0.split_at(Axis(0), sample);
        (Self(first), Self(second))
    }

    fn iter(&self, _: usize) -> Self::Iter<'_> {
        ElementSource::new(&self.0)
    }

    #[inline(always)]
    fn next<'r, 'i>(indices: &'r mut Self::Iter<'i>) -> Option<usize>
    where
        Self: 'i,
    {
        indices.next().map(|&index| index as usize)
    }
}

/// A list of classes for each row of scores (N, C), in a tensor of the same shape: those before the first -1.
#[derive(Clone, Debug)]
pub struct LabelLists<'a>(pub ArrayViewD<'a, i64>);

impl<R: Real> Targets<R> for LabelLists<'_> {
    type Row<'r> = LabelList<'r>;
    type Iter<'i>
        = (LaneSource<'i, i64>, Vec<usize>, Vec<usize>)
    where
        Self: 'i;

    fn check_shape(&self, scores: &[usize], _: usize) -> Result<(), Error> {
        check_shape("target", self.0.shape(), scores)
    }

    fn divisor(&self, classes: usize, rows: usize, _: &Option<ArrayViewD<'_, R>>) -> Result<R::Sum, Error> {
        check_indices(&self.0, classes.max(1), classes, Some(-1))?;
        Ok(reduction::count::<R>(rows))
    }

    fn split_at(self, sample: usize) -> (Self, Self) {
        let (first, second) = self.0.split_at(Axis(0), sample);
        (Self(first), Self(second))
    }

    fn iter(&self, class_axis: usize) -> Self::Iter<'_> {
        (LaneSource::new(&self.0, class_axis), Vec::new(), Vec::new())
    }

    #[inline(always)]
    fn next<'r, 'i>((rows, classes, sorted): &'r mut Self::Iter<'i>) -> Option<LabelList<'r>>
    where
        Self: 'i,
    {
        classes.clear();
        classes.extend(rows.next()?.iter().map_while(|&class| usize::try_from(class).ok()));
        sorted.clone_from(classes);
        sorted.sort_unstable();
        Some(LabelList { classes, sorted })
    }
}

/// The classes of one row.
#[derive(Clone, Copy, Debug)]
pub struct LabelList<'a> {
    /// In their order; one may stand more than once.
    pub classes: &'a [usize],
    sorted: &'a [usize],
}

impl LabelList<'_> {
    /// The stretches of classes, of so many, that are not in the list.
    #[inline(always)]
    pub fn others(&self, classes: usize) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.sorted.iter().map(|class| class + 1));
        let ends = self.sorted.iter().copied().chain([classes]);
        starts.zip(ends).map(|(start, end)| start..end.max(start))
    }
}

/// That each index is a class or the exception; a row has so many of them.
pub(crate) fn check_indices(
    indices: &ArrayViewD<'_, i64>,
    per_row: usize,
    classes: usize,
    exception: Option<i64>,
) -> Result<(), Error> {
    let wrong = |index: i64| exception != Some(index) && index as u64 >= classes as u64;
    find(indices, wrong)
        .map_or(Ok(()), |(position, index)| Err(Error::Index { index, row: position / per_row, classes, exception }))
}

/// A probability for each score.
#[derive(Clone, Debug)]
pub struct Probabilities<'a, R>(pub ArrayViewD<'a, R>);

impl<R: Real> Targets<R> for Probabilities<'_, R> {
    type Row<'r> = &'r [R];
    type Iter<'i>
        = LaneSource<'i, R>
    where
        Self: 'i;

    fn check_shape(&self, scores: &[usize], _: usize) -> Result<(), Error> {
        check_shape("target", self.0.shape(), scores)
    }

    fn divisor(&self, classes: usize, rows: usize, _: &Option<ArrayViewD<'_, R>>) -> Result<R::Sum, Error> {
        // Without classes there is nothing to take the mean of.
        let rows = if classes == 0 { 0 } else { rows };
        Ok(reduction::count::<R>(rows))
    }

    fn split_at(self, sample: usize) -> (Self, Self) {
        let (first, second) = self.0.split_at(Axis(0), sample);
        (Self(first), Self(second))
    }

    fn iter(&self, class_axis: usize) -> Self::Iter<'_> {
        LaneSource::new(&self.0, class_axis)
    }

    #[inline(always)]
    fn next<'r, 'i>(rows: &'r mut Self::Iter<'i>) -> Option<&'r [R]>
    where
        Self: 'i,
    {
        rows.next()
    }
}

/// The weight of a class, 1 where there are none.
#[inline(always)]
pub fn weight_of<R: Real>(weight: &Option<ArrayViewD<'_, R>>, class: usize) -> R {
    match weight {
        Some(weight) => weight[[class].as_slice()],
        None => R::ONE,
    }
}

/// Rows of class scores with their targets, ready to run.
#[derive(Debug)]
pub struct Rows<'a, R, T> {
    /// The scores: (C), (N, C) or (N, C, d1, ...).
    pub scores: ArrayViewD<'a, R>,
    /// What the rows are to be classified as.
    pub targets: T,
    /// A weight for each class.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// How the rows' losses are put together.
    pub reduction: Reduction,
}

impl<R: Real, T: Targets<R>> Rows<'_, R, T> {
    /// The shapes of the value and of the gradients of the scores and, where `K` is 2, of the probabilities.
    ///
    /// # Errors
    ///
    /// Where the shapes do not fit each other.
    pub fn shapes<const K: usize>(&self) -> Result<Shapes<K>, Error> {
        let shape = self.scores.shape();
        if shape.is_empty() {
            let expected = "(C), (N, C) or (N, C, d1, ...)".to_owned();
            return Err(Error::Shape { name: "input", shape: Vec::new(), expected });
        }
        self.targets.check_shape(shape, self.class_axis())?;
        if let Some(weight) = &self.weight {
            check_shape("weight", weight.shape(), &[self.classes()])?;
        }
        Ok(Shapes {
            value: reduction::value_shape(self.reduction, &self.row_dims()).to_vec(),
            gradients: std::array::from_fn(|_| shape.to_vec()),
        })
    }

    fn class_axis(&self) -> usize {
        usize::from(self.scores.ndim() > 1)
    }

    fn classes(&self) -> usize {
        self.scores.shape()[self.class_axis()]
    }

    fn row_dims(&self) -> Vec<usize> {
        let mut dims = self.scores.shape().to_vec();
        dims.remove(self.class_axis());
        dims
    }

    /// Runs the formula over all rows.
    ///
    /// # Errors
    ///
    /// As [`Rows::shapes`], where a buffer has not the shape that it gives, and where an index is no class.
    pub fn evaluate_into<F, const K: usize>(
        &self,
        formula: &F,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, K>>,
    ) -> Result<(), Error>
    where
        F: for<'r> Rowwise<R, T::Row<'r>>,
    {
        self.evaluate_pieces(value, backward, formula.value_takes_all(), &|chunk, cotangent| {
            R::fast_or_plain(
                chunk,
                #[inline(always)]
                |chunk| chunk.run(formula, cotangent),
                |chunk| chunk.run_plainly(formula, cotangent),
            )
        })
    }

    /// Evaluates chunk by chunk: `run` takes each, and where there are gradients the cotangent that its rows have in common.
    fn evaluate_pieces<const K: usize>(
        &self,
        mut value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, K>>,
        value_takes_all: bool,
        run: &RunChunk<'_, R, T>,
    ) -> Result<(), Error> {
        let shapes = self.shapes::<K>()?;
        check_buffers(&shapes, &value, &backward)?;
        let divisor = self.targets.divisor(self.classes(), self.row_dims().iter().product(), &self.weight)?;
        let is_reduced = self.reduction != Reduction::None;
        let divisor = if self.reduction == Reduction::Mean { divisor } else { R::Sum::ZERO.plus(R::ONE) };
        let prepared = PreparedBackward::new(backward, is_reduced);
        let common_cotangent = prepared.scalar / divisor.total();
        let mut gradients = prepared.gradients.into_iter();
        let all = Chunk {
            scores: self.scores.view(),
            targets: self.targets.clone(),
            cotangents: prepared.per_element,
            losses: if is_reduced { None } else { Some(value.view_mut()) },
            score_gradient: gradients.next().flatten(),
            target_gradient: gradients.next().flatten(),
            class_axis: self.class_axis(),
            takes_all: prepared.is_wanted || value_takes_all,
        };
        let common_cotangent = prepared.is_wanted.then_some(common_cotangent);
        let sum = threads::par_reduce(all, &|chunk| run(chunk, common_cotangent), &R::Sum::merge);
        if is_reduced {
            value.fill(sum.over(divisor));
        }
        Ok(())
    }
}

/// Runs a chunk, with gradients if there is a cotangent that its rows have in common, and returns the sum of its losses.
type RunChunk<'f, R, T> = dyn Fn(&mut Chunk<'_, R, T>, Option<R>) -> <R as Real>::Sum + Sync + 'f;

/// Some of the rows.
struct Chunk<'a, R, T> {
    scores: ArrayViewD<'a, R>,
    targets: T,
    /// One for each row, or none where they have one in common.
    cotangents: Option<ArrayViewD<'a, R>>,
    /// Where each loss goes, unless they are summed.
    losses: Option<ArrayViewMutD<'a, R>>,
    score_gradient: Option<ArrayViewMutD<'a, R>>,
    target_gradient: Option<ArrayViewMutD<'a, R>>,
    class_axis: usize,
    /// Whether each score of a row is gone through.
    takes_all: bool,
}

impl<'a, R: Real, T: Targets<R>> SplitWork for Chunk<'a, R, T> {
    fn size(&self) -> usize {
        let per_row = if self.takes_all { 1 } else { self.scores.shape()[self.class_axis].max(1) };
        self.scores.len() / per_row
    }

    fn split(self) -> Result<(Self, Self), Self> {
        let samples = self.scores.shape()[0];
        if self.class_axis == 0 || samples < 2 {
            return Err(self);
        }
        let middle = samples / 2;
        let cut = |view: ArrayViewMutD<'a, R>| view.split_at(Axis(0), middle);
        let (scores, rest_of_scores) = self.scores.split_at(Axis(0), middle);
        let (targets, rest_of_targets) = self.targets.split_at(middle);
        let (cotangents, rest_of_cotangents) = self.cotangents.map(|view| view.split_at(Axis(0), middle)).unzip();
        let (losses, rest_of_losses) = self.losses.map(cut).unzip();
        let (score_gradient, rest_of_score_gradient) = self.score_gradient.map(cut).unzip();
        let (target_gradient, rest_of_target_gradient) = self.target_gradient.map(cut).unzip();
        let Self { class_axis, takes_all, .. } = self;
        Ok((
            Chunk { scores, targets, cotangents, losses, score_gradient, target_gradient, class_axis, takes_all },
            Chunk {
                scores: rest_of_scores,
                targets: rest_of_targets,
                cotangents: rest_of_cotangents,
                losses: rest_of_losses,
                score_gradient: rest_of_score_gradient,
                target_gradient: rest_of_target_gradient,
                class_axis,
                takes_all,
            },
        ))
    }
}

impl<R: Real, T: Targets<R>> Chunk<'_, R, T> {
    /// Runs the formula like [`Chunk::run`], without vectors. Compiled once for all formulas.
    #[inline(never)]
    fn run_plainly<'f>(
        &mut self,
        formula: &'f (dyn for<'r> Rowwise<R, T::Row<'r>> + 'f),
        common_cotangent: Option<R>,
    ) -> R::Sum
    where
        T: 'f,
    {
        self.run(formula, common_cotangent)
    }

    /// Runs the formula, with gradients where there is a cotangent, and gives the sum of the losses where they are not
    /// wanted one by one.
    #[inline(always)]
    fn run<F>(&mut self, formula: &F, common_cotangent: Option<R>) -> R::Sum
    where
        F: for<'r> Rowwise<R, T::Row<'r>> + ?Sized,
    {
        let axis = self.class_axis;
        let classes = self.scores.shape()[axis];
        let mut scores = LaneSource::new(&self.scores, axis);
        let mut targets = self.targets.iter(axis);
        let mut losses = Losses::new(self.losses.as_mut());
        let mut sum = R::Sum::ZERO;
        let Some(common_cotangent) = common_cotangent else {
            while let Some(scores) = scores.next() {
                let loss = match T::next(&mut targets) {
                    Some(target) => formula.value(scores, target),
                    None => R::ZERO,
                };
                sum = losses.add(sum, loss);
            }
            return sum;
        };
        let mut cotangents = self.cotangents.as_ref().map(|cotangents| cotangents.iter());
        let mut score_gradients = LaneSinks::new(self.score_gradient.as_mut(), axis, classes);
        let mut target_gradients = LaneSinks::new(self.target_gradient.as_mut(), axis, classes);
        let mut workspace = Vec::new();
        while let Some(scores) = scores.next() {
            let cotangent = cotangents.as_mut().and_then(Iterator::next).copied().unwrap_or(common_cotangent);
            let loss = match T::next(&mut targets) {
                Some(target) => {
                    let gradients = RowGradients {
                        scores: score_gradients.advance(),
                        target: target_gradients.asked().then(|| target_gradients.advance()),
                        workspace: &mut workspace,
                    };
                    formula.value_and_pullback(cotangent, scores, target, gradients)
                }
                None => {
                    // Whatever an ignored row holds, it counts for nothing.
                    for gradients in [&mut score_gradients, &mut target_gradients] {
                        gradients.advance().fill(R::ZERO);
                    }
                    R::ZERO
                }
            };
            score_gradients.flush();
            target_gradients.flush();
            sum = losses.add(sum, loss);
        }
        sum
    }
}
