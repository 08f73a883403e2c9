//! The one list of losses, and what their options have in common.

use crate::*;

/// What the options of every loss have in common.
pub trait LossOptions: Clone + Default {
    /// The tensors that the loss takes.
    const SIGNATURE: Signature;

    /// Returns PyTorch's name of the reduction, or `None` if the loss has no such option.
    fn reduction(&self) -> Option<&'static str>;

    /// Returns the loss with another reduction, or `None` if it has no such option.
    fn with_reduction(&self, reduction: Reduction) -> Option<Self>;

    /// Returns the class index whose rows count for nothing, or `None` if the loss has no such option.
    fn ignore_index(&self) -> Option<i64> {
        None
    }

    /// Returns the share of the uniform distribution in the target, or `None` if the loss has no such option.
    fn label_smoothing(&self) -> Option<f64> {
        None
    }

    /// Returns the loss that gives one number for each element or row.
    #[must_use]
    fn unreduced(&self) -> Self {
        self.with_reduction(Reduction::None).unwrap_or_else(|| self.clone())
    }

    /// Returns, for a loss that answers with indices, the loss that gives the numbers from which they are chosen: one row of
    /// numbers for each index. Returns `None` for all other losses.
    #[must_use]
    fn argmax_candidates(&self) -> Option<Self> {
        None
    }

    /// Checks that the signature names all tensors that these options need.
    ///
    /// # Errors
    ///
    /// Returns an error that names the option if it does not.
    fn check_names(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Implements what has to do with the option `reduction`.
macro_rules! reduction {
    () => {
        fn reduction(&self) -> Option<&'static str> {
            Some(self.reduction.name())
        }

        fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
            let mut options = *self;
            options.reduction = reduction.into();
            Some(options)
        }
    };
}

pub(crate) use reduction;

/// Passes the list of losses to a macro: for each loss its variant in [`Loss`], the name of its function, and its class in
/// `torch.nn`, whose options implement [`LossOptions`]. Tests, goldens, generators and benchmarks are driven by it.
#[macro_export]
macro_rules! for_each_loss {
    ($callback:ident) => {
        $callback! {
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
    };
}

macro_rules! losses {
    ($($variant:ident = $name:ident, $class:ident;)*) => {
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

            /// Returns the name of the function in `torch.nn.functional`, or the name of the class in this form if there is no
            /// function.
            pub fn name(self) -> &'static str {
                match self {
                    $(LossKind::$variant => stringify!($name),)*
                }
            }

            /// Returns the name of the class in `torch.nn`.
            pub fn class(self) -> &'static str {
                match self {
                    $(LossKind::$variant => stringify!($class),)*
                }
            }

            /// Returns the tensors that the loss takes.
            pub fn signature(self) -> Signature {
                match self {
                    $(LossKind::$variant => $class::SIGNATURE,)*
                }
            }

            /// Returns the loss with PyTorch's defaults.
            pub fn defaults(self) -> Loss {
                match self {
                    $(LossKind::$variant => Loss::$variant(Default::default()),)*
                }
            }

            /// Reads the options. Those that are left out have PyTorch's defaults.
            ///
            /// # Errors
            ///
            /// Returns an error if an option is unknown or of the wrong type.
            #[cfg(feature = "serde")]
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
            /// Returns the loss without its options.
            pub fn kind(&self) -> LossKind {
                match self {
                    $(Loss::$variant(_) => LossKind::$variant,)*
                }
            }

            /// Returns the options, as the golden format writes them.
            #[cfg(feature = "serde")]
            pub fn write_options(&self) -> serde_json::Value {
                match self {
                    $(Loss::$variant(options) => serde_json::to_value(options),)*
                }
                .expect("options are plain data")
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

            /// Returns, for a loss that answers with indices, the loss that gives the numbers from which they are chosen.
            #[must_use]
            pub fn argmax_candidates(&self) -> Option<Self> {
                match self {
                    $(Loss::$variant(options) => options.argmax_candidates().map(Loss::$variant),)*
                }
            }
        }
    };
}

for_each_loss!(losses);

impl Loss {
    /// Returns the loss with another value of an option.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such option, or the value is of the wrong type.
    #[cfg(feature = "serde")]
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
