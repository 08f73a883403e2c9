//! The driver of losses that act on each element by itself: broadcasting, weights, reduction and cotangents.

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};

use crate::buffers::{BLOCK, Sink, Source};
use crate::loss::check_shape;
use crate::{Backward, Error, Real, Reduction, Shapes, Sum};

/// The formula of a loss of `N` numbers.
pub trait Pointwise<const N: usize> {
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
        let elements = self.broadcast(names)?;
        if let Some(weight) = &self.weight
            && weight.broadcast(IxDyn(&elements)).is_none()
        {
            let expected = format!("one that broadcasts to {elements:?}");
            return Err(Error::Shape { name: "weight", shape: weight.shape().to_vec(), expected });
        }
        Ok(Shapes {
            value: if self.reduction == Reduction::None { elements } else { Vec::new() },
            gradients: std::array::from_fn(|operand| self.operands[operand].shape().to_vec()),
        })
    }

    /// What the sum is divided by, where there are that many elements.
    #[inline(always)]
    fn divisor(&self, count: usize) -> R::Sum {
        let number = |n: f64| R::Sum::ZERO.plus(R::from_f64(n));
        match (self.reduction, self.denominator, &self.weight) {
            (Reduction::None | Reduction::Sum, ..) => number(1.0),
            (Reduction::Mean, Denominator::Number(n), _) => number(n),
            (Reduction::Mean, Denominator::Weights, Some(weight)) => {
                weight.iter().fold(R::Sum::ZERO, |sum, &weight| sum.plus(weight))
            }
            (Reduction::Mean, Denominator::Elements | Denominator::Weights, _) => number(count as f64),
        }
    }

    fn broadcast(&self, names: [&'static str; N]) -> Result<Vec<usize>, Error> {
        let mut shape: Vec<usize> = Vec::new();
        for (operand, name) in self.operands.iter().zip(names) {
            shape = broadcast_shapes(&shape, operand.shape()).ok_or_else(|| Error::Shape {
                name,
                shape: operand.shape().to_vec(),
                expected: format!("one that broadcasts with {shape:?}"),
            })?;
        }
        Ok(shape)
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
        let shapes = self.shapes::<K>(names)?;
        check_shape("value", value.shape(), &shapes.value)?;
        if let Some(backward) = &backward {
            backward.check(&shapes)?;
        }
        let shape = self.broadcast(names)?;
        R::vectorize(
            #[inline(always)]
            || {
                if formula.cancels() {
                    run(formula, Arithmetic { enter: R::guarded, leave: R::rounded }, self, &shape, value, backward);
                } else {
                    run(formula, Arithmetic { enter: |x| x, leave: |x| x }, self, &shape, value, backward);
                }
            },
        );
        Ok(())
    }
}

/// The shape that two shapes broadcast to, aligned at the last dimension.
pub(crate) fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (1, n) | (n, 1) => Some(n),
            (n, m) => (n == m).then_some(n),
        })
        .collect()
}

/// Elements that are in flight at once: independent sums, for the processor to interleave and vectorise.
const LANES: usize = 32;

/// The ways into and out of the arithmetic that a formula is worked out in.
#[derive(Clone, Copy)]
struct Arithmetic<I, O> {
    enter: I,
    leave: O,
}

#[inline(always)]
fn run<F: Pointwise<N>, R: Real, W: Real, const N: usize, const K: usize>(
    formula: &F,
    arithmetic: Arithmetic<impl Fn(R) -> W + Copy, impl Fn(W) -> R + Copy>,
    elements: &Elements<'_, R, N>,
    shape: &[usize],
    mut value: ArrayViewMutD<'_, R>,
    backward: Option<Backward<'_, R, K>>,
) {
    let count: usize = shape.iter().product();
    let reduced = elements.reduction != Reduction::None;
    let divisor = elements.divisor(count);
    let mut operands = elements.operands.each_ref().map(|operand| Source::new(operand, shape));
    let mut weight = elements.weight.as_ref().map(|weight| Source::new(weight, shape));

    let (cotangent, mut gradients) = match backward {
        Some(backward) => (backward.cotangent, backward.gradients),
        None => (None, [const { None }; K]),
    };
    let common_cotangent = match &cotangent {
        Some(cotangent) if reduced => cotangent.first().copied().unwrap_or(R::ONE),
        _ => R::ONE,
    };
    let common_cotangent = (arithmetic.enter)(common_cotangent) / (arithmetic.enter)(divisor.total());
    let mut cotangents = cotangent.as_ref().filter(|_| !reduced).map(|cotangent| Source::new(cotangent, shape));
    let mut gradients = gradients.each_mut().map(|gradient| gradient.as_mut().map(|view| Sink::new(view, shape)));

    let mut sums = [R::Sum::ZERO; LANES];
    {
        let mut losses = if reduced { None } else { Some(Sink::new(&mut value, shape)) };
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
            for at in (0..whole).step_by(LANES) {
                block.run(formula, arithmetic, at, &mut sums);
            }
            for (at, sum) in (whole..n).zip(&mut sums) {
                block.run(formula, arithmetic, at, std::array::from_mut(sum));
            }
            for sink in gradients.iter_mut().flatten().chain(losses.as_mut()) {
                sink.flush();
            }
            start += n;
        }
        for sink in gradients.into_iter().flatten() {
            sink.finish();
        }
    }
    if reduced {
        let total = sums.into_iter().reduce(Sum::merge).unwrap_or(R::Sum::ZERO);
        value.fill(total.over(divisor));
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
    /// Runs the formula over `L` elements from `at`, with no branch inside the loops over them.
    #[inline(always)]
    fn run<F: Pointwise<N>, const L: usize>(
        &mut self,
        formula: &F,
        Arithmetic { enter, leave }: Arithmetic<impl Fn(R) -> W + Copy, impl Fn(W) -> R + Copy>,
        at: usize,
        sums: &mut [R::Sum; L],
    ) {
        let operands = self.operands.map(|operand| lanes::<R, L>(operand, at));
        let operands_of = |lane: usize| -> [W; N] { std::array::from_fn(|n| enter(operands[n][lane])) };
        let weight = self.weight.map(|weight| lanes::<R, L>(weight, at).map(enter));

        let mut losses = [W::ZERO; L];
        for (lane, loss) in losses.iter_mut().enumerate() {
            *loss = formula.value(operands_of(lane));
        }
        if let Some(weight) = &weight {
            for (loss, &weight) in losses.iter_mut().zip(weight) {
                *loss = *loss * weight;
            }
        }
        match &mut self.losses {
            Some(out) => out[at..at + L].copy_from_slice(&losses.map(leave)),
            None => {
                for (sum, &loss) in sums.iter_mut().zip(&losses) {
                    *sum = sum.plus(leave(loss));
                }
            }
        }

        if self.gradients.iter().all(Option::is_none) {
            return;
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
        let mut slopes = [[R::ZERO; L]; N];
        for (lane, &cotangent) in cotangents.iter().enumerate() {
            let pulled = formula.pullback(cotangent, operands_of(lane));
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

#[inline(always)]
fn lanes<R, const L: usize>(slice: &[R], at: usize) -> &[R; L] {
    slice[at..at + L].try_into().expect("a slice of L elements is an array of L elements")
}
