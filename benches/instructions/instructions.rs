//! `scripts/instructions`: how many instructions the reference takes for the value and the gradient of each loss.
//!
//! Valgrind counts them, all but the same number each time, in the kernels that it knows: those of AVX2. A loss that takes
//! 5 % more than `instructions.json` says fails.

#![allow(missing_docs, reason = "gungraun's macros make public items")]

use std::collections::BTreeMap;

use gungraun::{
    Callgrind, CallgrindMetrics, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Pass};
use losscheck::loss::LossKind;
use losscheck::tensor::DType;
use losscheck_benches::workloads::{Shapes, Workload};

/// By how much of what is stored a loss may grow.
const GROWTH: f64 = 0.05;

/// One call, over what fits the second-level cache.
fn prepared(loss: LossKind) -> Box<dyn FnMut()> {
    // The program ends after the call.
    let case = Box::leak(Box::new(Workload { loss, shapes: Shapes::L2, dtype: DType::F32 }.case()));
    let mut call = Reference.workload(case, Pass::ForwardAndGradient).expect("the reference has every loss");
    // What is worked out once, such as which instructions the processor has, is not counted.
    call();
    call
}

fn limit(loss: LossKind) -> LibraryBenchmarkConfig {
    let stored: BTreeMap<String, u64> =
        serde_json::from_str(include_str!("instructions.json")).expect("a number for each loss");
    let mut config = LibraryBenchmarkConfig::default();
    // What other threads do is not counted.
    config.env("RAYON_NUM_THREADS", "1");
    // Nothing is stored while `--update` counts.
    if !stored.is_empty() {
        let most = (stored[loss.name()] as f64 * (1.0 + GROWTH)) as u64;
        config.tool(Callgrind::default().hard_limits([(CallgrindMetrics::from(EventKind::Ir), most)]));
    }
    config
}

#[library_benchmark(setup = prepared)]
#[bench::adaptive_log_softmax_with_loss(args = (LossKind::AdaptiveLogSoftmaxWithLoss), config = limit(LossKind::AdaptiveLogSoftmaxWithLoss))]
#[bench::binary_cross_entropy(args = (LossKind::BinaryCrossEntropy), config = limit(LossKind::BinaryCrossEntropy))]
#[bench::binary_cross_entropy_with_logits(args = (LossKind::BinaryCrossEntropyWithLogits), config = limit(LossKind::BinaryCrossEntropyWithLogits))]
#[bench::cosine_embedding_loss(args = (LossKind::CosineEmbeddingLoss), config = limit(LossKind::CosineEmbeddingLoss))]
#[bench::cross_entropy(args = (LossKind::CrossEntropy), config = limit(LossKind::CrossEntropy))]
#[bench::ctc_loss(args = (LossKind::CtcLoss), config = limit(LossKind::CtcLoss))]
#[bench::gaussian_nll_loss(args = (LossKind::GaussianNllLoss), config = limit(LossKind::GaussianNllLoss))]
#[bench::hinge_embedding_loss(args = (LossKind::HingeEmbeddingLoss), config = limit(LossKind::HingeEmbeddingLoss))]
#[bench::huber_loss(args = (LossKind::HuberLoss), config = limit(LossKind::HuberLoss))]
#[bench::kl_div(args = (LossKind::KlDiv), config = limit(LossKind::KlDiv))]
#[bench::l1_loss(args = (LossKind::L1Loss), config = limit(LossKind::L1Loss))]
#[bench::linear_cross_entropy(args = (LossKind::LinearCrossEntropy), config = limit(LossKind::LinearCrossEntropy))]
#[bench::margin_ranking_loss(args = (LossKind::MarginRankingLoss), config = limit(LossKind::MarginRankingLoss))]
#[bench::mse_loss(args = (LossKind::MseLoss), config = limit(LossKind::MseLoss))]
#[bench::multi_margin_loss(args = (LossKind::MultiMarginLoss), config = limit(LossKind::MultiMarginLoss))]
#[bench::multilabel_margin_loss(args = (LossKind::MultilabelMarginLoss), config = limit(LossKind::MultilabelMarginLoss))]
#[bench::multilabel_soft_margin_loss(args = (LossKind::MultilabelSoftMarginLoss), config = limit(LossKind::MultilabelSoftMarginLoss))]
#[bench::nll_loss(args = (LossKind::NllLoss), config = limit(LossKind::NllLoss))]
#[bench::nll_loss2d(args = (LossKind::NllLoss2d), config = limit(LossKind::NllLoss2d))]
#[bench::poisson_nll_loss(args = (LossKind::PoissonNllLoss), config = limit(LossKind::PoissonNllLoss))]
#[bench::smooth_l1_loss(args = (LossKind::SmoothL1Loss), config = limit(LossKind::SmoothL1Loss))]
#[bench::soft_margin_loss(args = (LossKind::SoftMarginLoss), config = limit(LossKind::SoftMarginLoss))]
#[bench::triplet_margin_loss(args = (LossKind::TripletMarginLoss), config = limit(LossKind::TripletMarginLoss))]
#[bench::triplet_margin_with_distance_loss(args = (LossKind::TripletMarginWithDistanceLoss), config = limit(LossKind::TripletMarginWithDistanceLoss))]
fn instructions(mut call: Box<dyn FnMut()>) {
    call();
}

library_benchmark_group!(name = losses; benchmarks = instructions);
main!(library_benchmark_groups = losses);
