//! What is tested: the losses with their options and tensors. Nothing here knows of cases.
//!
//! This file holds the one list of losses. Tests, goldens, generators and benchmarks are driven by [`LossKind::ALL`]. Each
//! loss has a file that implements [`LossSpec`] on its options.

pub mod adaptive_log_softmax_with_loss;
pub mod binary_cross_entropy;
pub mod binary_cross_entropy_with_logits;
pub mod cosine_embedding_loss;
pub mod cross_entropy;
pub mod ctc_loss;
pub mod gaussian_nll_loss;
pub mod hinge_embedding_loss;
pub mod huber_loss;
pub mod kl_div;
pub mod l1_loss;
pub mod linear_cross_entropy;
pub mod margin_ranking_loss;
pub mod mse_loss;
pub mod multi_margin_loss;
pub mod multilabel_margin_loss;
pub mod multilabel_soft_margin_loss;
pub mod nll_loss;
pub mod nll_loss2d;
pub mod poisson_nll_loss;
pub mod smooth_l1_loss;
pub mod soft_margin_loss;
pub mod triplet_margin_loss;
pub mod triplet_margin_with_distance_loss;

pub mod generate;
mod inputs;
mod spec;

mod classes;
mod elements;
mod linear;
mod triplets;
mod vectors;

use losscheck_options::*;
use losscheck_reference::{DoubleDouble, Dual, Error, Real};
use ndarray::ArrayD;
use proptest::strategy::{BoxedStrategy, Strategy};

pub use inputs::{Inputs, Outputs, Request, ValueAndGradients};
pub use spec::{LossSpec, Output, Signature};

use crate::tensor::{DType, Tensors};

/// Declares the list: for each loss its variant, its module, and its class in `torch.nn`, whose options implement [`LossSpec`].
macro_rules! losses {
    ($($variant:ident = $module:ident, $class:ident;)*) => {
        /// A loss, without its options.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum LossKind {
            $(#[doc = concat!("`torch.nn.", stringify!($class), "`.")] $variant,)*
        }

        /// A loss with its options.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Loss {
            $(#[doc = concat!("`torch.nn.", stringify!($class), "`.")] $variant($class),)*
        }

        impl LossKind {
            /// Every loss, by name.
            pub const ALL: &'static [LossKind] = &[$(LossKind::$variant,)*];

            /// The name of its function in `torch.nn.functional`, and that of its class in this form where there is none.
            pub fn name(self) -> &'static str {
                match self {
                    $(LossKind::$variant => stringify!($module),)*
                }
            }

            /// The name of its class in `torch.nn`.
            pub fn class(self) -> &'static str {
                match self {
                    $(LossKind::$variant => stringify!($class),)*
                }
            }

            /// The tensors that the loss takes.
            pub fn signature(self) -> Signature {
                match self {
                    $(LossKind::$variant => $class::SIGNATURE,)*
                }
            }

            /// The dtypes that PyTorch computes the loss in on the CPU.
            pub fn dtypes(self) -> &'static [DType] {
                match self {
                    $(LossKind::$variant => $class::DTYPES,)*
                }
            }

            /// Generates random options and tensors, edge values included.
            pub fn generate(self, dtype: DType) -> BoxedStrategy<(Loss, Tensors)> {
                match self {
                    $(LossKind::$variant => {
                        let generated = $class::generate(dtype);
                        generated.prop_map(|(options, tensors)| (Loss::$variant(options), tensors)).boxed()
                    })*
                }
            }

            /// The JSON Schema of the options.
            pub fn options_schema(self) -> schemars::Schema {
                match self {
                    $(LossKind::$variant => $class::options_schema(),)*
                }
            }

            /// Reads the options, those left out with PyTorch's defaults.
            ///
            /// # Errors
            ///
            /// Where an option is unknown or of the wrong type.
            pub fn read_options(self, options: serde_json::Value) -> Result<Loss, serde_json::Error> {
                match self {
                    $(LossKind::$variant => {
                        let options: $class = serde_json::from_value(options)?;
                        options.check_names().map_err(serde::de::Error::custom)?;
                        Ok(Loss::$variant(options))
                    },)*
                }
            }
        }

        impl Loss {
            /// The loss without its options.
            pub fn kind(&self) -> LossKind {
                match self {
                    $(Loss::$variant(_) => LossKind::$variant,)*
                }
            }

            /// The options, as the golden format writes them.
            pub fn write_options(&self) -> serde_json::Value {
                match self {
                    $(Loss::$variant(options) => serde_json::to_value(options),)*
                }
                .expect("options are plain data")
            }

            fn evaluate_in<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
                match self {
                    $(Loss::$variant(options) => options.evaluate(inputs, request),)*
                }
            }

            /// What errors of the results are proportional to: see [`LossSpec::error_scale`].
            ///
            /// # Errors
            ///
            /// Where the reference refuses the inputs.
            pub fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
                match self {
                    $(Loss::$variant(options) => options.error_scale(inputs),)*
                }
            }

            /// Returns by how much the results may jump if intermediate results are rounded: see [`LossSpec::jumps`].
            ///
            /// # Errors
            ///
            /// Returns an error if the inputs are invalid.
            pub fn jumps(
                &self,
                inputs: &Inputs<DoubleDouble>,
            ) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
                match self {
                    $(Loss::$variant(options) => options.jumps(inputs),)*
                }
            }

            /// The indices that the loss answers with in place of numbers: see [`LossSpec::indices`].
            pub fn indices<R: Real>(&self, inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>> {
                match self {
                    $(Loss::$variant(options) => options.indices(inputs),)*
                }
            }

            /// The same with the numbers that such indices are chosen from: see [`LossSpec::argmax_candidates`].
            #[must_use]
            pub fn argmax_candidates(&self) -> Option<Self> {
                match self {
                    $(Loss::$variant(options) => options.argmax_candidates().map(Loss::$variant),)*
                }
            }

            /// Returns PyTorch's name of the reduction, or `None` if the loss has no such option.
            pub fn reduction(&self) -> Option<&'static str> {
                match self {
                    $(Loss::$variant(options) => options.reduction(),)*
                }
            }

            /// Returns the loss with another reduction, or `None` if it has no such option.
            pub fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
                match self {
                    $(Loss::$variant(options) => options.with_reduction(reduction).map(Loss::$variant),)*
                }
            }

            /// Returns the class index whose rows count for nothing, or `None` if the loss has no such option.
            pub fn ignore_index(&self) -> Option<i64> {
                match self {
                    $(Loss::$variant(options) => options.ignore_index(),)*
                }
            }

            /// Returns the share of the uniform distribution in the target, or `None` if the loss has no such option.
            pub fn label_smoothing(&self) -> Option<f64> {
                match self {
                    $(Loss::$variant(options) => options.label_smoothing(),)*
                }
            }

            /// Returns the loss that gives one number for each element or row.
            #[must_use]
            pub fn unreduced(&self) -> Self {
                match self {
                    $(Loss::$variant(options) => Loss::$variant(options.unreduced()),)*
                }
            }
        }
    };
}

