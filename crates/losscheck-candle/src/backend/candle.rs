use candle_core::{Result, Tensor, bail};
use losscheck::backend::{Backend, Coverage, Outcome, Pass};
use losscheck::case::Case;
use losscheck::loss::{
    Loss, LossKind, adaptive_log_softmax_with_loss as adaptive, triplet_margin_with_distance_loss as triplets,
};

use super::inputs::Inputs;
use super::{Adapter, VERSION, convert};
use losscheck_reference::KLDivReduction;

use crate::losses::{
    self, AdaptiveLogSoftmaxOptions, AdaptiveLogSoftmaxWithLoss, CosineEmbeddingOptions, CrossEntropyOptions,
    CtcOptions, DistanceFunction, GaussianNllOptions, HingeEmbeddingOptions, HuberOptions, KlDivOptions,
    KlDivReduction, LinearCrossEntropyOptions, MarginRankingOptions, MultiMarginOptions, NllOptions, PoissonNllOptions,
    Reduction, SmoothL1Options, TripletMarginOptions, TripletMarginWithDistanceOptions,
};

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
        ADAPTER.outcome(case)
    }

    fn workload<'a>(&'a self, case: &'a Case, pass: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        ADAPTER.workload(case, pass)
    }
}

fn evaluate(case: &Case, inputs: &Inputs) -> Result<Tensor> {
    let tensor = |name| inputs.require(name);
    match &case.loss {
        Loss::AdaptiveLogSoftmaxWithLoss(options) => adaptive_log_softmax_with_loss(inputs, options),
        Loss::BinaryCrossEntropy(options) => {
            let weight = inputs.get("weight");
            losses::binary_cross_entropy(tensor("input")?, tensor("target")?, weight, reduction(options.reduction))
        }
        Loss::BinaryCrossEntropyWithLogits(options) => losses::binary_cross_entropy_with_logits(
            tensor("input")?,
            tensor("target")?,
            inputs.get("weight"),
            inputs.get("pos_weight"),
            reduction(options.reduction),
        ),
        Loss::CosineEmbeddingLoss(options) => {
            let options = CosineEmbeddingOptions { margin: options.margin, reduction: reduction(options.reduction) };
            losses::cosine_embedding_loss(tensor("input1")?, tensor("input2")?, tensor("target")?, options)
        }
        Loss::CrossEntropy(options) => {
            let options = CrossEntropyOptions {
                ignore_index: options.ignore_index,
                label_smoothing: options.label_smoothing,
                reduction: reduction(options.reduction),
            };
            losses::cross_entropy(tensor("input")?, tensor("target")?, inputs.get("weight"), options)
        }
        Loss::CtcLoss(options) => {
            let (input_lengths, target_lengths) = (tensor("input_lengths")?, tensor("target_lengths")?);
            let options = CtcOptions {
                blank: options.blank,
                reduction: reduction(options.reduction),
                zero_infinity: options.zero_infinity,
            };
            losses::ctc_loss(tensor("log_probs")?, tensor("targets")?, input_lengths, target_lengths, options)
        }
        Loss::GaussianNllLoss(options) => {
            let options =
                GaussianNllOptions { full: options.full, eps: options.eps, reduction: reduction(options.reduction) };
            losses::gaussian_nll_loss(tensor("input")?, tensor("target")?, tensor("var")?, options)
        }
        Loss::HingeEmbeddingLoss(options) => {
            let options = HingeEmbeddingOptions { margin: options.margin, reduction: reduction(options.reduction) };
            losses::hinge_embedding_loss(tensor("input")?, tensor("target")?, options)
        }
        Loss::HuberLoss(options) => {
            let options = HuberOptions { delta: options.delta, reduction: reduction(options.reduction) };
            losses::huber_loss(tensor("input")?, tensor("target")?, inputs.get("weight"), options)
        }
        Loss::KlDiv(options) => {
            let reduction = match options.reduction {
                KLDivReduction::None => KlDivReduction::None,
                KLDivReduction::Mean => KlDivReduction::Mean,
                KLDivReduction::BatchMean => KlDivReduction::BatchMean,
                KLDivReduction::Sum => KlDivReduction::Sum,
            };
            let options = KlDivOptions { log_target: options.log_target, reduction };
            losses::kl_div(tensor("input")?, tensor("target")?, options)
        }
        Loss::L1Loss(options) => {
            losses::l1_loss(tensor("input")?, tensor("target")?, inputs.get("weight"), reduction(options.reduction))
        }
        Loss::LinearCrossEntropy(options) => {
            let (layer, target) = ((tensor("input")?, tensor("linear_weight")?), tensor("target")?);
            let options = LinearCrossEntropyOptions {
                ignore_index: options.ignore_index,
                label_smoothing: options.label_smoothing,
                reduction: reduction(options.reduction),
            };
            let (bias, weight) = (inputs.get("linear_bias"), inputs.get("weight"));
            losses::linear_cross_entropy(layer.0, layer.1, bias, target, weight, options)
        }
        Loss::MarginRankingLoss(options) => {
            let options = MarginRankingOptions { margin: options.margin, reduction: reduction(options.reduction) };
            losses::margin_ranking_loss(tensor("input1")?, tensor("input2")?, tensor("target")?, options)
        }
        Loss::MseLoss(options) => {
            losses::mse_loss(tensor("input")?, tensor("target")?, inputs.get("weight"), reduction(options.reduction))
        }
        Loss::MultiMarginLoss(options) => {
            let options =
                MultiMarginOptions { p: options.p, margin: options.margin, reduction: reduction(options.reduction) };
            losses::multi_margin_loss(tensor("input")?, tensor("target")?, inputs.get("weight"), options)
        }
        Loss::MultilabelMarginLoss(options) => {
            losses::multilabel_margin_loss(tensor("input")?, tensor("target")?, reduction(options.reduction))
        }
        Loss::MultilabelSoftMarginLoss(options) => losses::multilabel_soft_margin_loss(
            tensor("input")?,
            tensor("target")?,
            inputs.get("weight"),
            reduction(options.reduction),
        ),
        Loss::NllLoss2d(options) => nll_loss(inputs, &options.nll_loss()),
        Loss::NllLoss(options) => nll_loss(inputs, options),
        Loss::PoissonNllLoss(options) => {
            let options = PoissonNllOptions {
                log_input: options.log_input,
                full: options.full,
                eps: options.eps,
                reduction: reduction(options.reduction),
            };
            losses::poisson_nll_loss(tensor("input")?, tensor("target")?, options)
        }
        Loss::SmoothL1Loss(options) => {
            let options = SmoothL1Options { beta: options.beta, reduction: reduction(options.reduction) };
            losses::smooth_l1_loss(tensor("input")?, tensor("target")?, options)
        }
        Loss::SoftMarginLoss(options) => {
            losses::soft_margin_loss(tensor("input")?, tensor("target")?, reduction(options.reduction))
        }
        Loss::TripletMarginLoss(options) => {
            let options = TripletMarginOptions {
                margin: options.margin,
                p: options.p,
                eps: options.eps,
                swap: options.swap,
                reduction: reduction(options.reduction),
            };
            losses::triplet_margin_loss(tensor("anchor")?, tensor("positive")?, tensor("negative")?, options)
        }
        Loss::TripletMarginWithDistanceLoss(options) => {
            let options = TripletMarginWithDistanceOptions {
                distance_function: match options.distance_function {
                    triplets::DistanceFunction::Pairwise => DistanceFunction::default(),
                    triplets::DistanceFunction::Manhattan => DistanceFunction::Manhattan,
                    triplets::DistanceFunction::SquaredEuclidean => DistanceFunction::SquaredEuclidean,
                },
                margin: options.margin,
                swap: options.swap,
                reduction: reduction(options.reduction),
            };
            let [anchor, positive, negative] = [tensor("anchor")?, tensor("positive")?, tensor("negative")?];
            losses::triplet_margin_with_distance_loss(anchor, positive, negative, options)
        }
    }
}

