//! The table of losses: what `torch.nn.functional` does for each, up to and including libtorch's operator.
//!
//! The operator is the loss; what stands around it here is what PyTorch's Python layer adds to it, marked "Python".

mod adaptive_log_softmax_with_loss;
pub(crate) mod ctc_loss;
mod gaussian_nll_loss;
mod linear_cross_entropy;
mod multi_margin_loss;
mod multilabel_soft_margin_loss;
mod triplet_margin_with_distance_loss;

use losscheck_backend::Loss;
use losscheck_options::{KLDivReduction, Reduction, TripletMarginLoss};
use tch::Tensor;

use self::adaptive_log_softmax_with_loss::adaptive_log_softmax_with_loss;
use self::gaussian_nll_loss::gaussian_nll_loss;
use self::linear_cross_entropy::linear_cross_entropy;
use self::multi_margin_loss::multi_margin_loss;
use self::multilabel_soft_margin_loss::multilabel_soft_margin_loss;
use self::triplet_margin_with_distance_loss::triplet_margin_with_distance_loss;
use crate::inputs::Inputs;
use crate::{Rejection, Result};

/// Calls the loss.
pub(crate) fn call(loss: &Loss, inputs: &Inputs) -> Result<Tensor> {
    let tensor = |name| inputs.require(name);
    let (weight, pos_weight) = (inputs.get("weight"), inputs.get("pos_weight"));

    Ok(match loss {
        Loss::AdaptiveLogSoftmaxWithLoss(options) => adaptive_log_softmax_with_loss(inputs, options)?,
        Loss::BinaryCrossEntropy(options) => {
            let (input, target) = (tensor("input")?, tensor("target")?);
            // Python.
            if target.size() != input.size() {
                return Err(Rejection(format!(
                    "Using a target size (torch.Size({:?})) that is different to the input size (torch.Size({:?})) is \
                     deprecated. Please ensure they have the same size.",
                    target.size(),
                    input.size(),
                )));
            }
            // Python.
            let weight = weight.map(|weight| broadcast(weight, target)).transpose()?.map(|(weight, _)| weight);
            input.f_binary_cross_entropy(target, weight, reduction(options.reduction))?
        }
        Loss::BinaryCrossEntropyWithLogits(options) => {
            let (input, target) = (tensor("input")?, tensor("target")?);
            // Python.
            if target.size() != input.size() {
                return Err(Rejection(format!(
                    "Target size (torch.Size({:?})) must be the same as input size (torch.Size({:?}))",
                    target.size(),
                    input.size(),
                )));
            }
            input.f_binary_cross_entropy_with_logits(target, weight, pos_weight, reduction(options.reduction))?
        }
        Loss::CosineEmbeddingLoss(options) => {
            let (input1, input2, target) = (tensor("input1")?, tensor("input2")?, tensor("target")?);
            Tensor::f_cosine_embedding_loss(input1, input2, target, options.margin, reduction(options.reduction))?
        }
        Loss::CrossEntropy(options) => {
            let (input, target) = (tensor("input")?, tensor("target")?);
            let reduction = reduction(options.reduction);
            input.f_cross_entropy_loss(target, weight, reduction, options.ignore_index, options.label_smoothing)?
        }
        Loss::CtcLoss(options) => {
            let [log_probs, targets] = [tensor("log_probs")?, tensor("targets")?];
            let [input_lengths, target_lengths] = [tensor("input_lengths")?, tensor("target_lengths")?];
            let (blank, reduction) = (options.blank, reduction(options.reduction));
            let zero_infinity = options.zero_infinity;
            Tensor::f_ctc_loss_tensor(
                log_probs,
                targets,
                input_lengths,
                target_lengths,
                blank,
                reduction,
                zero_infinity,
            )?
        }
        Loss::GaussianNllLoss(options) => {
            gaussian_nll_loss(tensor("input")?, tensor("target")?, tensor("var")?, options)?
        }
        Loss::HingeEmbeddingLoss(options) => {
            let reduction = reduction(options.reduction);
            tensor("input")?.f_hinge_embedding_loss(tensor("target")?, options.margin, reduction)?
        }
        Loss::HuberLoss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            let Some(weight) = weight else {
                return Ok(input.f_huber_loss(&target, reduction(options.reduction), options.delta)?);
            };
            // Python.
            has_size_of(weight, tensor("input")?)?;
            let losses = input.f_huber_loss(&target, tch::Reduction::None, options.delta)?.f_mul(weight)?;
            reduced(losses, options.reduction)?
        }
        Loss::KlDiv(options) => {
            let (input, target) = (tensor("input")?, tensor("target")?);
            let reduction = match options.reduction {
                KLDivReduction::None => tch::Reduction::None,
                KLDivReduction::Mean => tch::Reduction::Mean,
                KLDivReduction::BatchMean | KLDivReduction::Sum => tch::Reduction::Sum,
            };
            let divergence = input.f_kl_div(target, reduction, options.log_target)?;
            // Python.
            match input.size().first() {
                Some(&batch) if options.reduction == KLDivReduction::BatchMean => divergence.f_div_scalar(batch)?,
                _ => divergence,
            }
        }
        Loss::L1Loss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            match weight {
                None => input.f_l1_loss(&target, reduction(options.reduction))?,
                // Python.
                Some(weight) => {
                    has_size_of(weight, tensor("input")?)?;
                    weighted(input.f_sub(&target)?.f_abs()?, weight, options.reduction)?
                }
            }
        }
        Loss::LinearCrossEntropy(options) => linear_cross_entropy(inputs, options)?,
        Loss::MarginRankingLoss(options) => {
            let (input1, input2, target) = (tensor("input1")?, tensor("input2")?, tensor("target")?);
            // Python.
            if input1.dim() != input2.dim() || input1.dim() != target.dim() {
                return Err(Rejection(format!(
                    "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {:?}, \
                     input2: {:?}, target: {:?}",
                    input1.size(),
                    input2.size(),
                    target.size(),
                )));
            }
            Tensor::f_margin_ranking_loss(input1, input2, target, options.margin, reduction(options.reduction))?
        }
        Loss::MseLoss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            match weight {
                None => input.f_mse_loss(&target, reduction(options.reduction))?,
                // Python.
                Some(weight) => {
                    has_size_of(weight, tensor("input")?)?;
                    weighted(input.f_sub(&target)?.f_square()?, weight, options.reduction)?
                }
            }
        }
        Loss::MultiMarginLoss(options) => multi_margin_loss(tensor("input")?, tensor("target")?, weight, options)?,
        Loss::MultilabelMarginLoss(options) => {
            tensor("input")?.f_multilabel_margin_loss(tensor("target")?, reduction(options.reduction))?
        }
        Loss::MultilabelSoftMarginLoss(options) => {
            multilabel_soft_margin_loss(tensor("input")?, tensor("target")?, weight, options)?
        }
        Loss::NllLoss2d(options) => {
            let reduction = reduction(options.reduction);
            tensor("input")?.f_nll_loss_nd(tensor("target")?, weight, reduction, options.ignore_index)?
        }
        Loss::NllLoss(options) => {
            let reduction = reduction(options.reduction);
            tensor("input")?.f_nll_loss_nd(tensor("target")?, weight, reduction, options.ignore_index)?
        }
        Loss::PoissonNllLoss(options) => {
            let reduction = reduction(options.reduction);
            let (input, target) = (tensor("input")?, tensor("target")?);
            input.f_poisson_nll_loss(target, options.log_input, options.full, options.eps, reduction)?
        }
        Loss::SmoothL1Loss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            // Python calls l1_loss where beta is 0. Left out: libtorch's own gradient at a difference of 0 is a finding.
            input.f_smooth_l1_loss(&target, reduction(options.reduction), options.beta)?
        }
        Loss::SoftMarginLoss(options) => {
            tensor("input")?.f_soft_margin_loss(tensor("target")?, reduction(options.reduction))?
        }
        Loss::TripletMarginLoss(options) => {
            let [anchor, positive, negative] = [tensor("anchor")?, tensor("positive")?, tensor("negative")?];
            has_positive_margin(options.margin)?; // Python
            let reduction = reduction(options.reduction);
            let TripletMarginLoss { margin, p, eps, swap, .. } = *options;
            Tensor::f_triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction)?
        }
        Loss::TripletMarginWithDistanceLoss(options) => {
            let [anchor, positive, negative] = [tensor("anchor")?, tensor("positive")?, tensor("negative")?];
            triplet_margin_with_distance_loss(anchor, positive, negative, options)?
        }
    })
}

