//! The driver of losses that act on each element by itself: broadcasting, weights, reduction and cotangents.

mod arithmetic;
mod chunk;
mod kernel;

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};

use self::arithmetic::{Own, Widened};
use self::kernel::Kernel;
use crate::loss::check_buffer_shapes;
use crate::reduction;
use crate::{Backward, Error, Real, Reduction, Shapes, Sum};

/// The formula of a loss of `N` numbers.
pub trait Pointwise<const N: usize>: Sync {
    /// Whether the terms of the formula may cancel, so that it is worked out in [`Real::Working`].
    const NEEDS_EXTRA_PRECISION: bool = false;

    /// Whether the formula is compiled for vectors. Without them it gives the same results several times as slowly, and takes
    /// a small part of the time to build: enough for a formula that only tests call.
    const IS_FAST: bool = true;

    /// The loss of one element.
    fn value<R: Real>(&self, operands: [R; N]) -> R;

    /// The cotangent times the derivative by each operand; anything for operands that are not differentiable.
    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N];
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
            value: reduction::value_shape(self.reduction, &elements).to_vec(),
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

    /// The shape that everything is broadcast to, where the buffers fit it.
    fn checked_shape<const K: usize>(
        &self,
        names: [&'static str; N],
        value: &ArrayViewMutD<'_, R>,
        backward: &Option<Backward<'_, R, K>>,
    ) -> Result<Vec<usize>, Error> {
        let shape = self.shape(names)?;
        let of_value = reduction::value_shape(self.reduction, &shape);
        let of_gradients = std::array::from_fn(|operand| self.operands[operand].shape());
        check_buffer_shapes(of_value, of_gradients, value, backward)?;
        Ok(shape)
    }

    /// What the sum is divided by, where there are that many elements.
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
        let shape = self.checked_shape(names, &value, &backward)?;
        // Both are constants, so that only one of the two is compiled.
        if R::HAS_EXTRA_DIGITS && F::NEEDS_EXTRA_PRECISION {
            Kernel::<R, Widened, N, K>::with(formula, |kernel| chunk::run(self, &shape, kernel, value, backward));
        } else {
            Kernel::<R, Own, N, K>::with(formula, |kernel| chunk::run(self, &shape, kernel, value, backward));
        }
        Ok(())
    }
}

/// The shape that two shapes broadcast to, aligned at the last dimension. `None` if they do not broadcast, or to a shape that
/// no tensor can have: an empty one whose other dimensions multiply to more than a pointer can address.
pub(crate) fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    if a == b {
        return Some(a.to_vec());
    }
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let dims = (0..rank).map(|axis| match (dim(a, axis), dim(b, axis)) {
        (1, n) | (n, 1) => Some(n),
        (n, m) => (n == m).then_some(n),
    });
    let shape: Vec<usize> = dims.collect::<Option<_>>()?;
    let size = shape.iter().try_fold(1_usize, |size, &dim| size.checked_mul(dim.max(1)));
    size.is_some_and(|size| isize::try_from(size).is_ok()).then_some(shape)
}

/// Elements that are in flight at once: enough independent sums for the processor to interleave and vectorise, few enough
/// for its registers.
const LANES: usize = 16;
