//! Tensors as cases hold them, and as arrays of the arithmetics of the reference.

use losscheck_reference::Real;
use ndarray::{ArrayD, IxDyn};

pub use losscheck_backend::tensor::*;

/// A [`Tensor`] as an array, and an array as a [`Tensor`].
pub trait TensorExt: Sized {
    /// Returns the elements of an array, each rounded to the nearest number of the dtype.
    fn from_array<R: Real>(dtype: DType, array: &ArrayD<R>) -> Self;

    /// Returns the indices of an array.
    fn from_index_array(array: ArrayD<i64>) -> Self;

    /// Returns the elements in the arithmetic `R`. They are exact if `R` is at least as wide as the dtype.
    fn to_array<R: Real>(&self) -> ArrayD<R>;

    /// Returns the elements as class indices, or `None` if they are floating-point numbers.
    fn to_index_array(&self) -> Option<ArrayD<i64>>;
}

const FITS: &str = "a tensor's shape fits its elements";

impl TensorExt for Tensor {
    fn from_array<R: Real>(dtype: DType, array: &ArrayD<R>) -> Self {
        let data = Data::rounded(dtype, array.iter().map(|x| x.to_f64()));
        Self::new(array.shape().to_vec(), data).expect(FITS)
    }

    fn from_index_array(array: ArrayD<i64>) -> Self {
        Self::new(array.shape().to_vec(), Data::I64(array.iter().copied().collect())).expect(FITS)
    }

    fn to_array<R: Real>(&self) -> ArrayD<R> {
        ArrayD::from_shape_vec(IxDyn(self.shape()), self.data().map(R::from_f64)).expect(FITS)
    }

    fn to_index_array(&self) -> Option<ArrayD<i64>> {
        Some(ArrayD::from_shape_vec(IxDyn(self.shape()), self.to_indices()?).expect(FITS))
    }
}
