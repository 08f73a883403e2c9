use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::losses::distance::{Distance, PULLBACK_ELEMENTS, PairwiseDistance};
use crate::vectors::{Vectors, Vectorwise};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes, prefetch};

/// Triplet loss of an anchor a, a positive p and a negative n by their distances d:
///
/// ```text
/// max(0, margin + d(a, p) - d(a, n))
/// ```
///
/// With `swap` the second distance is the smaller of d(a, n) and d(p, n). The distance is [`PairwiseDistance`], the p-norm
/// of the difference plus `eps`.
///
/// The tensors have the same number of dimensions, of which the last holds the vectors and the others broadcast; at most
/// one of them may have a last dimension of 1 that broadcasts. All are differentiable, the hinge with slope 1 at 0, and
/// equal distances share the slope. A margin that is not positive is an error.
///
/// Sources: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.TripletMarginLoss.html>; V. Balntas et al., "Learning
/// shallow convolutional feature descriptors with triplet losses", 2016.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginLoss {
    /// By how much the negative is to be farther away.
    pub margin: f64,
    /// The degree of the norm.
    pub p: f64,
    /// What is added to each difference.
    pub eps: f64,
    /// Whether the positive may take the anchor's place.
    pub swap: bool,
    /// How the triplets' losses are put together.
    pub reduction: Reduction,
}

impl Default for TripletMarginLoss {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

/// [`TripletMarginLoss`] by any [`Distance`] d of vectors:
///
/// ```text
/// max(0, d(a, p) - d(a, n) + margin),   with swap: max(0, d(a, p) - min(d(a, n), d(p, n)) + margin)
/// ```
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.TripletMarginWithDistanceLoss.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginWithDistanceLoss<D = PairwiseDistance> {
    /// The distance.
    pub distance_function: D,
    /// By how much the negative is to be farther away.
    pub margin: f64,
    /// Whether the positive may take the anchor's place.
    pub swap: bool,
    /// How the triplets' losses are put together.
    pub reduction: Reduction,
}

impl<D: Default> Default for TripletMarginWithDistanceLoss<D> {
    fn default() -> Self {
        Self { distance_function: D::default(), margin: 1.0, swap: false, reduction: Reduction::Mean }
    }
}

impl TripletMarginLoss {
    fn with_distance(&self) -> TripletMarginWithDistanceLoss {
        let Self { margin, p, eps, swap, reduction } = *self;
        TripletMarginWithDistanceLoss { distance_function: PairwiseDistance { p, eps }, margin, swap, reduction }
    }
}

type Inputs<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>, ArrayViewD<'a, R>);

const NAMES: [&str; 3] = ["anchor", "positive", "negative"];

#[inline(always)]
fn add<R: Real>(sums: &mut [R], terms: &[R]) {
    sums.iter_mut().zip(terms).for_each(|(sum, &term)| *sum = *sum + term);
}

/// The distances of a triplet.
struct Distances<R> {
    positive: R,
    negative: R,
    swapped: Option<R>,
}

impl<R: Real> Distances<R> {
    /// The distance to the negative that counts.
    #[inline(always)]
    fn nearest(&self) -> R {
        self.swapped.map_or(self.negative, |swapped| self.negative.minimum(swapped))
    }

    /// What the negative's own distance and the swapped one have of the slope of that. NaN is neither nearer nor farther.
    #[inline(always)]
    fn shares(&self) -> [R; 2] {
        let (none, half, whole) = (R::ZERO, R::from_f64(0.5), R::ONE);
        match self.swapped {
            None => [whole, none],
            Some(swapped) if swapped < self.negative => [none, whole],
            Some(swapped) if swapped > self.negative => [whole, none],
            Some(_) => [half, half],
        }
    }
}

impl<D: Distance> TripletMarginWithDistanceLoss<D> {
    #[inline(always)]
    fn distances<R: Real>(&self, [a, p, n]: [&[R]; 3]) -> Distances<R::Working> {
        let d = &self.distance_function;
        let swapped = if self.swap { Some(d.distance(p, n)) } else { None };
        Distances { positive: d.distance(a, p), negative: d.distance(a, n), swapped }
    }

    #[inline(always)]
    fn shortfall<R: Real>(&self, distances: &Distances<R::Working>) -> R::Working {
        (R::from_f64(self.margin).widen() + distances.positive) - distances.nearest()
    }

