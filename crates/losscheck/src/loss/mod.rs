//! What is tested: the losses with their options and tensors. Nothing here knows of cases.
//!
//! The one list of losses is in `losscheck-options`: [`LossKind::ALL`] drives tests, goldens, generators and benchmarks. Each
//! loss has a file here that implements [`LossSpec`] on its options.

mod adaptive_log_softmax_with_loss;
mod binary_cross_entropy;
mod binary_cross_entropy_with_logits;
mod cosine_embedding_loss;
mod cross_entropy;
mod ctc_loss;
mod gaussian_nll_loss;
mod hinge_embedding_loss;
mod huber_loss;
mod kl_div;
mod l1_loss;
mod linear_cross_entropy;
mod margin_ranking_loss;
mod mse_loss;
mod multi_margin_loss;
mod multilabel_margin_loss;
mod multilabel_soft_margin_loss;
mod nll_loss;
mod nll_loss2d;
mod poisson_nll_loss;
mod smooth_l1_loss;
mod soft_margin_loss;
mod triplet_margin_loss;
mod triplet_margin_with_distance_loss;

pub mod generate;
mod inputs;
mod spec;

mod classes;
mod elements;
mod linear;
mod triplets;
mod vectors;

use losscheck_backend::pytorch::SlopeAtKink;
use losscheck_options::*;
use losscheck_reference::{DoubleDouble, Dual, Error, Real};
use ndarray::ArrayD;
use proptest::strategy::{BoxedStrategy, Strategy};

pub use inputs::{Inputs, Outputs, Request, ValueAndGradients};
pub use losscheck_options::{Loss, LossKind, LossOptions, Output, Signature};
pub use spec::LossSpec;

use crate::tensor::{DType, Tensors};

/// What the suite can do with a loss.
pub trait LossExt {
    /// Evaluates the reference in the arithmetic of the inputs. `request` is [`Outputs`], or a [`Request`] with buffers.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn evaluate<R: Arithmetic>(
        &self,
        inputs: &Inputs<R>,
        request: impl Into<Request<R>>,
    ) -> Result<ValueAndGradients<R>, Error>;

    /// Evaluates the reference in wide arithmetic, with this slope where a hinge is exactly 0.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn evaluate_exactly(
        &self,
        inputs: &Inputs<DoubleDouble>,
        slope: SlopeAtKink,
    ) -> Result<ValueAndGradients<DoubleDouble>, Error>;

    /// Returns what errors of the results are proportional to: see [`LossSpec::error_scale`].
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error>;

    /// Returns by how much the results may jump if intermediate results are rounded: see [`LossSpec::jumps`].
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error>;

    /// Returns the indices that the loss answers with instead of numbers: see [`LossSpec::indices`].
    fn indices<R: Real>(&self, inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>>;
}

/// What the suite knows of a loss without its options.
pub trait LossKindExt {
    /// Returns the dtypes in which PyTorch computes the loss on the CPU.
    fn dtypes(self) -> &'static [DType];

    /// Returns whether the loss has a hinge whose slope at the kink depends on the version of PyTorch: see
    /// [`LossSpec::HAS_KINK`].
    fn has_kink(self) -> bool;

    /// Generates random options and tensors, edge values included.
    fn generate(self, dtype: DType) -> BoxedStrategy<(Loss, Tensors)>;

    /// Returns the JSON Schema of the options.
    fn options_schema(self) -> schemars::Schema;
}

macro_rules! losses {
    ($($variant:ident = $module:ident, $class:ident;)*) => {
        impl LossExt for Loss {
            fn evaluate<R: Arithmetic>(
                &self,
                inputs: &Inputs<R>,
                request: impl Into<Request<R>>,
            ) -> Result<ValueAndGradients<R>, Error> {
                R::evaluate(self, inputs, request.into())
            }

            fn evaluate_exactly(
                &self,
                inputs: &Inputs<DoubleDouble>,
                slope: SlopeAtKink,
            ) -> Result<ValueAndGradients<DoubleDouble>, Error> {
                let passing = match (slope, self) {
                    (SlopeAtKink::Zero, _) => None,
                    $((SlopeAtKink::One, Loss::$variant(options)) => options.evaluate_passing_at_kink(inputs),)*
                };
                passing.unwrap_or_else(|| self.evaluate(inputs, Outputs::Gradients))
            }

            fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
                match self {
                    $(Loss::$variant(options) => options.error_scale(inputs),)*
                }
            }

            fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
                match self {
                    $(Loss::$variant(options) => options.jumps(inputs),)*
                }
            }

            fn indices<R: Real>(&self, inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>> {
                match self {
                    $(Loss::$variant(options) => options.indices(inputs),)*
                }
            }
        }

        impl LossKindExt for LossKind {
            fn dtypes(self) -> &'static [DType] {
                match self {
                    $(LossKind::$variant => $class::DTYPES,)*
                }
            }

            fn has_kink(self) -> bool {
                match self {
                    $(LossKind::$variant => $class::HAS_KINK,)*
                }
            }

            fn generate(self, dtype: DType) -> BoxedStrategy<(Loss, Tensors)> {
                match self {
                    $(LossKind::$variant => {
                        let generated = $class::generate(dtype);
                        generated.prop_map(|(options, tensors)| (Loss::$variant(options), tensors)).boxed()
                    })*
                }
            }

            fn options_schema(self) -> schemars::Schema {
                match self {
                    $(LossKind::$variant => $class::options_schema(),)*
                }
            }
        }

        fn evaluate_in<R: Real>(
            loss: &Loss,
            inputs: &Inputs<R>,
            request: Request<R>,
        ) -> Result<ValueAndGradients<R>, Error> {
            match loss {
                $(Loss::$variant(options) => LossSpec::evaluate(options, inputs, request),)*
            }
        }
    };
}

for_each_loss!(losses);

/// An arithmetic that losses are evaluated in.
///
/// The kernels are compiled here, once for each type: as generic functions, every crate that calls them would compile all
/// of them again.
pub trait Arithmetic: Real {
    /// Evaluates a loss: see [`LossExt::evaluate`].
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn evaluate(loss: &Loss, inputs: &Inputs<Self>, request: Request<Self>) -> Result<ValueAndGradients<Self>, Error>;
}

macro_rules! arithmetics {
    ($($number:ty),*) => {
        $(impl Arithmetic for $number {
            #[inline(never)]
            fn evaluate(loss: &Loss, inputs: &Inputs<Self>, request: Request<Self>) -> Result<ValueAndGradients<Self>, Error> {
                evaluate_in(loss, inputs, request)
            }
        })*
    };
}

arithmetics!(f32, f64, DoubleDouble, Dual<DoubleDouble>);
