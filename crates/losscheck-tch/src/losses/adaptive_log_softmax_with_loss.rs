use losscheck_options::{AdaptiveLogSoftmaxWithLoss, AdaptiveResult};
use tch::{Kind, Tensor};

use crate::inputs::Inputs;
use crate::{Rejection, Result};

/// The tensor operations of `torch.nn.AdaptiveLogSoftmaxWithLoss`, which is Python alone.
pub(super) fn adaptive_log_softmax_with_loss(inputs: &Inputs, options: &AdaptiveLogSoftmaxWithLoss) -> Result<Tensor> {
    let module = Module::new(inputs, options)?;
    let input = inputs.require("input")?;
    match options.result {
        AdaptiveResult::Loss => Ok(module.forward(input, inputs.require("target")?)?.loss),
        AdaptiveResult::Output => Ok(module.forward(input, inputs.require("target")?)?.output),
        AdaptiveResult::LogProb | AdaptiveResult::Predict if inputs.get("target").is_some() => {
            reject("takes 2 positional arguments but 3 were given")
        }
        AdaptiveResult::LogProb => module.full_log_prob(input, &module.head(input)?),
        AdaptiveResult::Predict => module.predict(input),
    }
}

fn reject<T>(message: impl Into<String>) -> Result<T> {
    Err(Rejection(message.into()))
}

struct Module<'a> {
    /// Where each cluster begins, and where the last ends.
    bounds: Vec<i64>,
    head_weight: &'a Tensor,
    head_bias: Option<&'a Tensor>,
    tail: Vec<[&'a Tensor; 2]>,
}

struct Forward {
    output: Tensor,
    loss: Tensor,
}

