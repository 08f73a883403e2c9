//! What an implementation of PyTorch's losses needs to be judged by losscheck.
//!
//! A crate that implements [`Backend`] depends on this one and on nothing else of losscheck: a [`Case`] holds a
//! [`Loss`] with its options, and [`Tensor`](tensor::Tensor)s by PyTorch's names; the backend answers with an [`Outcome`].
//!
//! ```
//! use losscheck_backend::backend::{Backend, Coverage, Outcome};
//! use losscheck_backend::case::{Answer, Case};
//! use losscheck_backend::tensor::Tensors;
//! use losscheck_backend::{Loss, LossKind, Reduction};
//!
//! /// The mean of the absolute differences, and nothing else.
//! struct Mine;
//!
//! impl Backend for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!
//!     fn version(&self) -> String {
//!         "mine 1.0".to_owned()
//!     }
//!
//!     fn coverage(&self, loss: LossKind) -> Coverage {
//!         if loss == LossKind::L1Loss { Coverage::Native } else { Coverage::Missing }
//!     }
//!
//!     fn evaluate(&self, case: &Case) -> Outcome {
//!         let Loss::L1Loss(options) = &case.loss else {
//!             return Outcome::NotProvided("only l1_loss".to_owned());
//!         };
//!         let (input, target) = (&case.inputs["input"], &case.inputs["target"]);
//!         let is_plain = options.reduction == Reduction::Mean && case.cotangent.is_none();
//!         if !is_plain || case.inputs.len() > 2 || input.shape() != target.shape() {
//!             return Outcome::NotProvided("only the mean, without broadcasting and weight".to_owned());
//!         }
//!         let (x, t) = (input.to_f64(), target.to_f64());
//!         let count = x.len() as f64;
//!         let total: f64 = x.iter().zip(&t).map(|(x, t)| (x - t).abs()).sum();
//!         let slopes = x.iter().zip(&t).map(|(x, t)| if x == t { 0.0 } else { (x - t).signum() / count });
//!         let slopes: Vec<f64> = slopes.collect();
//!         let gradients = Tensors::from([
//!             ("input".to_owned(), input.with_elements(slopes.iter().copied()).expect("as many elements")),
//!             ("target".to_owned(), target.with_elements(slopes.iter().map(|x| -x)).expect("as many elements")),
//!         ]);
//!         let value = input.scalar(total / count);
//!         Outcome::Answer(Answer { value, gradients })
//!     }
//! }
//! ```

pub mod backend;
pub mod case;
pub mod pytorch;
pub mod tensor;

pub use losscheck_options::*;

pub use backend::{Backend, Outcome};
pub use case::Case;
pub use pytorch::PytorchVersion;
