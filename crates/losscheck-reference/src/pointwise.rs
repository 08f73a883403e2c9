//! The driver of losses that act on each element by itself: broadcasting, weights, reduction and cotangents.

use std::array::from_mut;

use ndarray::{ArrayViewD, ArrayViewMutD, Axis, IxDyn};

use crate::buffers::{BLOCK, Sink, Source, broadcast};
use crate::loss::{Pull, check_buffer_shapes};
use crate::reduction;
use crate::threads::{self, Divide};
use crate::{Backward, Error, Real, Reduction, Shapes, Sum, prefetch};

/// The formula of a loss of `N` numbers.
pub trait Pointwise<const N: usize>: Sync {
    /// The loss of one element.
    fn value<R: Real>(&self, operands: [R; N]) -> R;

    /// The cotangent times the derivative by each operand; anything for operands that are not differentiable.
    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N];

    /// Whether the terms of the formula may cancel, so that it is worked out in [`Real::Guarded`].
    fn cancels(&self) -> bool {
        false
    }
}

/// A formula with its operands, ready to run.
#[derive(Debug)]
pub struct Elements<'a, R, const N: usize> {
    /// What the formula takes, broadcast against each other.
    pub operands: [ArrayViewD<'a, R>; N],
    /// A factor on each element's loss, broadcast to the others' shape.
    pub weight: Option<ArrayViewD<'a, R>>,
    /// How the elements' losses are put together.
    pub reduction: Reduction,
    /// What a mean divides by.
    pub denominator: Denominator,
}

/// What the mean of the elements' losses divides their sum by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Denominator {
    /// The number of elements.
    #[default]
    Elements,
    /// The sum of the weights, each counted once however far it broadcasts.
    Weights,
    /// A number.
    Number(f64),
}

impl<'a, R, const N: usize> Elements<'a, R, N> {
    /// Operands without weights.
    pub fn unweighted(operands: [ArrayViewD<'a, R>; N], reduction: Reduction) -> Self {
        Self { operands, weight: None, reduction, denominator: Denominator::Elements }
    }
}

impl<R: Real, const N: usize> Elements<'_, R, N> {
    /// The shapes of the value and of the gradients of the first `K` operands.
    ///
    /// # Errors
    ///
    /// Where the operands do not broadcast, or the weight does not broadcast to them.
    pub fn shapes<const K: usize>(&self, names: [&'static str; N]) -> Result<Shapes<K>, Error> {
        let elements = self.shape(names)?;
        Ok(Shapes {
            value: self.reduction.value_shape(&elements).to_vec(),
            gradients: std::array::from_fn(|operand| self.operands[operand].shape().to_vec()),
        })
    }

    /// The shape that everything is broadcast to.
    fn shape(&self, names: [&'static str; N]) -> Result<Vec<usize>, Error> {
        let [first, others @ ..] = self.operands.as_slice() else { return Ok(Vec::new()) };
        let mut elements = first.shape().to_vec();
        for (operand, name) in others.iter().zip(&names[1..]) {
            elements = broadcast_shapes(&elements, operand.shape()).ok_or_else(|| Error::Shape {
                name,
                shape: operand.shape().to_vec(),
                expected: format!("one that broadcasts with {elements:?}"),
            })?;
        }
        if let Some(weight) = &self.weight
            && weight.broadcast(IxDyn(&elements)).is_none()
        {
            let expected = format!("one that broadcasts to {elements:?}");
            return Err(Error::Shape { name: "weight", shape: weight.shape().to_vec(), expected });
        }
        Ok(elements)
    }

    /// What the sum is divided by, where there are that many elements.
    #[inline(always)]
    fn divisor(&self, losses: usize) -> R::Sum {
        let number = |n: f64| R::Sum::ZERO.plus(R::from_f64(n));
        match (self.reduction, self.denominator, &self.weight) {
            (Reduction::None | Reduction::Sum, ..) => number(1.0),
            (Reduction::Mean, Denominator::Number(n), _) => number(n),
            (Reduction::Mean, Denominator::Weights, Some(weight)) => {
                weight.iter().fold(R::Sum::ZERO, |sum, &weight| sum.plus(weight))
            }
            (Reduction::Mean, Denominator::Elements | Denominator::Weights, _) => reduction::count::<R>(losses),
        }
    }

    /// Runs the formula over all elements.
    ///
    /// # Errors
    ///
    /// As [`Elements::shapes`], and where a buffer has not the shape that it gives.
    pub fn evaluate_into<F: Pointwise<N>, const K: usize>(
        &self,
        formula: &F,
        names: [&'static str; N],
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, K>>,
    ) -> Result<(), Error> {
        let shape = self.shape(names)?;
        let of_value = self.reduction.value_shape(&shape);
        let of_gradients = std::array::from_fn(|operand| self.operands[operand].shape());
        check_buffer_shapes(of_value, of_gradients, &value, &backward)?;
        if formula.cancels() {
            let arithmetic = Arithmetic { enter: R::guarded, leave: R::rounded, add: R::plus_guarded };
            run(formula, arithmetic, self, &shape, value, backward);
        } else {
            let arithmetic = Arithmetic { enter: |x| x, leave: |x| x, add: R::Sum::plus };
            run(formula, arithmetic, self, &shape, value, backward);
        }
        Ok(())
    }
}

/// The shape that two shapes broadcast to, aligned at the last dimension.
pub(crate) fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    if a == b {
        return Some(a.to_vec());
    }
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (1, n) | (n, 1) => Some(n),
            (n, m) => (n == m).then_some(n),
        })
        .collect()
}

