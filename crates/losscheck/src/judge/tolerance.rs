//! How many ULPs, at the scale of [`LossSpec::error_scale`](crate::loss::LossSpec::error_scale), an answer may be off.

use crate::loss::{LossKind as Kind, Output};
use crate::tensor::DType;

/// The tolerances in f16, bf16, f32 and f64 where [`of_outputs`] names no others.
///
/// Every result is a handful of rounded operations: an exponential and a logarithm within 1 ULP each, a few products and
/// sums, and the rounding of a reduction. In 16 bits most of them are rounded to f32, and only the result to 16 bits.
const DEFAULT: [u8; 4] = [4, 4, 8, 8];

/// Returns the tolerances of a loss, in ULPs of f16, bf16, f32 and f64, for the value and for the gradients of its inputs.
///
/// Each is the smallest power of two from 4 to 8 that all answers keep with half as much to spare, except for known
/// deviations: those of the reference, candle-nn, candle and libtorch to the goldens and to 3,000,000 random cases, and
/// PyTorch's stored ones. With a tenth to spare, two million other cases held ten that were off by more.
const fn of_outputs(loss: Kind) -> &'static [(&'static str, [u8; 4])] {
    match loss {
        Kind::AdaptiveLogSoftmaxWithLoss => &[("input", [4, 4, 4, 8])],
        Kind::BinaryCrossEntropy => &[("value", [8, 4, 8, 8]), ("input", [8, 8, 8, 8])],
        Kind::BinaryCrossEntropyWithLogits => {
            &[("value", [8, 8, 8, 8]), ("input", [8, 8, 8, 8]), ("target", [8, 8, 8, 8])]
        }
        Kind::CosineEmbeddingLoss => &[("value", [4, 8, 8, 8]), ("input1", [8, 8, 8, 8]), ("input2", [8, 8, 8, 8])],
        Kind::CrossEntropy => &[("value", [8, 8, 8, 8]), ("input", [8, 8, 8, 8])],
        Kind::CtcLoss => &[("value", [4, 4, 4, 8])],
        Kind::GaussianNllLoss => {
            &[("value", [8, 8, 8, 8]), ("input", [8, 4, 8, 8]), ("target", [8, 4, 8, 8]), ("var", [8, 8, 8, 8])]
        }
        Kind::HingeEmbeddingLoss => &[("value", [4, 4, 4, 4]), ("input", [4, 4, 4, 4])],
        Kind::HuberLoss => &[("value", [8, 8, 8, 8]), ("input", [4, 4, 8, 4]), ("target", [4, 8, 8, 4])],
        Kind::KlDiv => &[("target", [8, 8, 8, 8])],
        Kind::L1Loss => &[("input", [8, 4, 8, 8]), ("target", [8, 4, 8, 8])],
        Kind::LinearCrossEntropy => &[
            ("value", [8, 4, 4, 4]),
            ("input", [4, 8, 8, 8]),
            ("linear_bias", [8, 8, 8, 8]),
            ("linear_weight", [8, 8, 8, 8]),
            ("target", [8, 4, 8, 8]),
        ],
        Kind::MarginRankingLoss => {
            &[("value", [4, 4, 8, 4]), ("input1", [4, 4, 4, 4]), ("input2", [4, 4, 4, 4]), ("target", [8, 4, 4, 4])]
        }
        Kind::MseLoss => &[("value", [8, 8, 8, 8]), ("input", [8, 8, 8, 8]), ("target", [8, 8, 8, 8])],
        Kind::MultilabelSoftMarginLoss => &[("value", [4, 8, 8, 8]), ("input", [8, 4, 8, 8]), ("target", [8, 4, 8, 8])],
        Kind::NllLoss => &[("value", [8, 8, 8, 8]), ("input", [8, 8, 8, 8])],
        Kind::NllLoss2d => &[("value", [8, 8, 8, 8]), ("input", [8, 8, 8, 8])],
        Kind::PoissonNllLoss => &[("input", [8, 8, 8, 8]), ("target", [4, 4, 8, 4])],
        Kind::SmoothL1Loss => &[("value", [8, 4, 8, 8])],
        Kind::SoftMarginLoss => &[("value", [4, 4, 4, 4]), ("input", [8, 8, 8, 8])],
        Kind::TripletMarginLoss => {
            &[("value", [4, 4, 4, 4]), ("anchor", [4, 4, 8, 4]), ("negative", [4, 4, 4, 4]), ("positive", [4, 4, 4, 4])]
        }
        Kind::TripletMarginWithDistanceLoss => {
            &[("anchor", [4, 4, 4, 4]), ("negative", [4, 4, 4, 4]), ("positive", [4, 4, 4, 4])]
        }
        _ => &[],
    }
}

