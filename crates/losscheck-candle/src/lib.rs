//! PyTorch's loss functions for candle, and candle as a backend of losscheck.
//!
//! [`losses`] is a library of its own: without the feature `backend`, which is on by default and adds the backends
//! `Candle` and `CandleNn`, the crate depends on candle-core and on losscheck-options alone.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use losscheck_candle::losses::{CrossEntropyLoss, cross_entropy};
//!
//! let logits = Var::new(&[[2f32, 0.5, 0.3], [0.1, 3.0, 0.2]], &Device::Cpu)?;
//! let target = Tensor::new(&[0i64, 1], &Device::Cpu)?;
//!
//! let options = CrossEntropyLoss { label_smoothing: 0.1, ..Default::default() };
//! let loss = cross_entropy(&logits, &target, None, options)?;
//! let gradients = loss.backward()?;
//! assert_eq!(gradients.get(&logits).unwrap().dims(), logits.dims());
//! # Ok::<(), candle_core::Error>(())
//! ```

#[cfg(feature = "backend")]
mod backend;
pub mod losses;

#[cfg(feature = "backend")]
pub use backend::{Candle, CandleNn};