losses! {
    AdaptiveLogSoftmaxWithLoss = adaptive_log_softmax_with_loss, AdaptiveLogSoftmaxWithLoss;
    BinaryCrossEntropy = binary_cross_entropy, BCELoss;
    BinaryCrossEntropyWithLogits = binary_cross_entropy_with_logits, BCEWithLogitsLoss;
    CosineEmbeddingLoss = cosine_embedding_loss, CosineEmbeddingLoss;
    CrossEntropy = cross_entropy, CrossEntropyLoss;
    CtcLoss = ctc_loss, CTCLoss;
    GaussianNllLoss = gaussian_nll_loss, GaussianNLLLoss;
    HingeEmbeddingLoss = hinge_embedding_loss, HingeEmbeddingLoss;
    HuberLoss = huber_loss, HuberLoss;
    KlDiv = kl_div, KLDivLoss;
    L1Loss = l1_loss, L1Loss;
    LinearCrossEntropy = linear_cross_entropy, LinearCrossEntropyLoss;
    MarginRankingLoss = margin_ranking_loss, MarginRankingLoss;
    MseLoss = mse_loss, MSELoss;
    MultiMarginLoss = multi_margin_loss, MultiMarginLoss;
    MultilabelMarginLoss = multilabel_margin_loss, MultiLabelMarginLoss;
    MultilabelSoftMarginLoss = multilabel_soft_margin_loss, MultiLabelSoftMarginLoss;
    NllLoss = nll_loss, NLLLoss;
    NllLoss2d = nll_loss2d, NLLLoss2d;
    PoissonNllLoss = poisson_nll_loss, PoissonNLLLoss;
    SmoothL1Loss = smooth_l1_loss, SmoothL1Loss;
    SoftMarginLoss = soft_margin_loss, SoftMarginLoss;
    TripletMarginLoss = triplet_margin_loss, TripletMarginLoss;
    TripletMarginWithDistanceLoss = triplet_margin_with_distance_loss, TripletMarginWithDistanceLoss;
}

impl LossKind {
    /// The loss with PyTorch's defaults.
    pub fn defaults(self) -> Loss {
        let nothing = serde_json::Value::Object(serde_json::Map::new());
        self.read_options(nothing).expect("every option has a default")
    }
}

/// An arithmetic that losses are evaluated in.
///
/// The kernels are compiled here, once for each type: as generic functions, every crate that calls them would compile all
/// of them again.
pub trait Arithmetic: Real {
    /// See [`Loss::evaluate`].
    ///
    /// # Errors
    ///
    /// Where the reference refuses the inputs.
    fn evaluate(loss: &Loss, inputs: &Inputs<Self>, request: Request<Self>) -> Result<ValueAndGradients<Self>, Error>;
}

macro_rules! arithmetics {
    ($($number:ty),*) => {
        $(impl Arithmetic for $number {
            #[inline(never)]
            fn evaluate(loss: &Loss, inputs: &Inputs<Self>, request: Request<Self>) -> Result<ValueAndGradients<Self>, Error> {
                loss.evaluate_in(inputs, request)
            }
        })*
    };
}

arithmetics!(f32, f64, DoubleDouble, Dual<DoubleDouble>);

impl Loss {
    /// Evaluates the reference in the arithmetic of the inputs. `request` is [`Outputs`], or a [`Request`] with buffers.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    pub fn evaluate<R: Arithmetic>(
        &self,
        inputs: &Inputs<R>,
        request: impl Into<Request<R>>,
    ) -> Result<ValueAndGradients<R>, Error> {
        R::evaluate(self, inputs, request.into())
    }

    /// The loss with another value of an option.
    ///
    /// # Errors
    ///
    /// Where there is no such option, or the value is of the wrong type.
    pub fn with_option(&self, name: &str, value: serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut options = self.write_options();
        options[name] = value;
        self.kind().read_options(options)
    }
}

impl std::fmt::Display for LossKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for LossKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|loss| loss.name()).collect();
            format!("unknown loss `{name}`, expected one of {}", names.join(", "))
        })
    }
}