fn adaptive_log_softmax_with_loss(inputs: &Inputs, options: &adaptive::Options) -> Result<Tensor> {
    let tail = (0..)
        .map(|i| [0, 1].map(|layer| inputs.get(&format!("tail.{i}.{layer}.weight")).cloned()))
        .take_while(|tail| tail.iter().any(Option::is_some))
        .map(|tail| match tail {
            [Some(projection), Some(output)] => Ok([projection, output]),
            _ => bail!("the case has one layer of a tail alone"),
        });
    let tail = tail.collect::<Result<_>>()?;
    let arguments = AdaptiveLogSoftmaxOptions {
        in_features: options.in_features,
        n_classes: options.n_classes,
        cutoffs: options.cutoffs.clone(),
        div_value: options.div_value,
        head_bias: options.head_bias,
    };
    let (head_weight, head_bias) = (inputs.require("head.weight")?.clone(), inputs.get("head.bias").cloned());
    let module = AdaptiveLogSoftmaxWithLoss::new(arguments, head_weight, head_bias, tail)?;
    let (input, target) = (inputs.require("input")?, inputs.get("target"));
    match options.result {
        adaptive::AdaptiveResult::Loss => Ok(module.forward(input, inputs.require("target")?)?.loss),
        adaptive::AdaptiveResult::Output => Ok(module.forward(input, inputs.require("target")?)?.output),
        _ if target.is_some() => bail!("this result takes no target"),
        adaptive::AdaptiveResult::LogProb => module.log_prob(input),
        adaptive::AdaptiveResult::Predict => module.predict(input),
    }
}

fn nll_loss(inputs: &Inputs, options: &losscheck::loss::nll_loss::Options) -> Result<Tensor> {
    let options = NllOptions { ignore_index: options.ignore_index, reduction: reduction(options.reduction) };
    losses::nll_loss(inputs.require("input")?, inputs.require("target")?, inputs.get("weight"), options)
}

fn reduction(reduction: losscheck_reference::Reduction) -> Reduction {
    match reduction {
        losscheck_reference::Reduction::None => Reduction::None,
        losscheck_reference::Reduction::Mean => Reduction::Mean,
        losscheck_reference::Reduction::Sum => Reduction::Sum,
    }
}
