//! Runs a kernel over all elements: parts of them for each thread, blocks of these, and what is left of a block.

use ndarray::{ArrayViewD, ArrayViewMutD, Axis};

use super::arithmetic::Arithmetic;
use super::kernel::{Kernel, Stretch, Totals};
use super::{Elements, LANES};
use crate::buffers::{self, BLOCK, Sink, Source, broadcast};
use crate::loss::PreparedBackward;
use crate::threads::{self, SplitWork};
use crate::{Backward, Real, Reduction, Sum};

/// From so many elements on the chunks are taken to come from beyond the first-level cache.
const PREFETCH_FROM: usize = 1 << 15;

/// The elements whose losses and cotangents are kept at a time, if they have weights, cotangents or places of their own.
const PART: usize = 128;

/// Runs the kernel over all elements, and writes the value.
pub(super) fn run<R: Real, A: Arithmetic<R>, const N: usize, const K: usize>(
    elements: &Elements<'_, R, N>,
    shape: &[usize],
    kernel: &Kernel<'_, R, A, N, K>,
    mut value: ArrayViewMutD<'_, R>,
    backward: Option<Backward<'_, R, K>>,
) {
    let is_reduced = elements.reduction != Reduction::None;
    let divisor = elements.divisor(shape.iter().product());
    let prepared = PreparedBackward::new(backward, is_reduced);
    let common_cotangent = A::enter(prepared.scalar) / A::enter(divisor.total());
    let all = Chunk {
        operands: buffers::broadcast_all(&elements.operands, shape),
        weight: elements.weight.as_ref().map(|weight| broadcast(weight, shape)),
        cotangents: prepared.per_element,
        losses: if is_reduced { None } else { Some(value.view_mut()) },
        gradients: prepared.gradients,
    };
    let sum = threads::par_reduce(all, &|chunk| chunk.run(kernel, common_cotangent), &R::Sum::merge);
    if is_reduced {
        value.fill(sum.over(divisor));
    }
}

/// Some of the elements; all but the gradients' tensors are of one shape.
struct Chunk<'a, R, const N: usize, const K: usize> {
    operands: [ArrayViewD<'a, R>; N],
    weight: Option<ArrayViewD<'a, R>>,
    /// One for each element, or none where they have one in common.
    cotangents: Option<ArrayViewD<'a, R>>,
    /// Where each loss goes, unless they are summed.
    losses: Option<ArrayViewMutD<'a, R>>,
    gradients: [Option<ArrayViewMutD<'a, R>>; K],
}

impl<'a, R: Real, const N: usize, const K: usize> SplitWork for Chunk<'a, R, N, K> {
    fn size(&self) -> usize {
        self.operands[0].len()
    }

    fn split(self) -> Result<(Self, Self), Self> {
        let shape = self.operands[0].shape();
        // A gradient that is summed over a dimension is summed in one chunk.
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
        let [operands, rest_of_operands] = buffers::split_all(self.operands, Axis(axis), middle);
        let (weight, rest_of_weight) = self.weight.map(cut).unzip();
        let (cotangents, rest_of_cotangents) = self.cotangents.map(cut).unzip();
        let (losses, rest_of_losses) = self.losses.map(|losses| losses.split_at(Axis(axis), middle)).unzip();
        let [gradients, rest_of_gradients] = buffers::split_all_mut(self.gradients, ndim, axis, middle);
        Ok((
            Chunk { operands, weight, cotangents, losses, gradients },
            Chunk {
                operands: rest_of_operands,
                weight: rest_of_weight,
                cotangents: rest_of_cotangents,
                losses: rest_of_losses,
                gradients: rest_of_gradients,
            },
        ))
    }
}

impl<R: Real, const N: usize, const K: usize> Chunk<'_, R, N, K> {
    /// Runs the kernel, and returns the sum of the losses if they have no places of their own.
    fn run<A: Arithmetic<R>>(&mut self, kernel: &Kernel<'_, R, A, N, K>, common_cotangent: A::Number) -> R::Sum {
        let count = self.size();
        let mut operands = Source::of_all(&self.operands);
        let mut weight = self.weight.as_ref().map(Source::new);
        let mut cotangents = self.cotangents.as_ref().map(Source::new);
        let mut losses = self.losses.as_mut().map(|view| Sink::new(view, self.operands[0].shape()));
        let mut gradients = Sink::of_all(&mut self.gradients, self.operands[0].shape());

        let mut totals = Totals::ZERO;
        let mut start = 0;
        while start < count {
            let n = BLOCK.min(count - start);
            let mut stretch = Stretch {
                operands: Source::blocks(&mut operands, start, n),
                gradients: Sink::blocks(&mut gradients, start, n),
                is_far: count >= PREFETCH_FROM,
            };
            let mut own = Own {
                weight: weight.as_mut().map(|source| source.block(start, n)),
                cotangents: cotangents.as_mut().map(|source| source.block(start, n)),
                losses: losses.as_mut().map(|sink| sink.block(start, n)),
            };
            let groups = n - n % LANES;
            let is_added_up = groups > 0
                && own.is_nothing()
                && (kernel.add_up)(stretch.part(0, groups), common_cotangent, &mut totals);
            let mut done = if is_added_up { groups } else { 0 };
            while done < n {
                let count = if done < groups { PART.min(groups - done) } else { n - done };
                let (mut cotangents, mut losses) = ([A::Number::ZERO; PART], [A::Number::ZERO; PART]);
                own.write_cotangents::<A>(done, common_cotangent, &mut cotangents[..count]);
                if R::HAS_VECTORS && done >= groups {
                    evaluate_rest(kernel, stretch.part(done, count), &cotangents, &mut losses);
                } else {
                    (kernel.evaluate)(stretch.part(done, count), &cotangents[..count], &mut losses[..count]);
                }
                own.put_losses::<A>(done, &mut losses[..count], &mut totals);
                done += count;
            }
            totals.settle();
            for sink in gradients.iter_mut().flatten().chain(losses.as_mut()) {
                sink.flush();
            }
            start += n;
        }
        for sink in gradients.into_iter().flatten() {
            sink.finish();
        }
        totals.total()
    }
}

