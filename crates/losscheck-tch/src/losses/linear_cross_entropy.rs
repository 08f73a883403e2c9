use losscheck_options::LinearCrossEntropyLoss;
use tch::Tensor;

use super::reduction;
use crate::inputs::Inputs;
use crate::{Rejection, Result};

/// The tensor operations of `torch.nn.functional.linear_cross_entropy` without chunks, which is Python alone.
pub(super) fn linear_cross_entropy(inputs: &Inputs, options: &LinearCrossEntropyLoss) -> Result<Tensor> {
    let (input, linear_weight) = (inputs.require("input")?, inputs.require("linear_weight")?);
    let (target, linear_bias) = (inputs.require("target")?, inputs.get("linear_bias"));
    let reject = |message: String| Err(Rejection(message));
    let (input_size, weight_size) = (input.size(), linear_weight.size());
    let Some((features, batch)) = input_size.split_last().filter(|(_, batch)| batch.len() < 2) else {
        return reject(format!("expected input with dimensionality 1 or 2, got {}", input.dim()));
    };
    let Some((weight_features, outputs)) = weight_size.split_last().filter(|(_, outputs)| !outputs.is_empty()) else {
        return reject(format!("expected linear_weight with dimensionality at least 2, got {}", linear_weight.dim()));
    };
    if features != weight_features {
        return reject(format!(
            "expected equal input and linear_weight last dimensions (in_features), got {features} and \
             {weight_features}, respectively"
        ));
    }
    if let Some(bias) = linear_bias
        && bias.size() != outputs
    {
        return reject(format!("expected linear_bias shape {outputs:?}, got {:?}", bias.size()));
    }
    if outputs.len() > 1 && batch.is_empty() {
        return reject(format!("K-dimensional loss requires batched input, got shape {input_size:?}"));
    }
    let scores_size = [batch, outputs].concat();
    if target.size() == scores_size && options.ignore_index.is_some() {
        return reject("ignore_index cannot be specified when target contains probabilities".to_owned());
    }
    let count: i64 = outputs.iter().product();
    let linear_weight = linear_weight.f_reshape([count, *features])?;
    let linear_bias = linear_bias.map(|bias| bias.f_reshape([count])).transpose()?;
    let scores = input.f_linear(&linear_weight, linear_bias.as_ref())?.f_reshape(&scores_size)?;
    let ignore_index = options.ignored_index();
    let reduction = reduction(options.reduction);
    Ok(scores.f_cross_entropy_loss(target, inputs.get("weight"), reduction, ignore_index, options.label_smoothing)?)
}
