//! f16 and bf16: stored in 16 bits, computed in f32, rounded once.

use ndarray::{ArrayBase, ArrayD, ArrayViewD, Data, IxDyn};

/// A 16-bit float. The losses do not compute in it: [`widen`] the inputs to f32 and [`narrow`] the results.
pub trait Half: Copy {
    /// The same number.
    fn to_f32(self) -> f32;

    /// The nearest number, of two the one whose last bit is 0.
    fn from_f32(x: f32) -> Self;
}

impl Half for half::f16 {
    fn to_f32(self) -> f32 {
        self.to_f32()
    }

    fn from_f32(x: f32) -> Self {
        Self::from_f32(x)
    }
}

impl Half for half::bf16 {
    fn to_f32(self) -> f32 {
        self.to_f32()
    }

    fn from_f32(x: f32) -> Self {
        Self::from_f32(x)
    }
}

/// The same numbers in f32.
///
/// ```
/// use half::bf16;
/// use losscheck_reference::{MSELoss, mse_loss, narrow, widen};
/// use ndarray::array;
///
/// let input = array![2.5, 0.5, 2.0, 8.0].mapv(bf16::from_f64).into_dyn();
/// let target = array![3.0, -0.5, 2.0, 7.0].mapv(bf16::from_f64).into_dyn();
///
/// let (input, target) = (widen(&input.view()), widen(&target.view()));
/// let (loss, gradient) = mse_loss(&input, &target, MSELoss::default()).value_and_gradient(None)?;
/// let (loss, gradient) = (narrow::<bf16>(&loss), narrow::<bf16>(&gradient));
/// assert_eq!(loss[[]], bf16::from_f32(0.5625));
/// assert_eq!(gradient[[1]], bf16::from_f32(0.5));
/// # Ok::<(), losscheck_reference::Error>(())
/// ```
pub fn widen<T: Half>(tensor: &ArrayViewD<'_, T>) -> ArrayD<f32> {
    tensor.mapv(T::to_f32)
}

/// The numbers rounded to 16 bits.
pub fn narrow<T: Half>(tensor: &ArrayBase<impl Data<Elem = f32>, IxDyn>) -> ArrayD<T> {
    tensor.mapv(T::from_f32)
}
