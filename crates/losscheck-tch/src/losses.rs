//! The table of losses: what `torch.nn.functional` does for each, up to and including libtorch's operator.
//!
//! The operator is the loss; what stands around it here is what PyTorch's Python layer adds to it, marked "Python".

use losscheck::loss::Loss;
use tch::Tensor;

use crate::inputs::Inputs;
use crate::{Rejection, Result};

/// Calls the loss.
pub(crate) fn call(loss: &Loss, inputs: &Inputs) -> Result<Tensor> {
    let tensor = |name| inputs.require(name);
    let (weight, pos_weight) = (inputs.get("weight"), inputs.get("pos_weight"));

    Ok(match loss {
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
        Loss::CrossEntropy(options) => {
            let (input, target) = (tensor("input")?, tensor("target")?);
            let reduction = reduction(options.reduction);
            input.f_cross_entropy_loss(target, weight, reduction, options.ignore_index, options.label_smoothing)?
        }
        Loss::HuberLoss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            input.f_huber_loss(&target, reduction(options.reduction), options.delta)?
        }
        Loss::L1Loss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            input.f_l1_loss(&target, reduction(options.reduction))?
        }
        Loss::MseLoss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            input.f_mse_loss(&target, reduction(options.reduction))?
        }
        Loss::NllLoss(options) => {
            let reduction = reduction(options.reduction);
            tensor("input")?.f_nll_loss_nd(tensor("target")?, weight, reduction, options.ignore_index)?
        }
        Loss::SmoothL1Loss(options) => {
            let (input, target) = broadcast(tensor("input")?, tensor("target")?)?; // Python
            // Python calls l1_loss where beta is 0. Left out: libtorch's own gradient at a difference of 0 is a finding.
            input.f_smooth_l1_loss(&target, reduction(options.reduction), options.beta)?
        }
    })
}

fn reduction(reduction: losscheck_reference::Reduction) -> tch::Reduction {
    match reduction {
        losscheck_reference::Reduction::None => tch::Reduction::None,
        losscheck_reference::Reduction::Mean => tch::Reduction::Mean,
        losscheck_reference::Reduction::Sum => tch::Reduction::Sum,
    }
}

/// `torch.broadcast_tensors`. The operators broadcast by themselves too, but the gradients of all but `l1_loss` then
/// divide the mean by the number of elements of `input` or `target` as it came, not as it was broadcast.
fn broadcast(a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    let mut tensors = Tensor::f_broadcast_tensors(&[a, b])?.into_iter();
    Ok((tensors.next().expect("as many as went in"), tensors.next().expect("as many as went in")))
}