/// Elements that are in flight at once: enough independent sums for the processor to interleave and vectorise, few enough
/// for its registers.
const LANES: usize = 16;

/// From so many elements on the pieces are taken to come from beyond the first-level cache.
const FAR: usize = 1 << 15;

/// The ways into and out of the arithmetic that a formula is worked out in.
#[derive(Clone, Copy)]
struct Arithmetic<I, O, A> {
    enter: I,
    leave: O,
    add: A,
}

fn run<F: Pointwise<N>, R: Real, W: Real, I, O, A, const N: usize, const K: usize>(
    formula: &F,
    arithmetic: Arithmetic<I, O, A>,
    elements: &Elements<'_, R, N>,
    shape: &[usize],
    mut value: ArrayViewMutD<'_, R>,
    backward: Option<Backward<'_, R, K>>,
) where
    I: Fn(R) -> W + Copy + Sync,
    O: Fn(W) -> R + Copy + Sync,
    A: Fn(R::Sum, W) -> R::Sum + Copy + Sync,
{
    let is_reduced = elements.reduction != Reduction::None;
    let divisor = elements.divisor(shape.iter().product());
    let pull = Pull::new(backward, is_reduced);
    let common_cotangent = (arithmetic.enter)(pull.common) / (arithmetic.enter)(divisor.total());
    let all = Piece {
        operands: elements.operands.each_ref().map(|operand| broadcast(operand, shape)),
        weight: elements.weight.as_ref().map(|weight| broadcast(weight, shape)),
        cotangents: pull.each,
        losses: if is_reduced { None } else { Some(value.view_mut()) },
        gradients: pull.gradients,
    };
    let run = |piece: &mut Piece<'_, R, N, K>| {
        if piece.size() < FAR {
            R::vectorize(
                #[inline(always)]
                || piece.run::<_, _, false>(formula, arithmetic, common_cotangent),
            )
        } else {
            R::vectorize(
                #[inline(always)]
                || piece.run::<_, _, true>(formula, arithmetic, common_cotangent),
            )
        }
    };
    let sum = threads::share(all, &run, &R::Sum::merge);
    if is_reduced {
        value.fill(sum.over(divisor));
    }
}

