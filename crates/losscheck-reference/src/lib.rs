//! PyTorch's loss functions in Rust: value and gradient, each formula written once and read in several arithmetics.
//!
//! Every loss is a struct with the options of its PyTorch class, by the same names and with the same defaults. Its
//! methods are those of [`Loss`]; the inputs are [`ndarray`] views.
//!
//! ```
//! use losscheck_reference::{CrossEntropyLoss, Loss};
//! use ndarray::array;
//!
//! let logits = array![[2.0_f32, 0.5, 0.3], [0.1, 3.0, 0.2], [0.2, 0.1, 4.0]].into_dyn();
//! let target = array![0_i64, 1, 2].into_dyn();
//!
//! let criterion = CrossEntropyLoss { label_smoothing: 0.1, ..Default::default() };
//! let (loss, gradient) = criterion.value_and_gradient((logits.view(), target.view()), None)?;
//! assert_eq!(loss.shape(), &[] as &[usize]);
//! assert_eq!(gradient.shape(), logits.shape());
//! # Ok::<(), losscheck_reference::Error>(())
//! ```
//!
//! # Exactness
//!
//! The formulas are in the form that does not cancel: a confident prediction keeps all digits of its loss and of its
//! gradient. Sums are rounded once, whatever their length. The results are the same to the bit on every processor,
//! but for the sign and the payload of a NaN, which IEEE 754 leaves open; see [`Instructions`].
//!
//! Where PyTorch's behaviour is a documented convention (the clamp of `BCELoss` at -100, the gradient 0 of |x| at 0,
//! NaN for the mean of nothing, the gradient of `CTCLoss` by the logits), it is followed; where its arithmetic overflows
//! or cancels, it is not.
//!
//! # Arithmetics
//!
//! The losses are generic over [`Real`]: `f32` and `f64`, vectorised; [`DoubleDouble`], about 106 bits, to judge others by; and
//! [`Dual`] numbers over any of these, which differentiate the value to prove the gradient. f16 and bf16 are computed in f32
//! and rounded once: see [`widen`] and [`narrow`].

mod buffers;
mod error;
mod fold;
mod half;
mod lanes;
mod linear;
mod loss;
pub mod losses;
pub mod pointwise;
mod prefetch;
mod processor;
mod real;
mod reduction;
pub mod rowwise;
mod threads;
pub mod vectors;

pub use error::Error;
pub use half::{Half, narrow, widen};
pub use loss::{Backward, Loss, Shapes};

pub use losses::*;
pub use processor::Instructions;
pub use real::{CompensatedSum, DoubleDouble, Dual, Float, MatrixProduct, Real, Sum, SumLanes};
pub use reduction::Reduction;
