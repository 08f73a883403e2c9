//! A formula over a stretch of elements: all that is compiled once for each formula.

use super::arithmetic::Arithmetic;
use super::{LANES, Pointwise};
use crate::{Real, Sum, prefetch};

/// A stretch of elements: what the formula takes, and where the slopes by the first `K` operands go if they are wanted.
pub(super) struct Stretch<'a, R, const N: usize, const K: usize> {
    pub(super) operands: [&'a [R]; N],
    pub(super) gradients: [Option<&'a mut [R]>; K],
    /// Whether the elements are taken to come from beyond the first-level cache.
    pub(super) is_far: bool,
}

impl<R, const N: usize, const K: usize> Stretch<'_, R, N, K> {
    /// Returns a part of the stretch.
    pub(super) fn part(&mut self, start: usize, count: usize) -> Stretch<'_, R, N, K> {
        let (mut operands, mut gradients) = (self.operands, [const { None }; K]);
        for operand in &mut operands {
            *operand = &operand[start..start + count];
        }
        for (part, gradient) in gradients.iter_mut().zip(&mut self.gradients) {
            *part = gradient.as_mut().map(|gradient| &mut gradient[start..start + count]);
        }
        Stretch { operands, gradients, is_far: self.is_far }
    }

    /// Asks for the memory that comes some time after a group of lanes.
    #[inline(always)]
    fn prefetch(&self, group: usize) {
        for operand in &self.operands {
            prefetch::ahead_of(&operand.as_chunks::<LANES>().0[group]);
        }
        for gradient in self.gradients.iter().flatten() {
            prefetch::ahead_of(&gradient.as_chunks::<LANES>().0[group]);
        }
    }
}

/// Sums of the losses, one for each lane.
#[derive(Clone, Copy)]
pub(super) struct Totals<R: Real> {
    sums: [R::Sum; LANES],
    /// The last few losses of each lane, added up plainly if that is quicker ([`Sum::TERMS_PER_COMPENSATION`]).
    plain: [R; LANES],
}

impl<R: Real> Totals<R> {
    pub(super) const ZERO: Self = Self { sums: [R::Sum::ZERO; LANES], plain: [R::ZERO; LANES] };

    const TERMS_PER_COMPENSATION: usize = <R::Sum as Sum<R>>::TERMS_PER_COMPENSATION;

    /// Adds the loss of a lane.
    #[inline(always)]
    pub(super) fn add<A: Arithmetic<R>>(&mut self, lane: usize, loss: A::Number) {
        if Self::TERMS_PER_COMPENSATION > 1 {
            self.plain[lane] = A::leave(A::enter(self.plain[lane]) + loss);
        } else {
            self.sums[lane] = A::add(self.sums[lane], loss);
        }
    }

    /// Adds the losses of a group of lanes; every so many groups, what has been added up plainly joins the sums.
    #[inline(always)]
    pub(super) fn add_group<A: Arithmetic<R>>(&mut self, group: usize, losses: &[A::Number; LANES]) {
        for (lane, &loss) in losses.iter().enumerate() {
            self.add::<A>(lane, loss);
        }
        if (group + 1).is_multiple_of(Self::TERMS_PER_COMPENSATION) {
            self.settle();
        }
    }

    /// Adds to the sums what has been added up plainly.
    #[inline(always)]
    pub(super) fn settle(&mut self) {
        if Self::TERMS_PER_COMPENSATION > 1 {
            for lane in 0..LANES {
                self.sums[lane] = self.sums[lane].plus(self.plain[lane]);
                self.plain[lane] = R::ZERO;
            }
        }
    }

    /// Returns the sum of all lanes.
    pub(super) fn total(self) -> R::Sum {
        self.sums.into_iter().reduce(Sum::merge).unwrap_or(R::Sum::ZERO)
    }
}

/// Works out the losses of a stretch and multiplies its slopes by a cotangent for each element. If the type has vectors, the
/// stretch consists of whole groups of lanes.
pub(super) type Evaluate<'k, R, W, const N: usize, const K: usize> =
    dyn Fn(Stretch<'_, R, N, K>, &[W], &mut [W]) + Sync + 'k;

/// Adds up the losses of a stretch of whole groups, whose elements have one cotangent in common. Returns false if there is no
/// fast kernel for this processor.
pub(super) type AddUp<'k, R, W, const N: usize, const K: usize> =
    dyn Fn(Stretch<'_, R, N, K>, W, &mut Totals<R>) -> bool + Sync + 'k;

/// A formula, ready to run over stretches. Through these pointers the rest of the driver is shared by all formulas.
pub(super) struct Kernel<'k, R: Real, A: Arithmetic<R>, const N: usize, const K: usize> {
    pub(super) evaluate: &'k Evaluate<'k, R, A::Number, N, K>,
    pub(super) add_up: &'k AddUp<'k, R, A::Number, N, K>,
}

impl<R: Real, A: Arithmetic<R>, const N: usize, const K: usize> Kernel<'_, R, A, N, K> {
    /// Calls `run` with the kernel of a formula.
    pub(super) fn with<F: Pointwise<N>>(formula: &F, run: impl FnOnce(&Kernel<'_, R, A, N, K>)) {
        let evaluate = |stretch: Stretch<'_, R, N, K>, cotangents: &[A::Number], losses: &mut [A::Number]| {
            let plain = |(stretch, losses): (Stretch<'_, R, N, K>, &mut [A::Number])| {
                let value = |operands| formula.value(operands);
                let pullback = |cotangent, operands| formula.pullback(cotangent, operands);
                run_plainly::<R, A, N, K>(&value, &pullback, stretch, cotangents, losses);
            };
            if !F::IS_FAST {
                return plain((stretch, losses));
            }
            R::fast_or_plain(
                (stretch, losses),
                #[inline(always)]
                |(stretch, losses)| {
                    let (cotangents, losses) = (cotangents.as_chunks().0, losses.as_chunks_mut().0);
                    run_groups::<F, R, A, N, K>(
                        formula,
                        stretch,
                        #[inline(always)]
                        |group| cotangents[group],
                        #[inline(always)]
                        |group, group_losses| losses[group] = *group_losses,
                    );
                },
                plain,
            );
        };
        let add_up = |stretch: Stretch<'_, R, N, K>, cotangent: A::Number, totals: &mut Totals<R>| {
            if !F::IS_FAST {
                return false;
            }
            R::fast_or_plain(
                (stretch, totals),
                #[inline(always)]
                |(stretch, totals)| {
                    // A copy, which stays in registers.
                    let mut sums = *totals;
                    run_groups::<F, R, A, N, K>(
                        formula,
                        stretch,
                        #[inline(always)]
                        |_| [cotangent; LANES],
                        #[inline(always)]
                        |group, losses| sums.add_group::<A>(group, losses),
                    );
                    *totals = sums;
                    true
                },
                |_| false,
            )
        };
        run(&Kernel { evaluate: &evaluate, add_up: &add_up });
    }
}