/// What the elements of a block may have of their own.
struct Own<'a, R> {
    weight: Option<&'a [R]>,
    cotangents: Option<&'a [R]>,
    /// Where each loss goes, unless they are summed.
    losses: Option<&'a mut [R]>,
}

impl<R: Real> Own<'_, R> {
    fn is_nothing(&self) -> bool {
        self.weight.is_none() && self.cotangents.is_none() && self.losses.is_none()
    }

    /// Writes the cotangents of elements from `start` on, each times its weight.
    fn write_cotangents<A: Arithmetic<R>>(&self, start: usize, common: A::Number, to: &mut [A::Number]) {
        let stretch = start..start + to.len();
        R::vectorize(
            #[inline(always)]
            || {
                match self.cotangents.map(|cotangents| &cotangents[stretch.clone()]) {
                    Some(cotangents) => to.iter_mut().zip(cotangents).for_each(|(to, &x)| *to = A::enter(x)),
                    None => to.fill(common),
                }
                if let Some(weight) = self.weight.map(|weight| &weight[stretch]) {
                    to.iter_mut().zip(weight).for_each(|(to, &weight)| *to = *to * A::enter(weight));
                }
            },
        );
    }

    /// Weighs the losses of elements from `start` on, and puts them where they go.
    fn put_losses<A: Arithmetic<R>>(&mut self, start: usize, losses: &mut [A::Number], totals: &mut Totals<R>) {
        let stretch = start..start + losses.len();
        R::vectorize(
            #[inline(always)]
            || {
                if let Some(weight) = self.weight.map(|weight| &weight[stretch.clone()]) {
                    losses.iter_mut().zip(weight).for_each(|(loss, &weight)| *loss = *loss * A::enter(weight));
                }
                if let Some(to) = self.losses.as_mut().map(|losses| &mut losses[stretch]) {
                    to.iter_mut().zip(&*losses).for_each(|(to, &loss)| *to = A::leave(loss));
                    return;
                }
                let (groups, rest) = losses.as_chunks();
                for (group, losses) in (start / LANES..).zip(groups) {
                    totals.add_group::<A>(group, losses);
                }
                for (lane, &loss) in rest.iter().enumerate() {
                    totals.add::<A>(lane, loss);
                }
            },
        );
    }
}

/// Evaluates fewer elements than there are lanes: the other lanes repeat the first one.
fn evaluate_rest<R: Real, A: Arithmetic<R>, const N: usize, const K: usize>(
    kernel: &Kernel<'_, R, A, N, K>,
    mut rest: Stretch<'_, R, N, K>,
    cotangents: &[A::Number],
    losses: &mut [A::Number],
) {
    let count = rest.operands[0].len();
    let (mut operands, mut slopes) = ([[R::ZERO; LANES]; N], [[R::ZERO; LANES]; K]);
    let mut lanes = Stretch { operands: [&[][..]; N], gradients: [const { None }; K], is_far: false };
    for ((lanes, elements), operand) in lanes.operands.iter_mut().zip(&mut operands).zip(&rest.operands) {
        elements.fill(operand[0]);
        elements[..count].copy_from_slice(operand);
        *lanes = elements;
    }
    for ((lanes, slopes), gradient) in lanes.gradients.iter_mut().zip(&mut slopes).zip(&rest.gradients) {
        *lanes = gradient.is_some().then_some(slopes);
    }
    (kernel.evaluate)(lanes, &cotangents[..LANES], &mut losses[..LANES]);
    for (gradient, slopes) in rest.gradients.iter_mut().zip(&slopes) {
        if let Some(gradient) = gradient {
            gradient.copy_from_slice(&slopes[..count]);
        }
    }
}
