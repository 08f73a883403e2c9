use candle_core::{Result, Tensor};
use losscheck::backend::{Backend, Coverage, Outcome, Pass};
use losscheck::case::Case;
use losscheck::loss::{Loss, LossKind};

use super::inputs::Inputs;
use super::{Adapter, VERSION, convert};
use crate::losses::{self, CrossEntropyOptions, HuberOptions, NllOptions, Reduction, SmoothL1Options};

/// The backend `candle`: [`losses`], and gradients through candle's own `backward`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candle;

const ADAPTER: &Adapter = &Adapter { to_candle: convert::to_candle, evaluate };

impl Backend for Candle {
    fn name(&self) -> &'static str {
        "candle"
    }

    fn version(&self) -> String {
        format!("candle-core {VERSION}")
    }

    fn coverage(&self, _loss: LossKind) -> Coverage {
        Coverage::Composed
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        ADAPTER.outcome(case)
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        ADAPTER.workload(case, pass)
    }
}

fn evaluate(case: &Case, inputs: &Inputs) -> Result<Tensor> {
    let (input, target) = (inputs.require("input")?, inputs.require("target")?);
    let weight = inputs.get("weight");
    let reduction = reduction(case);
    match &case.loss {
        Loss::BinaryCrossEntropy(_) => losses::binary_cross_entropy(input, target, weight, reduction),
        Loss::BinaryCrossEntropyWithLogits(_) => {
            losses::binary_cross_entropy_with_logits(input, target, weight, inputs.get("pos_weight"), reduction)
        }
        Loss::CrossEntropy(options) => {
            let (ignore_index, label_smoothing) = (options.ignore_index, options.label_smoothing);
            let options = CrossEntropyOptions { ignore_index, label_smoothing, reduction };
            losses::cross_entropy(input, target, weight, options)
        }
        Loss::HuberLoss(options) => losses::huber_loss(input, target, HuberOptions { delta: options.delta, reduction }),
        Loss::L1Loss(_) => losses::l1_loss(input, target, reduction),
        Loss::MseLoss(_) => losses::mse_loss(input, target, reduction),
        Loss::NllLoss(options) => {
            let options = NllOptions { ignore_index: options.ignore_index, reduction };
            losses::nll_loss(input, target, weight, options)
        }
        Loss::SmoothL1Loss(options) => {
            losses::smooth_l1_loss(input, target, SmoothL1Options { beta: options.beta, reduction })
        }
    }
}

fn reduction(case: &Case) -> Reduction {
    match case.loss.reduction() {
        losscheck_reference::Reduction::None => Reduction::None,
        losscheck_reference::Reduction::Mean => Reduction::Mean,
        losscheck_reference::Reduction::Sum => Reduction::Sum,
    }
}
