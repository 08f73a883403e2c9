//! The one list of losses. Tests, goldens, generators and benchmarks are driven by [`LossKind::ALL`].

use losscheck_reference::{Dual, Error, Real, Wide};
use ndarray::ArrayD;
use proptest::strategy::BoxedStrategy;

use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
use crate::losses;
use crate::tensor::DType;

/// Declares the list: for each loss its variant, the module under `losses`, whose `Options` implement
/// [`Definition`], and its class in `torch.nn`.
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
            $(#[doc = concat!("`torch.nn.", stringify!($class), "`.")] $variant(losses::$module::Options),)*
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
                    $(LossKind::$variant => losses::$module::Options::SIGNATURE,)*
                }
            }

            /// The dtypes that PyTorch computes the loss in on the CPU.
            pub fn dtypes(self) -> &'static [DType] {
                match self {
                    $(LossKind::$variant => losses::$module::Options::DTYPES,)*
                }
            }

            /// Random cases, edge values included.
            pub fn cases(self, dtype: DType) -> BoxedStrategy<Case> {
                match self {
                    $(LossKind::$variant => losses::$module::Options::cases(dtype),)*
                }
            }

            /// The JSON Schema of the options.
            pub fn options_schema(self) -> schemars::Schema {
                match self {
                    $(LossKind::$variant => schemars::schema_for!(losses::$module::Options),)*
                }
            }

            /// Reads the options, those left out with PyTorch's defaults.
            ///
            /// # Errors
            ///
            /// Where an option is unknown or of the wrong type.
            pub fn read_options(self, options: serde_json::Value) -> Result<Loss, serde_json::Error> {
                match self {
                    $(LossKind::$variant => serde_json::from_value(options).map(Loss::$variant),)*
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

            fn evaluate_in<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
                match self {
                    $(Loss::$variant(options) => options.evaluate(inputs, wanted),)*
                }
            }

            /// What errors of the results are proportional to: see [`Definition::magnitudes`].
            ///
            /// # Errors
            ///
            /// Where the reference refuses the inputs.
            pub fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
                match self {
                    $(Loss::$variant(options) => options.magnitudes(inputs),)*
                }
            }

            /// The indices that the loss answers with in place of numbers: see [`Definition::indices`].
            pub fn indices<R: Real>(&self, inputs: &Arrays<R>) -> Option<Result<ArrayD<i64>, Error>> {
                match self {
                    $(Loss::$variant(options) => options.indices(inputs),)*
                }
            }

            /// The same with the numbers that such indices are chosen from: see [`Definition::contenders`].
            #[must_use]
            pub fn contenders(&self) -> Option<Self> {
                match self {
                    $(Loss::$variant(options) => options.contenders().map(Loss::$variant),)*
                }
            }

            /// The same with the losses of the elements or rows left as they are.
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
    fn evaluate(loss: &Loss, inputs: &Arrays<Self>, wanted: Wanted) -> Result<Evaluation<Self>, Error>;
}

macro_rules! arithmetics {
    ($($number:ty),*) => {
        $(impl Arithmetic for $number {
            #[inline(never)]
            fn evaluate(loss: &Loss, inputs: &Arrays<Self>, wanted: Wanted) -> Result<Evaluation<Self>, Error> {
                loss.evaluate_in(inputs, wanted)
            }
        })*
    };
}

arithmetics!(f32, f64, Wide, Dual<Wide>);

impl Loss {
    /// The reference's value and gradients, in the arithmetic of the inputs.
    ///
    /// # Errors
    ///
    /// Where the reference refuses the inputs.
    pub fn evaluate<R: Arithmetic>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        R::evaluate(self, inputs, wanted)
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

    /// The name of the reduction, where the loss has one.
    pub fn reduction(&self) -> Option<String> {
        self.write_options()["reduction"].as_str().map(str::to_owned)
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