/// Some of the elements; all but the gradients' tensors are of one shape.
struct Piece<'a, R, const N: usize, const K: usize> {
    operands: [ArrayViewD<'a, R>; N],
    weight: Option<ArrayViewD<'a, R>>,
    /// One for each element, or none where they have one in common.
    cotangents: Option<ArrayViewD<'a, R>>,
    /// Where each loss goes, unless they are summed.
    losses: Option<ArrayViewMutD<'a, R>>,
    gradients: [Option<ArrayViewMutD<'a, R>>; K],
}

impl<'a, R: Real, const N: usize, const K: usize> Divide for Piece<'a, R, N, K> {
    fn size(&self) -> usize {
        self.operands[0].len()
    }

    fn divide(self) -> Result<[Self; 2], Self> {
        let shape = self.operands[0].shape();
        // A gradient that is summed over a dimension is summed in one piece.
        let gradients_have = |axis: usize| {
            let has = |gradient: &ArrayViewMutD<'_, R>| {
                (axis + gradient.ndim())
                    .checked_sub(shape.len())
                    .is_some_and(|own| gradient.shape()[own] == shape[axis])
            };
            self.gradients.iter().flatten().all(has)
        };
        let Some(axis) = (0..shape.len()).find(|&axis| shape[axis] > 1 && gradients_have(axis)) else {
            return Err(self);
        };
        let (ndim, middle) = (shape.len(), shape[axis] / 2);
        let cut = |view: ArrayViewD<'a, R>| view.split_at(Axis(axis), middle);
        let operands = self.operands.map(cut);
        let (weight, rest_of_weight) = self.weight.map(cut).unzip();
        let (cotangents, rest_of_cotangents) = self.cotangents.map(cut).unzip();
        let (losses, rest_of_losses) = self.losses.map(|losses| losses.split_at(Axis(axis), middle)).unzip();
        let [gradients, rest_of_gradients] = threads::unzip(self.gradients.map(|gradient| {
            gradient.map(|gradient| {
                let own = Axis(axis + gradient.ndim() - ndim);
                gradient.split_at(own, middle)
            })
        }));
        let rest_of_operands = operands.each_ref().map(|(_, rest)| rest.clone());
        let operands = operands.map(|(operand, _)| operand);
        Ok([
            Piece { operands, weight, cotangents, losses, gradients },
            Piece {
                operands: rest_of_operands,
                weight: rest_of_weight,
                cotangents: rest_of_cotangents,
                losses: rest_of_losses,
                gradients: rest_of_gradients,
            },
        ])
    }
}

