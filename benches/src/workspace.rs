//! What a call of the reference holds beside its results, and what the documentation of the losses allows it to.

use losscheck::backend::Pass;
use losscheck::loss::LossKind;
use losscheck::tensor::DType;

use crate::alternate::Work;
use crate::memory;
use crate::record::Workspace;
use crate::workloads::Workload;

const KIB: u64 = 1 << 10;
/// For the sums of products in linear layers.
const SUMS: u64 = 2 * KIB * KIB;

/// Measures a call of the reference that allocates its results, where so many threads may work on it.
pub fn measure(workload: Workload, pass: Pass, threads: u64, work: &mut Work<'_>) -> Workspace {
    let held = memory::most_held(work);
    Workspace { bytes: held.saturating_sub(results(workload, pass)), documented: documented(workload, pass, threads) }
}

/// Returns the bytes of a number.
fn float(workload: Workload) -> u64 {
    if workload.dtype == DType::F64 { 8 } else { 4 }
}

/// Returns the bytes of the mean and, if it is wanted, the gradient of the first tensor.
fn results(workload: Workload, pass: Pass) -> u64 {
    let gradient = if pass == Pass::ForwardAndGradient { workload.elements() as u64 } else { 0 };
    (1 + gradient) * float(workload)
}

/// Returns the bytes that the documentation of `Loss`, or else of the loss, allows.
fn documented(workload: Workload, pass: Pass, threads: u64) -> u64 {
    let tensors = workload.tensors();
    let dims = |name: &str| tensors[name].iter().map(|&dim| dim as u64).collect::<Vec<_>>();
    let everywhere = threads * 8 * KIB;
    match workload.loss {
        LossKind::AdaptiveLogSoftmaxWithLoss => {
            let (samples, classes) = (dims("input")[0], dims("tail.1.1.weight")[0]);
            let at_once = at_once(samples, classes);
            let again = if pass == Pass::ForwardAndGradient { at_once } else { 0 };
            everywhere + SUMS + (at_once + again) * classes * float(workload)
        }
        LossKind::CtcLoss => {
            let (log_probs, targets) = (dims("log_probs"), dims("targets"));
            let (steps, samples, labels) = (log_probs[0], log_probs[1], targets[1]);
            let rows = if pass == Pass::ForwardAndGradient { steps + 4 } else { 2 };
            let alignments = rows * (2 * labels + 3) * float(workload);
            everywhere + threads * (alignments + 72 * labels) + samples * (200 + 8 * labels)
        }
        LossKind::LinearCrossEntropy => {
            let (samples, classes) = (dims("input")[0], dims("linear_weight")[0]);
            let at_once = at_once(samples, classes);
            let again = if pass == Pass::ForwardAndGradient { self::at_once(at_once, classes) } else { 0 };
            everywhere + SUMS + (at_once + again) * classes * float(workload)
        }
        // Rows have losses, but the formula is one of elements.
        LossKind::MultilabelSoftMarginLoss => everywhere,
        _ => match &workload.shape()[..] {
            [_, row] => everywhere + threads * (if *row < 64 { 512 } else { 24 }) * *row as u64,
            _ => everywhere,
        },
    }
}

/// Returns the samples whose scores are held at once: a tenth of all, or as many as have 2^16 scores.
fn at_once(samples: u64, classes: u64) -> u64 {
    samples.div_ceil(10).max((1 << 16) / classes).min(samples)
}