impl<'a> Module<'a> {
    /// What `__init__` and `load_state_dict` check.
    fn new(inputs: &'a Inputs, options: &AdaptiveLogSoftmaxWithLoss) -> Result<Self> {
        let AdaptiveLogSoftmaxWithLoss { in_features, n_classes, ref cutoffs, div_value, head_bias, .. } = *options;
        let bounds: Vec<i64> = [0].iter().chain(cutoffs).chain([&n_classes]).map(|&bound| bound as i64).collect();
        if cutoffs.is_empty() {
            return reject("cutoffs should be a sequence of length larger than 0");
        }
        if bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return reject(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each \
                 value is between 1 and n_classes-1",
            );
        }
        let (features, head_size) = (in_features as i64, bounds[1] + cutoffs.len() as i64);
        let mut module = Self {
            head_weight: parameter(inputs, "head.weight", &[head_size, features])?,
            head_bias: None,
            tail: Vec::new(),
            bounds,
        };
        match (head_bias, inputs.get("head.bias")) {
            (true, _) => module.head_bias = Some(parameter(inputs, "head.bias", &[head_size])?),
            (false, Some(_)) => return reject("Unexpected key(s) in state_dict: \"head.bias\""),
            (false, None) => {}
        }
        for (i, pair) in module.bounds.windows(2).skip(1).enumerate() {
            let power = div_value.powf((i + 1) as f64);
            if power == 0.0 {
                return reject("float floor division by zero");
            }
            if power.is_nan() {
                return reject("cannot convert float NaN to integer");
            }
            if power < 0.0 && in_features > 0 {
                return reject("Trying to create tensor with negative dimension");
            }
            // `//` of floats.
            let width = ((in_features as f64 - in_features as f64 % power) / power).round() as i64;
            module.tail.push([
                parameter(inputs, &format!("tail.{i}.0.weight"), &[width, features])?,
                parameter(inputs, &format!("tail.{i}.1.weight"), &[pair[1] - pair[0], width])?,
            ]);
        }
        match inputs.get(&format!("tail.{}.0.weight", module.tail.len())) {
            Some(_) => reject("Unexpected key(s) in state_dict"),
            None => Ok(module),
        }
    }

    fn shortlist_size(&self) -> i64 {
        self.bounds[1]
    }

    fn head(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_linear(self.head_weight, self.head_bias)?)
    }

    fn tail(&self, i: usize, input: &Tensor) -> Result<Tensor> {
        let [projection, output] = self.tail[i];
        Ok(input.f_linear(projection, None::<&Tensor>)?.f_linear(output, None::<&Tensor>)?)
    }

    fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Forward> {
        match (target.dim(), input.dim()) {
            (1, dimensions) => {
                if input.size().first() != target.size().first() {
                    return reject("Input and target should have the same size in the batch dimension.");
                }
                if dimensions != 2 {
                    return reject(format!(
                        "1D target tensor expects 2D input tensors, but found inputs with size {:?}",
                        input.size()
                    ));
                }
            }
            (0, 1) => {
                let Forward { output, loss } = self.forward(&input.f_unsqueeze(0)?, &target.f_unsqueeze(0)?)?;
                return Ok(Forward { output: output.f_squeeze_dim(0)?, loss });
            }
            (0, _) => {
                return reject(format!(
                    "0D target tensor expects 1D input tensors, but found inputs with size {:?}",
                    input.size()
                ));
            }
            _ => return reject("0D or 1D target tensor expected, multi-target not supported"),
        }
        let mut used_rows = 0;
        let batch_size = target.size()[0];
        let mut output = Tensor::f_zeros(batch_size, (input.kind(), input.device()))?;
        let mut gather_inds = target.f_zeros_like()?;
        for (i, bounds) in self.bounds.windows(2).enumerate() {
            let (low_idx, high_idx) = (bounds[0], bounds[1]);
            let target_mask = target.f_ge(low_idx)?.f_logical_and(&target.f_lt(high_idx)?)?;
            let row_indices = target_mask.f_nonzero()?.f_squeeze()?;
            if row_indices.numel() == 0 {
                continue;
            }
            let targets = target.f_masked_select(&target_mask)?;
            if i == 0 {
                gather_inds = gather_inds.f_index_copy(0, &row_indices, &targets)?;
            } else {
                let relative_target = targets.f_sub_scalar(low_idx)?;
                let cluster_output = self.tail(i - 1, &input.f_index_select(0, &row_indices)?)?;
                let cluster_index = self.shortlist_size() + i as i64 - 1;
                gather_inds = gather_inds.f_index_fill(0, &row_indices, cluster_index)?;
                let cluster_logprob = cluster_output.f_log_softmax(1, None::<Kind>)?;
                let local_logprob = cluster_logprob.f_gather(1, &relative_target.f_unsqueeze(1)?, false)?;
                output = output.f_index_copy(0, &row_indices, &local_logprob.f_squeeze_dim(1)?)?;
            }
            used_rows += row_indices.numel();
        }
        if used_rows as i64 != batch_size {
            return reject(format!(
                "Target values should be in [0, {}], but others were found.",
                self.bounds[self.bounds.len() - 1] - 1
            ));
        }
        let head_logprob = self.head(input)?.f_log_softmax(1, None::<Kind>)?;
        let output = output.f_add(&head_logprob.f_gather(1, &gather_inds.f_unsqueeze(1)?, false)?.f_squeeze()?)?;
        let loss = output.f_neg()?.f_mean(None::<Kind>)?;
        Ok(Forward { output, loss })
    }

    /// `_get_full_log_prob`.
    fn full_log_prob(&self, input: &Tensor, head_output: &Tensor) -> Result<Tensor> {
        let n_classes = self.bounds[self.bounds.len() - 1];
        let rows = head_output.size().first().copied().unwrap_or(1);
        let head_logprob = head_output.f_log_softmax(1, None::<Kind>)?;
        let out = Tensor::f_zeros([rows, n_classes], (input.kind(), input.device()))?;
        let shortlist = self.shortlist_size();
        out.f_narrow(1, 0, shortlist)?.f_copy_(&head_logprob.f_narrow(1, 0, shortlist)?)?;
        for (i, bounds) in self.bounds.windows(2).skip(1).enumerate() {
            let cluster_logprob = self.tail(i, input)?.f_log_softmax(1, None::<Kind>)?;
            let of_cluster = head_logprob.f_narrow(1, shortlist + i as i64, 1)?;
            out.f_narrow(1, bounds[0], bounds[1] - bounds[0])?.f_copy_(&cluster_logprob.f_add(&of_cluster)?)?;
        }
        Ok(out)
    }

    fn predict(&self, input: &Tensor) -> Result<Tensor> {
        let head_output = self.head(input)?;
        let mut output = head_output.f_argmax(1, false)?;
        let not_in_shortlist = output.f_ge(self.shortlist_size())?;
        if !bool::try_from(not_in_shortlist.f_any()?)? {
            return Ok(output);
        }
        let rows = [Some(&not_in_shortlist)];
        let log_prob = self.full_log_prob(&input.f_index(&rows)?, &head_output.f_index(&rows)?)?;
        Ok(output.f_index_put_(&rows, &log_prob.f_argmax(1, false)?, false)?)
    }
}

/// A parameter of the shape that the module has for it.
fn parameter<'a>(inputs: &'a Inputs, name: &str, shape: &[i64]) -> Result<&'a Tensor> {
    match inputs.get(name) {
        None => reject(format!("Missing key(s) in state_dict: \"{name}\"")),
        Some(parameter) if parameter.size() == shape => Ok(parameter),
        Some(parameter) => {
            let own = parameter.size();
            reject(format!("size mismatch for {name}: torch.Size({own:?}), the shape in current model is {shape:?}"))
        }
    }
}
