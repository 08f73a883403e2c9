use ndarray::ArrayViewMutD;

use crate::call::{Call, IntoView};
use crate::losses::Triple;
use crate::losses::distance::{Distance, PULLBACK_ELEMENTS, PairwiseDistance};
use crate::losses::kink::{PassingAtKink, passes};
use crate::vectors::{Vectors, Vectorwise};
use crate::{
    Backward, Error, Loss, Real, Reduction, Shapes, TripletMarginLoss, TripletMarginWithDistanceLoss, prefetch,
};

/// Computes [`TripletMarginLoss`].
pub fn triplet_margin_loss<'a, R: Real>(
    anchor: impl IntoView<'a, R>,
    positive: impl IntoView<'a, R>,
    negative: impl IntoView<'a, R>,
    options: TripletMarginLoss,
) -> Call<TripletMarginLoss, Triple<'a, R>, R, 3> {
    Call::new(options, (anchor.into_view(), positive.into_view(), negative.into_view()))
}

/// Computes [`TripletMarginWithDistanceLoss`] with any [`Distance`].
pub fn triplet_margin_with_distance_loss<'a, R: Real, D: Distance + Clone>(
    anchor: impl IntoView<'a, R>,
    positive: impl IntoView<'a, R>,
    negative: impl IntoView<'a, R>,
    options: TripletMarginWithDistanceLoss<D>,
) -> Call<TripletMarginWithDistanceLoss<D>, Triple<'a, R>, R, 3> {
    Call::new(options, (anchor.into_view(), positive.into_view(), negative.into_view()))
}

/// The formula and its shapes, for any distance.
struct Triplets<D> {
    distance_function: D,
    margin: f64,
    swap: bool,
    reduction: Reduction,
    /// Whether the gradient passes where the hinge is 0.
    at_kink: bool,
}

impl Triplets<PairwiseDistance> {
    fn new(&TripletMarginLoss { margin, p, eps, swap, reduction }: &TripletMarginLoss) -> Self {
        Self { distance_function: PairwiseDistance { p, eps }, margin, swap, reduction, at_kink: false }
    }
}

impl<D: Clone> Triplets<D> {
    fn with_distance(options: &TripletMarginWithDistanceLoss<D>) -> Self {
        let TripletMarginWithDistanceLoss { distance_function, margin, swap, reduction } = options;
        let distance_function = distance_function.clone();
        Self { distance_function, margin: *margin, swap: *swap, reduction: *reduction, at_kink: false }
    }
}

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

impl<D: Distance> Triplets<D> {
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
        let ([mut by_a, mut by_p, mut by_n], [mut first, mut second]) =
            ([[zero; PULLBACK_ELEMENTS]; 3], [[zero; PULLBACK_ELEMENTS]; 2]);
        for start in (0..a.len()).step_by(PULLBACK_ELEMENTS) {
            let part = start..a.len().min(start + PULLBACK_ELEMENTS);
            let (a, p, n) = (&a[part.clone()], &p[part.clone()], &n[part.clone()]);
            let (by_a, by_p, by_n) = (&mut by_a[..a.len()], &mut by_p[..a.len()], &mut by_n[..a.len()]);
            let (first, second) = (&mut first[..a.len()], &mut second[..a.len()]);
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
        (anchor, positive, negative): &'a Triple<'_, R>,
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

impl<R: Real, D: Distance> Vectorwise<R, 3> for Triplets<D> {
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
        if passes(shortfall, self.at_kink) || shortfall.is_nan() {
            let cotangent = if shortfall.is_nan() { zero } else { cotangent.widen() };
            self.pull_back(cotangent, &distances, vectors, gradients);
        } else {
            gradients.into_iter().for_each(|gradient| gradient.fill(R::ZERO));
        }
        R::narrow(shortfall.maximum(zero))
    }
}

impl<'a, R: Real, D: Distance + Clone> Loss<R, Triple<'a, R>, 3> for TripletMarginWithDistanceLoss<D> {
    fn shapes(&self, inputs: &Triple<'a, R>) -> Result<Shapes<3>, Error> {
        Triplets::with_distance(self).vectors(inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: Triple<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        let triplets = Triplets::with_distance(self);
        triplets.vectors(&inputs)?.evaluate_into(&triplets, NAMES, value, backward)
    }
}

impl<'a, R: Real> Loss<R, Triple<'a, R>, 3> for TripletMarginLoss {
    fn shapes(&self, inputs: &Triple<'a, R>) -> Result<Shapes<3>, Error> {
        Triplets::new(self).vectors(inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: Triple<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        let triplets = Triplets::new(self);
        triplets.vectors(&inputs)?.evaluate_into(&triplets, NAMES, value, backward)
    }
}

impl<'a, R: Real, D: Distance + Clone> Loss<R, Triple<'a, R>, 3> for PassingAtKink<TripletMarginWithDistanceLoss<D>> {
    fn shapes(&self, inputs: &Triple<'a, R>) -> Result<Shapes<3>, Error> {
        self.0.shapes(inputs)
    }

    fn evaluate_into(
        &self,
        inputs: Triple<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        let triplets = Triplets { at_kink: true, ..Triplets::with_distance(&self.0) };
        triplets.vectors(&inputs)?.evaluate_into(&triplets, NAMES, value, backward)
    }
}