impl<R: Real, const N: usize, const K: usize> Piece<'_, R, N, K> {
    /// Runs the formula, and gives the sum of the losses where they are not wanted one by one.
    #[inline(always)]
    fn run<F: Pointwise<N>, W: Real, const IS_FAR: bool>(
        &mut self,
        formula: &F,
        arithmetic: Arithmetic<impl Fn(R) -> W + Copy, impl Fn(W) -> R + Copy, impl Fn(R::Sum, W) -> R::Sum + Copy>,
        common_cotangent: W,
    ) -> R::Sum {
        let count = self.size();
        let mut operands = self.operands.each_ref().map(Source::new);
        let mut weight = self.weight.as_ref().map(Source::new);
        let mut cotangents = self.cotangents.as_ref().map(Source::new);
        let mut losses = self.losses.as_mut().map(|view| Sink::new(view, self.operands[0].shape()));
        let mut gradients = self.gradients.each_mut().map(|gradient| {
            let shape = self.operands[0].shape();
            gradient.as_mut().map(|view| Sink::new(view, shape))
        });

        let (mut sums, mut plain) = ([R::Sum::ZERO; LANES], [W::ZERO; LANES]);
        let mut start = 0;
        while start < count {
            let n = BLOCK.min(count - start);
            let mut block = Block {
                operands: operands.each_mut().map(|source| source.block(start, n)),
                weight: weight.as_mut().map(|source| source.block(start, n)),
                cotangents: cotangents.as_mut().map(|source| source.block(start, n)),
                common_cotangent,
                losses: losses.as_mut().map(|sink| sink.block(start, n)),
                gradients: gradients.each_mut().map(|sink| sink.as_mut().map(|sink| sink.block(start, n))),
            };
            let whole = n - n % LANES;
            // Copies, which stay in registers: what follows goes through the sums one by one, and so they are in memory.
            let (mut sums_of_all, mut plain_of_all) = (sums, plain);
            for at in (0..whole).step_by(LANES) {
                if IS_FAR {
                    block.prefetch(at);
                }
                let mut totals = Totals { sums: &mut sums_of_all, plain: &mut plain_of_all };
                block.run(formula, arithmetic, at, &mut totals);
                if (at / LANES + 1).is_multiple_of(<R::Sum as Sum<R>>::PLAIN) {
                    totals.settle(arithmetic.add);
                }
            }
            (sums, plain) = (sums_of_all, plain_of_all);
            for ((at, sum), plain) in (whole..n).zip(&mut sums).zip(&mut plain) {
                let mut totals = Totals { sums: from_mut(sum), plain: from_mut(plain) };
                block.run(formula, arithmetic, at, &mut totals);
            }
            Totals::<R, W, LANES> { sums: &mut sums, plain: &mut plain }.settle(arithmetic.add);
            for sink in gradients.iter_mut().flatten().chain(losses.as_mut()) {
                sink.flush();
            }
            start += n;
        }
        for sink in gradients.into_iter().flatten() {
            sink.finish();
        }
        sums.into_iter().reduce(Sum::merge).unwrap_or(R::Sum::ZERO)
    }
}

/// Sums of the losses in each lane. The last few are added up plainly, where that is quicker ([`Sum::PLAIN`]).
struct Totals<'a, R: Real, W, const L: usize> {
    sums: &'a mut [R::Sum; L],
    plain: &'a mut [W; L],
}

impl<R: Real, W: Real, const L: usize> Totals<'_, R, W, L> {
    const HAS_PLAIN: bool = <R::Sum as Sum<R>>::PLAIN > 1;

    #[inline(always)]
    fn plus(&mut self, losses: &[W; L], add: impl Fn(R::Sum, W) -> R::Sum) {
        for ((sum, plain), &loss) in self.sums.iter_mut().zip(&mut *self.plain).zip(losses) {
            if Self::HAS_PLAIN {
                *plain = *plain + loss;
            } else {
                *sum = add(*sum, loss);
            }
        }
    }

    /// Adds what has been added up plainly.
    #[inline(always)]
    fn settle(&mut self, add: impl Fn(R::Sum, W) -> R::Sum) {
        if Self::HAS_PLAIN {
            for (sum, plain) in self.sums.iter_mut().zip(&mut *self.plain) {
                *sum = add(*sum, *plain);
                *plain = W::ZERO;
            }
        }
    }
}