/// The tolerances above `DEFAULT`, each with a test case to which a careful implementation is off by almost as much, or more.
pub const ABOVE_DEFAULT: &[(Kind, &str, DType, &str)] = &[
    (Kind::BinaryCrossEntropy, "input", DType::BF16, "binary_cross_entropy/bf16/large/weight/mean"),
    (Kind::BinaryCrossEntropy, "input", DType::F16, "binary_cross_entropy/f16/p=1e-5+target=0.0/mean"),
    (Kind::BinaryCrossEntropy, "value", DType::F16, "binary_cross_entropy/f16/fuzz-100003-80"),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "input",
        DType::BF16,
        "binary_cross_entropy_with_logits/bf16/large/weight+pos_weight/mean",
    ),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "input",
        DType::F16,
        "binary_cross_entropy_with_logits/f16/large/weight+pos_weight/sum",
    ),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "target",
        DType::BF16,
        "binary_cross_entropy_with_logits/bf16/large/weight+pos_weight/mean",
    ),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "target",
        DType::F16,
        "binary_cross_entropy_with_logits/f16/large/weight+pos_weight/mean",
    ),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "value",
        DType::BF16,
        "binary_cross_entropy_with_logits/bf16/x=4.0+target=0.25/mean",
    ),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "value",
        DType::F16,
        "binary_cross_entropy_with_logits/f16/x=5.0+target=0.0/mean",
    ),
    (
        Kind::CosineEmbeddingLoss,
        "input1",
        DType::BF16,
        "cosine_embedding_loss/bf16/long_all_but_orthogonal_vectors+label=-1.0/sum",
    ),
    (Kind::CosineEmbeddingLoss, "input1", DType::F16, "cosine_embedding_loss/f16/large/sum"),
    (
        Kind::CosineEmbeddingLoss,
        "input2",
        DType::BF16,
        "cosine_embedding_loss/bf16/long_all_but_orthogonal_vectors+label=-1.0/sum",
    ),
    (Kind::CosineEmbeddingLoss, "input2", DType::F16, "cosine_embedding_loss/f16/large/sum"),
    (Kind::CosineEmbeddingLoss, "value", DType::BF16, "cosine_embedding_loss/bf16/fuzz-400016-190"),
    (Kind::CrossEntropy, "input", DType::BF16, "cross_entropy/bf16/weight_of_other=-inf/mean"),
    (Kind::CrossEntropy, "input", DType::F16, "cross_entropy/f16/8x32000/large+label_smoothing=0.1/mean"),
    (Kind::CrossEntropy, "value", DType::BF16, "cross_entropy/bf16/fuzz-400008-165"),
    (Kind::CrossEntropy, "value", DType::F16, "cross_entropy/f16/fuzz-400040-90"),
    (Kind::GaussianNllLoss, "input", DType::F16, "gaussian_nll_loss/f16/fuzz-500036-11"),
    (Kind::GaussianNllLoss, "target", DType::F16, "gaussian_nll_loss/f16/fuzz-100032-51"),
    (Kind::GaussianNllLoss, "value", DType::BF16, "gaussian_nll_loss/bf16/fuzz-500020-186"),
    (Kind::GaussianNllLoss, "value", DType::F16, "gaussian_nll_loss/f16/small_variance_and_difference/full=True/sum"),
    (Kind::GaussianNllLoss, "var", DType::BF16, "gaussian_nll_loss/bf16/subnormal_cotangent/sum"),
    (Kind::GaussianNllLoss, "var", DType::F16, "gaussian_nll_loss/f16/large/sum"),
    (Kind::HuberLoss, "target", DType::BF16, "huber_loss/bf16/fuzz-100045-202"),
    (Kind::HuberLoss, "value", DType::BF16, "huber_loss/bf16/fuzz-500015-30"),
    (Kind::HuberLoss, "value", DType::F16, "huber_loss/f16/fuzz-100014-71"),
    (Kind::KlDiv, "target", DType::BF16, "kl_div/bf16/fuzz-100036-62"),
    (Kind::KlDiv, "target", DType::F16, "kl_div/f16/fuzz-400031-55"),
    (Kind::L1Loss, "input", DType::F16, "l1_loss/f16/3/weight=-largest/mean"),
    (Kind::L1Loss, "target", DType::F16, "l1_loss/f16/3/weight=-largest/mean"),
    (Kind::LinearCrossEntropy, "input", DType::BF16, "linear_cross_entropy/bf16/fuzz-400044-114"),
    (Kind::LinearCrossEntropy, "linear_bias", DType::BF16, "linear_cross_entropy/bf16/fuzz-500013-125"),
    (Kind::LinearCrossEntropy, "linear_bias", DType::F16, "linear_cross_entropy/f16/fuzz-100000-168"),
    (Kind::LinearCrossEntropy, "linear_weight", DType::BF16, "linear_cross_entropy/bf16/fuzz-500048-117"),
    (Kind::LinearCrossEntropy, "linear_weight", DType::F16, "linear_cross_entropy/f16/fuzz-100008-107"),
    (Kind::LinearCrossEntropy, "target", DType::F16, "linear_cross_entropy/f16/fuzz-500000-32"),
    (Kind::LinearCrossEntropy, "value", DType::F16, "linear_cross_entropy/f16/fuzz-777002-7343"),
    (Kind::MarginRankingLoss, "target", DType::F16, "margin_ranking_loss/f16/fuzz-100041-128"),
    (Kind::MseLoss, "input", DType::BF16, "mse_loss/bf16/fuzz-100048-112"),
    (Kind::MseLoss, "input", DType::F16, "mse_loss/f16/3/weight=-largest/mean"),
    (Kind::MseLoss, "target", DType::BF16, "mse_loss/bf16/fuzz-100048-112"),
    (Kind::MseLoss, "target", DType::F16, "mse_loss/f16/3/weight=-largest/mean"),
    (Kind::MseLoss, "value", DType::BF16, "mse_loss/bf16/integers/u8/target=2.0.1.3/mean"),
    (Kind::MseLoss, "value", DType::F16, "mse_loss/f16/fuzz-100009-160"),
    (Kind::MultilabelSoftMarginLoss, "input", DType::F16, "multilabel_soft_margin_loss/f16/fuzz-400019-201"),
    (Kind::MultilabelSoftMarginLoss, "target", DType::F16, "multilabel_soft_margin_loss/f16/large/mean"),
    (Kind::MultilabelSoftMarginLoss, "value", DType::BF16, "multilabel_soft_margin_loss/bf16/fuzz-500015-88"),
    (Kind::NllLoss, "input", DType::BF16, "nll_loss/bf16/weight_of_target=largest/mean"),
    (Kind::NllLoss, "input", DType::F16, "nll_loss/f16/weight_of_target=-largest/mean"),
    (Kind::NllLoss, "value", DType::BF16, "nll_loss/bf16/50001x4/large+weight/mean"),
    (Kind::NllLoss, "value", DType::F16, "nll_loss/f16/weight=small/mean"),
    (Kind::NllLoss2d, "input", DType::BF16, "nll_loss2d/bf16/fuzz-400021-206"),
    (Kind::NllLoss2d, "input", DType::F16, "nll_loss2d/f16/fuzz-500011-16"),
    (Kind::NllLoss2d, "value", DType::BF16, "nll_loss2d/bf16/fuzz-400018-135"),
    (Kind::NllLoss2d, "value", DType::F16, "nll_loss2d/f16/weight=small/mean"),
    (Kind::PoissonNllLoss, "input", DType::BF16, "poisson_nll_loss/bf16/subnormal_count/eps=0.0+log_input=False/sum"),
    (Kind::PoissonNllLoss, "input", DType::F16, "poisson_nll_loss/f16/large/mean"),
    (Kind::SmoothL1Loss, "value", DType::F16, "smooth_l1_loss/f16/fuzz-400032-142"),
    (Kind::SoftMarginLoss, "input", DType::BF16, "soft_margin_loss/bf16/large/mean"),
    (Kind::SoftMarginLoss, "input", DType::F16, "soft_margin_loss/f16/fuzz-100014-111"),
];

/// Returns the tolerance of one output of a loss in a dtype, in ULPs.
pub fn tolerance(loss: Kind, output: Output, dtype: DType) -> f64 {
    let name = match output {
        Output::Value => VALUE,
        Output::Gradient(input) => input,
    };
    f64::from(of_output(loss, name, dtype))
}

/// The name of the value among the outputs.
const VALUE: &str = "value";

fn of_output(loss: Kind, name: &str, dtype: DType) -> u8 {
    let ulps = of_outputs(loss).iter().find(|(output, _)| *output == name).map_or(DEFAULT, |(_, ulps)| *ulps);
    // Integers are computed in f32.
    let column = DType::FLOATS.iter().position(|&float| float == dtype).unwrap_or(2);
    ulps[column]
}
