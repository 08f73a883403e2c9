use candle_core::{Result, bail};
use losscheck_backend::backend::{Backend, Coverage, Outcome, Pass};
use losscheck_backend::case::Case;
use losscheck_backend::tensor::{DType, Tensor};
use losscheck_backend::{Loss, LossKind};
use losscheck_options::{AdaptiveLogSoftmaxWithLoss, AdaptiveResult, NLLLoss};

use super::inputs::Inputs;
use super::{Adapter, VERSION, convert};
use crate::losses::{self, AdaptiveLogSoftmax};

/// The backend `candle`: [`losses`], and gradients through candle's own `backward`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candle;

const ADAPTER: &Adapter = &Adapter { to_candle: convert::widened, evaluate };

impl Backend for Candle {
    fn name(&self) -> &str {
        "candle"
    }

    fn version(&self) -> String {
        format!("candle-core {VERSION}")
    }

    fn coverage(&self, _loss: LossKind) -> Coverage {
        Coverage::Composed
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        match lack(case) {
            Some(lack) => Outcome::NotProvided(lack.to_owned()),
            None => ADAPTER.outcome(case),
        }
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        if lack(case).is_some() { None } else { ADAPTER.workload(case, pass) }
    }
}

/// What of the case candle lacks: it computes with floats of one dtype. Integers in a tensor that the loss takes floats in are
/// for the loss to refuse.
fn lack(case: &Case) -> Option<&'static str> {
    let signature = case.loss.kind().signature();
    let first = case.input(signature.first())?.dtype();
    if !first.is_float() {
        let lack = "candle computes in the dtype of the first tensor, which holds integers";
        return signature.numbers.contains(&signature.first()).then_some(lack);
    }
    let is_f64 = |dtype: DType| dtype == DType::F64;
    // Floats of 16 bits are widened to f32.
    let mut floats = case.inputs.values().map(Tensor::dtype).filter(|dtype| dtype.is_float());
    floats.any(|dtype| is_f64(dtype) != is_f64(first)).then_some("candle computes with floats of one dtype alone")
}

fn evaluate(case: &Case, inputs: &Inputs) -> Result<candle_core::Tensor> {
    let tensor = |name| inputs.require(name);
    let weight = inputs.get("weight");
    match case.loss {
        Loss::AdaptiveLogSoftmaxWithLoss(ref options) => adaptive_log_softmax_with_loss(inputs, options),
        Loss::BinaryCrossEntropy(options) => {
            losses::binary_cross_entropy(tensor("input")?, tensor("target")?, weight, options)
        }
        Loss::BinaryCrossEntropyWithLogits(options) => {
            let pos_weight = inputs.get("pos_weight");
            losses::binary_cross_entropy_with_logits(tensor("input")?, tensor("target")?, weight, pos_weight, options)
        }
        Loss::CosineEmbeddingLoss(options) => {
            losses::cosine_embedding_loss(tensor("input1")?, tensor("input2")?, tensor("target")?, options)
        }
        Loss::CrossEntropy(options) => losses::cross_entropy(tensor("input")?, tensor("target")?, weight, options),
        Loss::CtcLoss(options) => {
            let (input_lengths, target_lengths) = (tensor("input_lengths")?, tensor("target_lengths")?);
            losses::ctc_loss(tensor("log_probs")?, tensor("targets")?, input_lengths, target_lengths, options)
        }
        Loss::GaussianNllLoss(options) => {
            losses::gaussian_nll_loss(tensor("input")?, tensor("target")?, tensor("var")?, options)
        }
        Loss::HingeEmbeddingLoss(options) => losses::hinge_embedding_loss(tensor("input")?, tensor("target")?, options),
        Loss::HuberLoss(options) => losses::huber_loss(tensor("input")?, tensor("target")?, weight, options),
        Loss::KlDiv(options) => losses::kl_div(tensor("input")?, tensor("target")?, options),
        Loss::L1Loss(options) => losses::l1_loss(tensor("input")?, tensor("target")?, weight, options),
        Loss::LinearCrossEntropy(options) => {
            let (input, linear_weight, target) = (tensor("input")?, tensor("linear_weight")?, tensor("target")?);
            let linear_bias = inputs.get("linear_bias");
            losses::linear_cross_entropy(input, linear_weight, linear_bias, target, weight, options)
        }
        Loss::MarginRankingLoss(options) => {
            losses::margin_ranking_loss(tensor("input1")?, tensor("input2")?, tensor("target")?, options)
        }
        Loss::MseLoss(options) => losses::mse_loss(tensor("input")?, tensor("target")?, weight, options),
        Loss::MultiMarginLoss(options) => {
            losses::multi_margin_loss(tensor("input")?, tensor("target")?, weight, options)
        }
        Loss::MultilabelMarginLoss(options) => {
            losses::multilabel_margin_loss(tensor("input")?, tensor("target")?, options)
        }
        Loss::MultilabelSoftMarginLoss(options) => {
            losses::multilabel_soft_margin_loss(tensor("input")?, tensor("target")?, weight, options)
        }
        Loss::NllLoss2d(options) => {
            losses::nll_loss(tensor("input")?, tensor("target")?, weight, NLLLoss::from(options))
        }
        Loss::NllLoss(options) => losses::nll_loss(tensor("input")?, tensor("target")?, weight, options),
        Loss::PoissonNllLoss(options) => losses::poisson_nll_loss(tensor("input")?, tensor("target")?, options),
        Loss::SmoothL1Loss(options) => losses::smooth_l1_loss(tensor("input")?, tensor("target")?, options),
        Loss::SoftMarginLoss(options) => losses::soft_margin_loss(tensor("input")?, tensor("target")?, options),
        Loss::TripletMarginLoss(options) => {
            losses::triplet_margin_loss(tensor("anchor")?, tensor("positive")?, tensor("negative")?, options)
        }
        Loss::TripletMarginWithDistanceLoss(options) => {
            let [anchor, positive, negative] = [tensor("anchor")?, tensor("positive")?, tensor("negative")?];
            losses::triplet_margin_with_distance_loss(anchor, positive, negative, options)
        }
    }
}

fn adaptive_log_softmax_with_loss(
    inputs: &Inputs,
    options: &AdaptiveLogSoftmaxWithLoss,
) -> Result<candle_core::Tensor> {
    let tail = (0..)
        .map(|i| [0, 1].map(|layer| inputs.get(&format!("tail.{i}.{layer}.weight")).cloned()))
        .take_while(|tail| tail.iter().any(Option::is_some))
        .map(|tail| match tail {
            [Some(projection), Some(output)] => Ok([projection, output]),
            _ => bail!("the case has one layer of a tail alone"),
        });
    let tail = tail.collect::<Result<_>>()?;
    let (head_weight, head_bias) = (inputs.require("head.weight")?.clone(), inputs.get("head.bias").cloned());
    let module = AdaptiveLogSoftmax::new(options, head_weight, head_bias, tail)?;
    let (input, target) = (inputs.require("input")?, inputs.get("target"));
    match options.result {
        AdaptiveResult::Loss => Ok(module.forward(input, inputs.require("target")?)?.loss),
        AdaptiveResult::Output => Ok(module.forward(input, inputs.require("target")?)?.output),
        _ if target.is_some() => bail!("this result takes no target"),
        AdaptiveResult::LogProb => module.log_prob(input),
        AdaptiveResult::Predict => module.predict(input),
    }
}
