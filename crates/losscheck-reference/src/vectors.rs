//! The driver of losses of several vectors: broadcasting of the other dimensions, labels, reduction and cotangents.

use ndarray::{ArrayViewD, ArrayViewMutD, Axis};

use crate::buffers::{self, Sink, Source, broadcast};
use crate::loss::{PreparedBackward, check_buffer_shapes};
use crate::pointwise::broadcast_shapes;
use crate::reduction::{self, Losses};
use crate::threads::{self, SplitWork};
use crate::{Backward, Error, Real, Reduction, Shapes, Sum};

/// The formula of a loss of `N` vectors of the same length.
pub trait Vectorwise<R: Real, const N: usize>: Sync {
    /// The loss of the vectors.
    fn value(&self, vectors: [&[R]; N], label: R) -> R;

    /// The loss; writes the cotangent times its gradients over what `gradients` held.
    fn value_and_pullback(&self, cotangent: R, vectors: [&[R]; N], label: R, gradients: [&mut [R]; N]) -> R;
}

/// Vectors, in the last dimension, ready to run.
#[derive(Debug)]
pub struct Vectors<'a, R, const N: usize> {
    /// The operands; all but the last dimension broadcast.
    pub operands: [ArrayViewD<'a, R>; N],
    /// A label for each loss, broadcast with the operands' other dimensions; 1 where absent.
    pub labels: Option<ArrayViewD<'a, R>>,
    /// How the losses are put together.
    pub reduction: Reduction,
}

impl<R: Real, const N: usize> Vectors<'_, R, N> {
    /// The shapes of the value and of the operands' gradients.
    ///
    /// # Errors
    ///
    /// Where the shapes do not broadcast, or an operand has no dimension.
    pub fn shapes(&self, names: [&'static str; N]) -> Result<Shapes<N>, Error> {
        let (rows, _) = self.rows(names)?;
        Ok(Shapes {
            value: reduction::value_shape(self.reduction, &rows).to_vec(),
            gradients: self.operands.each_ref().map(|operand| operand.shape().to_vec()),
        })
    }

    /// The shape of the losses, and the length of the vectors.
    fn rows(&self, names: [&'static str; N]) -> Result<(Vec<usize>, usize), Error> {
        let mut shape: Vec<usize> = Vec::new();
        for (operand, name) in self.operands.iter().zip(names) {
            let error = |expected| Error::Shape { name, shape: operand.shape().to_vec(), expected };
            if operand.ndim() == 0 {
                return Err(error("at least one dimension, that of the vectors".to_owned()));
            }
            shape = broadcast_shapes(&shape, operand.shape())
                .ok_or_else(|| error(format!("one that broadcasts with {shape:?}")))?;
        }
        let length = shape.pop().unwrap_or(0);
        if let Some(labels) = &self.labels {
            shape = broadcast_shapes(&shape, labels.shape()).ok_or_else(|| Error::Shape {
                name: "target",
                shape: labels.shape().to_vec(),
                expected: format!("one that broadcasts with {shape:?}"),
            })?;
        }
        Ok((shape, length))
    }

    /// Runs the formula over all vectors.
    ///
    /// # Errors
    ///
    /// As [`Vectors::shapes`], and where a buffer has not the shape that it gives.
    pub fn evaluate_into<F: Vectorwise<R, N>>(
        &self,
        formula: &F,
        names: [&'static str; N],
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, N>>,
    ) -> Result<(), Error> {
        let (rows, length) = self.rows(names)?;
        let of_value = reduction::value_shape(self.reduction, &rows);
        check_buffer_shapes(of_value, self.operands.each_ref().map(|operand| operand.shape()), &value, &backward)?;
        let run = |chunk: &mut Chunk<'_, R, N>, backs: bool, common_cotangent: R| {
            R::fast_or_plain(
                chunk,
                #[inline(always)]
                |chunk| chunk.run(formula, backs, common_cotangent),
                |chunk| chunk.run_plainly(formula, backs, common_cotangent),
            )
        };
        self.run(&run, &rows, length, value, backward);
        Ok(())
    }

    fn run(
        &self,
        run: &RunChunk<'_, R, N>,
        rows: &[usize],
        length: usize,
        mut value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, N>>,
    ) {
        let count: usize = rows.iter().product();
        let shape = [rows, &[length]].concat();
        let is_reduced = self.reduction != Reduction::None;
        let divisor = reduction::count::<R>(if self.reduction == Reduction::Mean { count } else { 1 });
        let prepared = PreparedBackward::new(backward, is_reduced);
        let common_cotangent = prepared.scalar / divisor.total();
        let all = Chunk {
            operands: buffers::broadcast_all(&self.operands, &shape),
            labels: self.labels.as_ref().map(|labels| broadcast(labels, rows)),
            cotangents: prepared.per_element,
            losses: if is_reduced { None } else { Some(value.view_mut()) },
            gradients: prepared.gradients,
        };
        let backs = prepared.is_wanted;
        let sum = threads::par_reduce(all, &|chunk| run(chunk, backs, common_cotangent), &R::Sum::merge);
        if is_reduced {
            value.fill(sum.over(divisor));
        }
    }
}

/// Runs a chunk, with gradients or without, given the cotangent that its vectors have in common, and returns the sum of its
/// losses.
type RunChunk<'f, R, const N: usize> = dyn Fn(&mut Chunk<'_, R, N>, bool, R) -> <R as Real>::Sum + Sync + 'f;