    /// Writes the cotangent times the gradients of the shortfall.
    #[inline(always)]
    fn pull_back<R: Real>(
        &self,
        cotangent: R::Working,
        distances: &Distances<R::Working>,
        [a, p, n]: [&[R]; 3],
        mut gradients: [&mut [R]; 3],
    ) {
        let (d, zero) = (&self.distance_function, R::Working::ZERO);
        let [own, of_swapped] = distances.shares();
        let to_positive = d.pullback(cotangent, distances.positive, [a, p]);
        let to_negative = d.pullback(-(cotangent * own), distances.negative, [a, n]);
        let swapped = distances.swapped.filter(|_| of_swapped > zero);
        let between = swapped.map(|swapped| d.pullback(-(cotangent * of_swapped), swapped, [p, n]));
        let ([mut by_a, mut by_p, mut by_n], mut terms) =
            ([[zero; PULLBACK_ELEMENTS]; 3], [[zero; PULLBACK_ELEMENTS]; 2]);
        for start in (0..a.len()).step_by(PULLBACK_ELEMENTS) {
            let part = start..a.len().min(start + PULLBACK_ELEMENTS);
            let [a, p, n] = [a, p, n].map(|vector| &vector[part.clone()]);
            let [by_a, by_p, by_n] = [&mut by_a, &mut by_p, &mut by_n].map(|by| &mut by[..a.len()]);
            let [first, second] = terms.each_mut().map(|terms| &mut terms[..a.len()]);
            to_positive([a, p], [&mut *by_a, &mut *by_p]);
            if own > zero {
                to_negative([a, n], [&mut *first, &mut *by_n]);
                add(by_a, first);
            } else {
                by_n.fill(zero);
            }
            if let Some(between) = &between {
                between([p, n], [&mut *first, &mut *second]);
                add(by_p, first);
                add(by_n, second);
            }
            for (gradient, by) in gradients.iter_mut().zip([by_a, by_p, by_n]) {
                let gradient = &mut gradient[part.clone()];
                prefetch::ahead_of(gradient);
                gradient.iter_mut().zip(by).for_each(|(to, by)| *to = R::narrow(*by));
            }
        }
    }

    fn vectors<'a, R: Real>(
        &self,
        (anchor, positive, negative): &'a Inputs<'_, R>,
    ) -> Result<Vectors<'a, R, 3>, Error> {
        if self.margin <= 0.0 {
            return Err(Error::Option { name: "margin", value: self.margin, expected: "a positive number" });
        }
        let operands = [anchor.view(), positive.view(), negative.view()];
        let lengths = operands.each_ref().map(|operand| operand.shape().last().copied().unwrap_or(0));
        let length = lengths.into_iter().max().unwrap_or(0);
        let is_ambiguous = lengths.iter().filter(|&&own| own != length).count() > 1;
        for ((operand, name), own) in operands.iter().zip(NAMES).zip(lengths) {
            if operand.ndim() != anchor.ndim() || (is_ambiguous && own != length) {
                let expected = format!("{} dimensions, the last of {length}", anchor.ndim());
                return Err(Error::Shape { name, shape: operand.shape().to_vec(), expected });
            }
        }
        Ok(Vectors { operands, labels: None, reduction: self.reduction })
    }
}

impl<R: Real, D: Distance> Vectorwise<R, 3> for TripletMarginWithDistanceLoss<D> {
    #[inline(always)]
    fn value(&self, vectors: [&[R]; 3], _: R) -> R {
        R::narrow(self.shortfall::<R>(&self.distances(vectors)).maximum(R::Working::ZERO))
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, vectors: [&[R]; 3], _: R, gradients: [&mut [R]; 3]) -> R {
        let zero = R::Working::ZERO;
        let distances = self.distances(vectors);
        let shortfall = self.shortfall::<R>(&distances);
        // NaN has to show in the gradients of what it comes from.
        if shortfall >= zero || shortfall.is_nan() {
            let cotangent = if shortfall >= zero { cotangent.widen() } else { zero };
            self.pull_back(cotangent, &distances, vectors, gradients);
        } else {
            gradients.into_iter().for_each(|gradient| gradient.fill(R::ZERO));
        }
        R::narrow(shortfall.maximum(zero))
    }
}

impl<'a, R: Real, D: Distance> Loss<R, Inputs<'a, R>, 3> for TripletMarginWithDistanceLoss<D> {
    fn shapes(&self, inputs: &Inputs<'a, R>) -> Result<Shapes<3>, Error> {
        self.vectors(inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: Inputs<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        self.vectors(&inputs)?.evaluate_into(self, NAMES, value, backward)
    }
}

impl<'a, R: Real> Loss<R, Inputs<'a, R>, 3> for TripletMarginLoss {
    fn shapes(&self, inputs: &Inputs<'a, R>) -> Result<Shapes<3>, Error> {
        self.with_distance().shapes(inputs)
    }

    fn evaluate_into(
        &self,
        inputs: Inputs<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        self.with_distance().evaluate_into(inputs, value, backward)
    }
}