/// What one stretch of elements reads and writes; the formula is worked out in `W`.
struct Block<'a, R, W, const N: usize, const K: usize> {
    operands: [&'a [R]; N],
    weight: Option<&'a [R]>,
    /// One for each element, or else `common_cotangent` for all.
    cotangents: Option<&'a [R]>,
    common_cotangent: W,
    losses: Option<&'a mut [R]>,
    gradients: [Option<&'a mut [R]>; K],
}

impl<R: Real, W: Real, const N: usize, const K: usize> Block<'_, R, W, N, K> {
    /// Asks for what comes some time after the elements at that place.
    #[inline(always)]
    fn prefetch(&self, at: usize) {
        for operand in &self.operands {
            prefetch::ahead_of(lanes::<R, LANES>(operand, at));
        }
        for gradient in self.gradients.iter().flatten() {
            prefetch::ahead_of(lanes::<R, LANES>(gradient, at));
        }
    }

    /// Runs the formula over `L` elements from `at`, with no branch inside the loops over them.
    #[inline(always)]
    fn run<F: Pointwise<N>, const L: usize>(
        &mut self,
        formula: &F,
        arithmetic: Arithmetic<impl Fn(R) -> W + Copy, impl Fn(W) -> R + Copy, impl Fn(R::Sum, W) -> R::Sum + Copy>,
        at: usize,
        totals: &mut Totals<'_, R, W, L>,
    ) {
        let Arithmetic { enter, leave, .. } = arithmetic;
        let operands = self.operands.map(|operand| lanes::<R, L>(operand, at));
        let operands_of = |lane: usize| -> [W; N] { std::array::from_fn(|n| enter(operands[n][lane])) };
        let weight = self.weight.map(|weight| lanes::<R, L>(weight, at).map(enter));
        let mut losses = [W::ZERO; L];
        if self.gradients.iter().all(Option::is_none) {
            for (lane, loss) in losses.iter_mut().enumerate() {
                *loss = formula.value(operands_of(lane));
            }
            return self.put(losses, weight, arithmetic, at, totals);
        }
        let mut cotangents = match self.cotangents {
            Some(cotangents) => lanes::<R, L>(cotangents, at).map(enter),
            None => [self.common_cotangent; L],
        };
        if let Some(weight) = &weight {
            for (cotangent, &weight) in cotangents.iter_mut().zip(weight) {
                *cotangent = *cotangent * weight;
            }
        }
        // Value and slopes of an element are worked out together, so that they share what they have in common.
        match self.gradients.split_first_mut() {
            // What training needs: the others' slopes are not worked out.
            Some((Some(gradient), others)) if others.iter().all(Option::is_none) => {
                let mut slopes = [R::ZERO; L];
                for lane in 0..L {
                    losses[lane] = formula.value(operands_of(lane));
                    slopes[lane] = leave(formula.pullback(cotangents[lane], operands_of(lane))[0]);
                }
                gradient[at..at + L].copy_from_slice(&slopes);
            }
            _ => {
                let mut slopes = [[R::ZERO; L]; N];
                for lane in 0..L {
                    losses[lane] = formula.value(operands_of(lane));
                    let pulled = formula.pullback(cotangents[lane], operands_of(lane));
                    for (slopes, slope) in slopes.iter_mut().zip(pulled) {
                        slopes[lane] = leave(slope);
                    }
                }
                for (gradient, slopes) in self.gradients.iter_mut().zip(&slopes) {
                    if let Some(gradient) = gradient {
                        gradient[at..at + L].copy_from_slice(slopes);
                    }
                }
            }
        }
        self.put(losses, weight, arithmetic, at, totals);
    }

    /// Weighs the losses and puts them where they go.
    #[inline(always)]
    fn put<const L: usize>(
        &mut self,
        mut losses: [W; L],
        weight: Option<[W; L]>,
        Arithmetic { leave, add, .. }: Arithmetic<
            impl Fn(R) -> W + Copy,
            impl Fn(W) -> R + Copy,
            impl Fn(R::Sum, W) -> R::Sum + Copy,
        >,
        at: usize,
        totals: &mut Totals<'_, R, W, L>,
    ) {
        if let Some(weight) = &weight {
            for (loss, &weight) in losses.iter_mut().zip(weight) {
                *loss = *loss * weight;
            }
        }
        match &mut self.losses {
            Some(out) => out[at..at + L].copy_from_slice(&losses.map(leave)),
            None => totals.plus(&losses, add),
        }
    }
}

#[inline(always)]
fn lanes<R, const L: usize>(slice: &[R], at: usize) -> &[R; L] {
    slice[at..at + L].try_into().expect("a slice of L elements is an array of L elements")
}
