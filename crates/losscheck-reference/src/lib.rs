//! PyTorch's loss functions in Rust: value and gradient, each formula written once and read in several arithmetics.
//!
//! Every loss is a function by its name in `torch.nn.functional`. It takes [`ndarray`] arrays, or views of them, of any number of
//! dimensions, and a struct with the options of the PyTorch class, by the same names and with the same defaults. Optional inputs
//! are set by a method of their name, as in `cross_entropy(&logits, &target, options).weight(&weight)`.
//!
//! ```
//! use losscheck_reference::{CrossEntropyLoss, cross_entropy};
//! use ndarray::array;
//!
//! let logits = array![[2.0_f32, 0.5, 0.3], [0.1, 3.0, 0.2], [0.2, 0.1, 4.0]];
//! let target = array![0_i64, 1, 2];
//!
//! let options = CrossEntropyLoss { label_smoothing: 0.1, ..Default::default() };
//! let (loss, gradient) = cross_entropy(&logits, &target, options).value_and_gradient(None)?;
//! assert_eq!(loss.shape(), &[] as &[usize]);
//! assert_eq!(gradient.shape(), logits.shape());
//! # Ok::<(), losscheck_reference::Error>(())
//! ```
//!
//! Code that is generic over losses uses the trait [`Loss`] of the structs. [`AdaptiveLogSoftmaxWithLoss`] has
//! any number of parameters and is not one of them: see [`adaptive_log_softmax_with_loss`].
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
mod call;
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

pub use call::{Call, ClassTarget, IntoView};
pub use error::Error;
pub use half::{Half, narrow, widen};
pub use loss::{Backward, Loss, Shapes};

pub use losscheck_options::{
    AdaptiveLogSoftmaxWithLoss, AdaptiveResult, BCELoss, BCEWithLogitsLoss, CTCLoss, CosineEmbeddingLoss,
    CrossEntropyLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss, KLDivReduction, L1Loss,
    LinearCrossEntropyLoss, MSELoss, MarginRankingLoss, MultiLabelMarginLoss, MultiLabelSoftMarginLoss,
    MultiMarginLoss, NLLLoss, NLLLoss2d, PoissonNLLLoss, Reduction, SmoothL1Loss, SoftMarginLoss, TripletMarginLoss,
    TripletMarginWithDistanceLoss,
};
pub use losses::*;
pub use processor::Instructions;
pub use real::{CompensatedSum, DoubleDouble, Dual, Float, MatrixProduct, Real, Sum, SumLanes};
