use candle_core::{Result, Tensor, bail};
use losscheck_backend::backend::{Backend, Coverage, Outcome, Pass};
use losscheck_backend::case::Case;
use losscheck_backend::tensor::Tensor as CaseTensor;
use losscheck_backend::{Loss, LossKind};
use losscheck_options::Reduction;

use super::inputs::Inputs;
use super::{Adapter, VERSION, convert};

/// The backend `candle-nn`: the loss functions of `candle_nn::loss` as they are.
///
/// A case that asks for an option or a shape that the function does not have is [`Outcome::NotProvided`]; all others,
/// wrong inputs and awkward ones among them, are for candle-nn to answer. Class indices go to it as a candle program
/// would hold them: as u32 if they fit (u8 stays u8), as i64 otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct CandleNn;

const ADAPTER: &Adapter = &Adapter { to_candle: convert::with_u32_indices, evaluate };

impl Backend for CandleNn {
    fn name(&self) -> &str {
        "candle-nn"
    }

    fn version(&self) -> String {
        format!("candle-nn {VERSION}")
    }

    fn coverage(&self, loss: LossKind) -> Coverage {
        match loss {
            LossKind::BinaryCrossEntropyWithLogits
            | LossKind::CrossEntropy
            | LossKind::HuberLoss
            | LossKind::MseLoss
            | LossKind::NllLoss => Coverage::Native,
            _ => Coverage::Missing,
        }
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

fn evaluate(case: &Case, inputs: &Inputs) -> Result<Tensor> {
    use candle_nn::loss;
    let (input, target) = (inputs.require("input")?, inputs.require("target")?);
    match &case.loss {
        Loss::BinaryCrossEntropyWithLogits(_) => loss::binary_cross_entropy_with_logit(input, target),
        Loss::CrossEntropy(_) => loss::cross_entropy(input, target),
        Loss::HuberLoss(options) => loss::huber(input, target, options.delta),
        Loss::MseLoss(_) => loss::mse(input, target),
        Loss::NllLoss(_) => loss::nll(input, target),
        other => bail!("candle-nn has no {}", other.kind().name()),
    }
}

/// What of the case candle-nn lacks.
fn lack(case: &Case) -> Option<&'static str> {
    let (reduction, lack) = match &case.loss {
        Loss::BinaryCrossEntropyWithLogits(options) => {
            (options.reduction, case.input("pos_weight").map(|_| "candle-nn has no pos_weight"))
        }
        Loss::CrossEntropy(options) if options.label_smoothing != 0. => {
            (options.reduction, Some("candle-nn has no label_smoothing"))
        }
        Loss::CrossEntropy(options) => (options.reduction, class_lack(case, options.ignore_index)),
        Loss::NllLoss(options) => (options.reduction, class_lack(case, options.ignore_index)),
        Loss::HuberLoss(options) => (options.reduction, pair_lack(case)),
        Loss::MseLoss(options) => (options.reduction, pair_lack(case)),
        _ => return Some("candle-nn has no such loss"),
    };
    lack.or_else(|| dtype_lack(case)).or_else(|| match reduction {
        Reduction::Mean if case.input("weight").is_some() => Some("candle-nn has no weight"),
        Reduction::Mean => None,
        Reduction::None | Reduction::Sum => Some("candle-nn has no reduction but the mean"),
    })
}

/// What candle-nn lacks for the dtypes of the tensors. Of integers it never returns from some computations.
fn dtype_lack(case: &Case) -> Option<&'static str> {
    let input = case.input("input")?.dtype();
    if !input.is_float() {
        return Some("candle-nn takes an input of floats alone");
    }
    let mut floats = case.inputs.values().map(CaseTensor::dtype).filter(|dtype| dtype.is_float());
    floats.any(|dtype| dtype != input).then_some("candle-nn takes input and target of the same dtype alone")
}

fn class_lack(case: &Case, ignore_index: i64) -> Option<&'static str> {
    let (input, target) = (case.input("input")?, case.input("target")?);
    if input.shape().len() != 2 {
        return Some("candle-nn takes inputs of shape (N, C) alone");
    }
    let Some(indices) = target.to_indices() else {
        return Some("candle-nn takes class indices alone");
    };
    indices.contains(&ignore_index).then_some("candle-nn has no ignore_index")
}

/// What candle-nn lacks for an input and a target of numbers. Shapes that do not broadcast are for candle-nn to refuse.
fn pair_lack(case: &Case) -> Option<&'static str> {
    if !case.input("target")?.dtype().is_float() {
        return Some("candle-nn takes input and target of the same dtype alone");
    }
    let (input, target) = (case.input("input")?.shape(), case.input("target")?.shape());
    let broadcast = input.iter().rev().zip(target.iter().rev()).all(|(&a, &b)| a == b || a == 1 || b == 1);
    (input != target && broadcast).then_some("candle-nn does not broadcast")
}
