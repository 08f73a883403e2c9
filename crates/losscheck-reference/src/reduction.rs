//! How the losses of single elements or rows are put together.

use ndarray::iter::IterMut;
use ndarray::{ArrayViewMutD, IxDyn};

use crate::fold::SumsOf;
use crate::real::SumLanes;
use crate::{Real, Reduction, Sum};

/// Returns the shape of the value, given that of the losses.
pub(crate) fn value_shape(reduction: Reduction, losses: &[usize]) -> &[usize] {
    if reduction == Reduction::None { losses } else { &[] }
}

/// A number of losses, exactly, also where it has more digits than `R`.
pub(crate) fn count<R: Real>(losses: usize) -> R::Sum {
    let rest = losses % (1 << 20);
    R::Sum::ZERO.plus(R::from_f64((losses - rest) as f64)).plus(R::from_f64(rest as f64))
}

/// Where the losses go: each to its place, or all to a sum.
pub(crate) struct Losses<'a, R> {
    places: Option<Box<IterMut<'a, R, IxDyn>>>,
}

impl<'a, R: Real> Losses<'a, R> {
    /// To a sum where there are no places.
    pub(crate) fn new(places: Option<&'a mut ArrayViewMutD<'_, R>>) -> Self {
        Self { places: places.map(|places| Box::new(places.iter_mut())) }
    }

    /// The sum with one more loss, unless that has a place.
    #[inline(always)]
    pub(crate) fn add(&mut self, sum: R::Sum, loss: R) -> R::Sum {
        match self.places.as_mut().and_then(|places| places.next()) {
            Some(place) => {
                *place = loss;
                sum
            }
            None => sum.plus(loss),
        }
    }

    /// Sums with one more loss each, unless those have places, of which there may be fewer.
    #[inline(always)]
    pub(crate) fn add_each<const N: usize>(&mut self, sums: SumsOf<R, N>, losses: [R; N]) -> SumsOf<R, N> {
        match &mut self.places {
            Some(places) => {
                // The losses first, for `zip` takes from both and would lose a place at their end.
                losses.into_iter().zip(places).for_each(|(loss, place)| *place = loss);
                sums
            }
            None => sums.plus(losses),
        }
    }
}
