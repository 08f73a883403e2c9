//! How many ULPs, at the scale of [`LossSpec::error_scale`](crate::loss::LossSpec::error_scale), an answer may be off.

use crate::loss::{LossKind as Kind, Output};
use crate::tensor::DType;

/// The tolerance where [`of_outputs`] names no other.
///
/// Every result is a handful of rounded operations: an exponential and a logarithm within 1 ULP each, a few products and
/// sums, and the rounding of a reduction.
const DEFAULT: u8 = 4;

/// Returns the tolerances of a loss, in ULPs of f16, bf16, f32 and f64: of the value, of the gradient of an input, or, if the
/// name is empty, of all gradients that no other row names.
///
/// Each is the smallest power of two that all answers keep, with a tenth to spare: those of the reference, candle-nn, candle
/// and libtorch to the goldens and to 3,000,000 random cases, and PyTorch's stored ones, except for known deviations. It is
/// at least 2, because a result is rounded twice if it is reduced or multiplied by a cotangent, and at most 8. What exceeds
/// [`DEFAULT`] is in [`ABOVE_DEFAULT`], too.
const fn of_outputs(loss: Kind) -> &'static [(&'static str, [u8; 4])] {
    match loss {
        Kind::AdaptiveLogSoftmaxWithLoss => &[("value", [2, 2, 4, 8]), ("input", [2, 2, 4, 4]), ("", [4, 2, 8, 8])],
        Kind::BinaryCrossEntropy => &[("value", [4, 4, 4, 4]), ("input", [8, 8, 8, 4]), ("target", [4, 4, 4, 4])],
        Kind::BinaryCrossEntropyWithLogits => {
            &[("value", [8, 8, 4, 4]), ("input", [4, 8, 4, 8]), ("target", [8, 8, 8, 8])]
        }
        Kind::CosineEmbeddingLoss => &[("value", [4, 4, 8, 4]), ("input1", [8, 8, 8, 8]), ("input2", [8, 8, 8, 8])],
        Kind::CrossEntropy => &[("value", [4, 8, 8, 8]), ("input", [8, 8, 8, 8]), ("target", [4, 4, 8, 8])],
        Kind::CtcLoss => &[("value", [4, 4, 4, 4]), ("log_probs", [4, 4, 8, 8])],
        Kind::GaussianNllLoss => {
            &[("value", [8, 4, 8, 8]), ("input", [4, 4, 4, 4]), ("target", [4, 4, 4, 4]), ("var", [8, 8, 8, 8])]
        }
        Kind::HingeEmbeddingLoss => &[("value", [2, 2, 4, 4]), ("input", [2, 2, 4, 2])],
        Kind::HuberLoss => &[("value", [4, 4, 4, 4]), ("input", [4, 4, 4, 4]), ("target", [4, 4, 8, 4])],
        Kind::KlDiv => &[("value", [4, 4, 8, 4]), ("input", [2, 2, 4, 4]), ("target", [4, 4, 4, 4])],
        Kind::L1Loss => &[("value", [4, 4, 4, 4]), ("input", [8, 4, 8, 4]), ("target", [8, 4, 8, 4])],
        Kind::LinearCrossEntropy => &[
            ("value", [4, 4, 4, 4]),
            ("input", [4, 4, 4, 4]),
            ("linear_bias", [4, 4, 8, 8]),
            ("linear_weight", [4, 8, 8, 8]),
            ("target", [8, 2, 4, 4]),
        ],
        Kind::MarginRankingLoss => {
            &[("value", [2, 2, 4, 4]), ("input1", [2, 2, 4, 2]), ("input2", [2, 2, 2, 2]), ("target", [4, 2, 4, 4])]
        }
        Kind::MseLoss => &[("value", [8, 4, 8, 8]), ("input", [4, 4, 8, 4]), ("target", [4, 4, 8, 4])],
        Kind::MultiMarginLoss => &[("value", [4, 4, 4, 4]), ("input", [4, 4, 8, 4])],
        Kind::MultilabelMarginLoss => &[("value", [4, 4, 4, 4]), ("input", [4, 4, 8, 8])],
        Kind::MultilabelSoftMarginLoss => &[("value", [4, 4, 4, 8]), ("input", [4, 4, 8, 4]), ("target", [4, 4, 4, 4])],
        Kind::NllLoss => &[("value", [4, 8, 8, 4]), ("input", [8, 8, 8, 8])],
        Kind::NllLoss2d => &[("value", [4, 8, 4, 4]), ("input", [8, 8, 4, 8])],
        Kind::PoissonNllLoss => &[("value", [2, 4, 4, 4]), ("input", [4, 4, 4, 8]), ("target", [4, 4, 4, 4])],
        Kind::SmoothL1Loss => &[("value", [4, 2, 4, 4]), ("input", [2, 2, 8, 4]), ("target", [4, 2, 8, 4])],
        Kind::SoftMarginLoss => &[("value", [2, 2, 4, 2]), ("input", [4, 4, 8, 4])],
        Kind::TripletMarginLoss => {
            &[("value", [2, 2, 4, 4]), ("anchor", [2, 2, 4, 4]), ("negative", [2, 2, 2, 2]), ("positive", [2, 2, 2, 2])]
        }
        Kind::TripletMarginWithDistanceLoss => {
            &[("value", [4, 4, 4, 4]), ("anchor", [4, 4, 4, 4]), ("negative", [4, 2, 4, 4]), ("positive", [4, 4, 4, 4])]
        }
    }
}