fn reduction(reduction: Reduction) -> tch::Reduction {
    match reduction {
        Reduction::None => tch::Reduction::None,
        Reduction::Mean => tch::Reduction::Mean,
        Reduction::Sum => tch::Reduction::Sum,
    }
}

/// The reduction where Python does it.
fn reduced(losses: Tensor, reduction: Reduction) -> Result<Tensor> {
    Ok(match reduction {
        Reduction::None => losses,
        Reduction::Mean => losses.f_mean(None)?,
        Reduction::Sum => losses.f_sum(None)?,
    })
}

/// Python.
fn has_positive_margin(margin: f64) -> Result<()> {
    if margin <= 0.0 { Err(Rejection(format!("margin must be greater than 0, got {margin}"))) } else { Ok(()) }
}

/// Python.
fn has_size_of(weight: &Tensor, input: &Tensor) -> Result<()> {
    if weight.size() == input.size() {
        Ok(())
    } else {
        Err(Rejection("Weights and input must have the same size.".to_owned()))
    }
}

/// The weighted reduction of l1_loss and mse_loss, as Python does it.
fn weighted(losses: Tensor, weight: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let losses = losses.f_mul(weight)?;
    Ok(match reduction {
        Reduction::None => losses,
        Reduction::Mean => losses.f_sum(None)?.f_div(&weight.f_sum(None)?)?,
        Reduction::Sum => losses.f_sum(None)?,
    })
}

/// `torch.broadcast_tensors`. The operators broadcast by themselves too, but the gradients of all but `l1_loss` then
/// divide the mean by the number of elements of `input` or `target` as it came, not as it was broadcast.
fn broadcast(a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    let mut tensors = Tensor::f_broadcast_tensors(&[a, b])?.into_iter();
    Ok((tensors.next().expect("as many as went in"), tensors.next().expect("as many as went in")))
}