/// Runs the formula over whole groups of lanes, with no branch inside the loops over the lanes.
#[inline(always)]
fn run_groups<F: Pointwise<N>, R: Real, A: Arithmetic<R>, const N: usize, const K: usize>(
    formula: &F,
    mut stretch: Stretch<'_, R, N, K>,
    cotangents: impl Fn(usize) -> [A::Number; LANES],
    mut put: impl FnMut(usize, &[A::Number; LANES]),
) {
    let groups = stretch.operands[0].len() / LANES;
    let operands = in_groups(&stretch.operands, groups);
    if stretch.gradients.iter().all(Option::is_none) {
        for group in 0..groups {
            if stretch.is_far {
                stretch.prefetch(group);
            }
            let mut losses = [A::Number::ZERO; LANES];
            for (lane, loss) in losses.iter_mut().enumerate() {
                *loss = formula.value(entered::<R, A, N>(&operands, group, lane));
            }
            put(group, &losses);
        }
        return;
    }
    // The value and the slopes of an element are worked out together, so that they share what they have in common.
    if stretch.gradients[1..].iter().all(Option::is_none) {
        // What training needs: the slopes by the other operands are not worked out.
        for group in 0..groups {
            if stretch.is_far {
                stretch.prefetch(group);
            }
            let (mut losses, mut slopes) = ([A::Number::ZERO; LANES], [R::ZERO; LANES]);
            let cotangents = cotangents(group);
            for lane in 0..LANES {
                losses[lane] = formula.value(entered::<R, A, N>(&operands, group, lane));
                slopes[lane] =
                    A::leave(formula.pullback(cotangents[lane], entered::<R, A, N>(&operands, group, lane))[0]);
            }
            if let Some(gradient) = &mut stretch.gradients[0] {
                gradient.as_chunks_mut().0[group] = slopes;
            }
            put(group, &losses);
        }
        return;
    }
    for group in 0..groups {
        let (mut losses, mut slopes) = ([A::Number::ZERO; LANES], [[R::ZERO; LANES]; K]);
        let cotangents = cotangents(group);
        for lane in 0..LANES {
            losses[lane] = formula.value(entered::<R, A, N>(&operands, group, lane));
            let pulled = formula.pullback(cotangents[lane], entered::<R, A, N>(&operands, group, lane));
            for k in 0..K {
                slopes[k][lane] = A::leave(pulled[k]);
            }
        }
        for (gradient, slopes) in stretch.gradients.iter_mut().zip(&slopes) {
            if let Some(gradient) = gradient {
                gradient.as_chunks_mut().0[group] = *slopes;
            }
        }
        put(group, &losses);
    }
}

/// The first groups of lanes of each operand.
fn in_groups<'a, R, const N: usize>(operands: &[&'a [R]; N], groups: usize) -> [&'a [[R; LANES]]; N] {
    operands.map(|operand| &operand.as_chunks().0[..groups])
}

/// Returns the operands of one lane of a group, in the arithmetic.
#[inline(always)]
fn entered<R: Real, A: Arithmetic<R>, const N: usize>(
    operands: &[&[[R; LANES]]; N],
    group: usize,
    lane: usize,
) -> [A::Number; N] {
    let mut entered = [A::Number::ZERO; N];
    for n in 0..N {
        entered[n] = A::enter(operands[n][group][lane]);
    }
    entered
}

/// Runs the formula over one element after the other. Compiled once for all formulas.
fn run_plainly<R: Real, A: Arithmetic<R>, const N: usize, const K: usize>(
    value: &dyn Fn([A::Number; N]) -> A::Number,
    pullback: &dyn Fn(A::Number, [A::Number; N]) -> [A::Number; N],
    mut stretch: Stretch<'_, R, N, K>,
    cotangents: &[A::Number],
    losses: &mut [A::Number],
) {
    let has_gradient = stretch.gradients.iter().any(Option::is_some);
    for (at, (loss, &cotangent)) in losses.iter_mut().zip(cotangents).enumerate() {
        let mut operands = [A::Number::ZERO; N];
        for (entered, operand) in operands.iter_mut().zip(&stretch.operands) {
            *entered = A::enter(operand[at]);
        }
        *loss = value(operands);
        if has_gradient {
            let slopes = pullback(cotangent, operands);
            for (gradient, &slope) in stretch.gradients.iter_mut().zip(&slopes) {
                if let Some(gradient) = gradient {
                    gradient[at] = A::leave(slope);
                }
            }
        }
    }
}