/// The tolerances above [`DEFAULT`], each with a test case to which a careful implementation is off by almost as much, or more.
pub const ABOVE_DEFAULT: &[(Kind, &str, DType, &str)] = &[
    (Kind::AdaptiveLogSoftmaxWithLoss, "", DType::F32, "adaptive_log_softmax_with_loss/f32/fuzz-500043-182"),
    (Kind::AdaptiveLogSoftmaxWithLoss, "", DType::F64, "adaptive_log_softmax_with_loss/f64/fuzz-500035-21"),
    (Kind::AdaptiveLogSoftmaxWithLoss, "value", DType::F64, "adaptive_log_softmax_with_loss/f64/fuzz-100026-177"),
    (Kind::BinaryCrossEntropy, "input", DType::BF16, "binary_cross_entropy/bf16/fuzz-500021-75"),
    (Kind::BinaryCrossEntropy, "input", DType::F16, "binary_cross_entropy/f16/p=1e-5+target=0.0/mean"),
    (Kind::BinaryCrossEntropy, "input", DType::F32, "binary_cross_entropy/f32/fuzz-400048-204"),
    (Kind::BinaryCrossEntropyWithLogits, "input", DType::BF16, "binary_cross_entropy_with_logits/bf16/large/mean"),
    (Kind::BinaryCrossEntropyWithLogits, "input", DType::F64, "binary_cross_entropy_with_logits/f64/fuzz-400018-150"),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "target",
        DType::BF16,
        "binary_cross_entropy_with_logits/bf16/x=4.0+target=0.25/mean",
    ),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "target",
        DType::F16,
        "binary_cross_entropy_with_logits/f16/x=5.0+target=0.25/mean",
    ),
    (Kind::BinaryCrossEntropyWithLogits, "target", DType::F32, "binary_cross_entropy_with_logits/f32/3x4/hard/mean"),
    (
        Kind::BinaryCrossEntropyWithLogits,
        "target",
        DType::F64,
        "binary_cross_entropy_with_logits/f64/target_outside_unit_interval/mean",
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
        "input1",
        DType::F32,
        "cosine_embedding_loss/f32/long_all_but_orthogonal_vectors+label=-1.0/mean",
    ),
    (Kind::CosineEmbeddingLoss, "input1", DType::F64, "cosine_embedding_loss/f64/large/mean"),
    (
        Kind::CosineEmbeddingLoss,
        "input2",
        DType::BF16,
        "cosine_embedding_loss/bf16/long_all_but_orthogonal_vectors+label=-1.0/sum",
    ),
    (Kind::CosineEmbeddingLoss, "input2", DType::F16, "cosine_embedding_loss/f16/large/sum"),
    (
        Kind::CosineEmbeddingLoss,
        "input2",
        DType::F32,
        "cosine_embedding_loss/f32/long_all_but_orthogonal_vectors+label=1.0/sum",
    ),
    (Kind::CosineEmbeddingLoss, "input2", DType::F64, "cosine_embedding_loss/f64/large/mean"),
    (Kind::CosineEmbeddingLoss, "value", DType::F32, "cosine_embedding_loss/f32/fuzz-400033-101"),
    (Kind::CrossEntropy, "input", DType::BF16, "cross_entropy/bf16/weight_of_other=-inf/mean"),
    (Kind::CrossEntropy, "input", DType::F16, "cross_entropy/f16/8x32000/large+label_smoothing=0.1/mean"),
    (Kind::CrossEntropy, "input", DType::F32, "cross_entropy/f32/50001x4/large+weight/mean"),
    (Kind::CrossEntropy, "input", DType::F64, "cross_entropy/f64/one_small/1x1000/label_smoothing=0.4/none"),
    (Kind::CrossEntropy, "target", DType::F32, "cross_entropy/f32/fuzz-500032-22"),
    (Kind::CrossEntropy, "target", DType::F64, "cross_entropy/f64/fuzz-500022-5"),
    (Kind::CrossEntropy, "value", DType::BF16, "cross_entropy/bf16/fuzz-400008-165"),
    (Kind::CrossEntropy, "value", DType::F32, "cross_entropy/f32/fuzz-500006-124"),
    (Kind::CrossEntropy, "value", DType::F64, "cross_entropy/f64/fuzz-400018-160"),
    (Kind::CtcLoss, "log_probs", DType::F32, "ctc_loss/f32/fuzz-400023-119"),
    (Kind::CtcLoss, "log_probs", DType::F64, "ctc_loss/f64/fuzz-400024-26"),
    (Kind::GaussianNllLoss, "value", DType::F16, "gaussian_nll_loss/f16/small_variance_and_difference/full=True/sum"),
    (Kind::GaussianNllLoss, "value", DType::F32, "gaussian_nll_loss/f32/fuzz-500016-84"),
    (Kind::GaussianNllLoss, "value", DType::F64, "gaussian_nll_loss/f64/fuzz-500035-137"),
    (Kind::GaussianNllLoss, "var", DType::BF16, "gaussian_nll_loss/bf16/subnormal_cotangent/sum"),
    (Kind::GaussianNllLoss, "var", DType::F16, "gaussian_nll_loss/f16/large/sum"),
    (Kind::GaussianNllLoss, "var", DType::F32, "gaussian_nll_loss/f32/large/mean"),
    (Kind::GaussianNllLoss, "var", DType::F64, "gaussian_nll_loss/f64/fuzz-400019-151"),
    (Kind::HuberLoss, "target", DType::F32, "huber_loss/f32/fuzz-100025-57"),
    (Kind::KlDiv, "value", DType::F32, "kl_div/f32/fuzz-400029-138"),
    (Kind::L1Loss, "input", DType::F16, "l1_loss/f16/3/weight=-largest/mean"),
    (Kind::L1Loss, "input", DType::F32, "l1_loss/f32/3/weight=largest/mean"),
    (Kind::L1Loss, "target", DType::F16, "l1_loss/f16/3/weight=-largest/mean"),
    (Kind::L1Loss, "target", DType::F32, "l1_loss/f32/3/weight=largest/mean"),
    (Kind::LinearCrossEntropy, "linear_bias", DType::F32, "linear_cross_entropy/f32/fuzz-500005-32"),
    (Kind::LinearCrossEntropy, "linear_bias", DType::F64, "linear_cross_entropy/f64/fuzz-100011-149"),
    (Kind::LinearCrossEntropy, "linear_weight", DType::BF16, "linear_cross_entropy/bf16/fuzz-500048-117"),
    (Kind::LinearCrossEntropy, "linear_weight", DType::F32, "linear_cross_entropy/f32/fuzz-100019-31"),
    (Kind::LinearCrossEntropy, "linear_weight", DType::F64, "linear_cross_entropy/f64/large/bias/mean"),
    (Kind::LinearCrossEntropy, "target", DType::F16, "linear_cross_entropy/f16/fuzz-500000-32"),
    (Kind::MseLoss, "input", DType::F32, "mse_loss/f32/3/weight=-largest/mean"),
    (Kind::MseLoss, "target", DType::F32, "mse_loss/f32/3/weight=-largest/mean"),
    (Kind::MseLoss, "value", DType::F16, "mse_loss/f16/fuzz-100009-160"),
    (Kind::MseLoss, "value", DType::F32, "mse_loss/f32/2x3x2/weight/mean"),
    (Kind::MseLoss, "value", DType::F64, "mse_loss/f64/fuzz-400002-208"),
    (Kind::MultiMarginLoss, "input", DType::F32, "multi_margin_loss/f32/fuzz-500014-181"),
    (Kind::MultilabelMarginLoss, "input", DType::F32, "multilabel_margin_loss/f32/many_pairs/sum"),
    (Kind::MultilabelMarginLoss, "input", DType::F64, "multilabel_margin_loss/f64/many_of_8/mean"),
    (Kind::MultilabelSoftMarginLoss, "input", DType::F32, "multilabel_soft_margin_loss/f32/fuzz-100034-175"),
    (Kind::MultilabelSoftMarginLoss, "value", DType::F64, "multilabel_soft_margin_loss/f64/fuzz-500001-9"),
    (Kind::NllLoss, "input", DType::BF16, "nll_loss/bf16/weight_of_target=largest/mean"),
    (Kind::NllLoss, "input", DType::F16, "nll_loss/f16/fuzz-777001-5031"),
    (Kind::NllLoss, "input", DType::F64, "nll_loss/f64/fuzz-777001-1757"),
    (Kind::NllLoss, "input", DType::F32, "nll_loss/f32/weight_of_target=-largest/mean"),
    (Kind::NllLoss, "value", DType::BF16, "nll_loss/bf16/128x1000/large/mean"),
    (Kind::NllLoss, "value", DType::F32, "nll_loss/f32/fuzz-500004-13"),
    (Kind::NllLoss2d, "input", DType::BF16, "nll_loss2d/bf16/fuzz-400021-206"),
    (Kind::NllLoss2d, "input", DType::F16, "nll_loss2d/f16/fuzz-500011-16"),
    (Kind::NllLoss2d, "input", DType::F64, "nll_loss2d/f64/fuzz-500032-168"),
    (Kind::NllLoss2d, "value", DType::BF16, "nll_loss2d/bf16/fuzz-400018-135"),
    (Kind::PoissonNllLoss, "input", DType::F64, "poisson_nll_loss/f64/fuzz-500025-52"),
    (Kind::SmoothL1Loss, "input", DType::F32, "smooth_l1_loss/f32/fuzz-500013-219"),
    (Kind::SmoothL1Loss, "target", DType::F32, "smooth_l1_loss/f32/fuzz-500000-140"),
    (Kind::SoftMarginLoss, "input", DType::F32, "soft_margin_loss/f32/fuzz-500001-82"),
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
    let rows = of_outputs(loss);
    let row =
        rows.iter().find(|(output, _)| *output == name).or_else(|| rows.iter().find(|(output, _)| output.is_empty()));
    let column = DType::FLOATS.iter().position(|&float| float == dtype);
    match (row, column) {
        (Some((_, ulps)), Some(column)) => ulps[column],
        // Indices and counts are exact, or chosen by numbers of the case's dtype.
        _ => DEFAULT,
    }
}