/// Some of the vectors; all tensors but the gradients have the same dimensions, and the operands that of the vectors.
struct Chunk<'a, R, const N: usize> {
    operands: [ArrayViewD<'a, R>; N],
    labels: Option<ArrayViewD<'a, R>>,
    /// One for each loss, or none where they have one in common.
    cotangents: Option<ArrayViewD<'a, R>>,
    /// Where each loss goes, unless they are summed.
    losses: Option<ArrayViewMutD<'a, R>>,
    gradients: [Option<ArrayViewMutD<'a, R>>; N],
}

impl<'a, R: Real, const N: usize> SplitWork for Chunk<'a, R, N> {
    fn size(&self) -> usize {
        self.operands[0].len()
    }

    fn split(self) -> Result<(Self, Self), Self> {
        let shape = self.operands[0].shape();
        // Gradients that are summed over a dimension are summed in one chunk.
        let is_whole = |gradient: &ArrayViewMutD<'_, R>| gradient.shape() == shape;
        if shape.len() < 2 || shape[0] < 2 || !self.gradients.iter().flatten().all(is_whole) {
            return Err(self);
        }
        let (ndim, middle) = (shape.len(), shape[0] / 2);
        let cut = |view: ArrayViewD<'a, R>| view.split_at(Axis(0), middle);
        let [operands, rest_of_operands] = buffers::split_all(self.operands, Axis(0), middle);
        let (labels, rest_of_labels) = self.labels.map(cut).unzip();
        let (cotangents, rest_of_cotangents) = self.cotangents.map(cut).unzip();
        let (losses, rest_of_losses) = self.losses.map(|losses| losses.split_at(Axis(0), middle)).unzip();
        let [gradients, rest_of_gradients] = buffers::split_all_mut(self.gradients, ndim, 0, middle);
        Ok((
            Chunk { operands, labels, cotangents, losses, gradients },
            Chunk {
                operands: rest_of_operands,
                labels: rest_of_labels,
                cotangents: rest_of_cotangents,
                losses: rest_of_losses,
                gradients: rest_of_gradients,
            },
        ))
    }
}

impl<R: Real, const N: usize> Chunk<'_, R, N> {
    /// Runs the formula like [`Chunk::run`], without vectors. Compiled once for all formulas.
    #[inline(never)]
    fn run_plainly(&mut self, formula: &dyn Vectorwise<R, N>, backs: bool, common_cotangent: R) -> R::Sum {
        self.run(formula, backs, common_cotangent)
    }

    /// Runs the formula, and gives the sum of the losses where they are not wanted one by one.
    #[inline(always)]
    fn run<F: Vectorwise<R, N> + ?Sized>(&mut self, formula: &F, backs: bool, common_cotangent: R) -> R::Sum {
        let shape = self.operands[0].shape();
        let (length, rows) = shape.split_last().map_or((0, shape), |(&length, rows)| (length, rows));
        let count: usize = rows.iter().product();
        let mut operands = Source::of_all(&self.operands);
        let mut labels = self.labels.as_ref().map(Source::new);
        let mut cotangents = self.cotangents.as_ref().map(Source::new);
        let mut sinks = Sink::of_all(&mut self.gradients, shape);
        // Where the gradients go that nobody asked for.
        let mut scratch = [const { Vec::new() }; N];
        if backs {
            scratch.fill(vec![R::ZERO; length]);
        }
        let mut losses = Losses::new(self.losses.as_mut());
        let mut sum = R::Sum::ZERO;
        for row in 0..count {
            let vectors = Source::blocks(&mut operands, row * length, length);
            let label = labels.as_mut().map_or(R::ONE, |labels| labels.block(row, 1)[0]);
            let cotangent = cotangents.as_mut().map_or(common_cotangent, |cotangents| cotangents.block(row, 1)[0]);
            let loss = if backs {
                let mut gradients = scratch.each_mut().map(Vec::as_mut_slice);
                for (gradient, sink) in gradients.iter_mut().zip(&mut sinks) {
                    if let Some(sink) = sink {
                        *gradient = sink.block(row * length, length);
                    }
                }
                formula.value_and_pullback(cotangent, vectors, label, gradients)
            } else {
                formula.value(vectors, label)
            };
            for sink in sinks.iter_mut().flatten() {
                sink.flush();
            }
            sum = losses.add(sum, loss);
        }
        for sink in sinks.into_iter().flatten() {
            sink.finish();
        }
        sum
    }
}
