use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor, Var, bail};
use losscheck::case::Case;

use super::Adapter;

/// The tensors of a case as candle's.
pub(super) struct Inputs(BTreeMap<String, Input>);

struct Input {
    /// What `backward` finds the gradient of.
    leaf: Tensor,
    /// What the loss takes.
    tensor: Tensor,
}

impl Inputs {
    /// Converts them, those of the `tracked` names into variables.
    pub(super) fn new(case: &Case, tracked: &[&str], adapter: &Adapter) -> Result<Self> {
        let convert = |(name, tensor): (&String, _)| {
            let tensor = (adapter.to_candle)(tensor)?;
            let is_tracked = tracked.contains(&name.as_str());
            let leaf = if is_tracked { Var::from_tensor(&tensor)?.into_inner() } else { tensor };
            let is_half = matches!(leaf.dtype(), DType::F16 | DType::BF16);
            let tensor = if is_half && adapter.widens { leaf.to_dtype(DType::F32)? } else { leaf.clone() };
            Ok((name.clone(), Input { leaf, tensor }))
        };
        case.inputs.iter().map(convert).collect::<Result<_>>().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name).map(|input| &input.tensor)
    }

    pub(super) fn require(&self, name: &str) -> Result<&Tensor> {
        match self.get(name) {
            Some(tensor) => Ok(tensor),
            None => bail!("the case has no tensor `{name}`"),
        }
    }

    /// The variable of a tracked name.
    pub(super) fn leaf(&self, name: &str) -> Result<&Tensor> {
        match self.0.get(name) {
            Some(input) => Ok(&input.leaf),
            None => bail!("the case has no tensor `{name}`"),
        }
    }

    /// The dtype of the first tensor that a loss takes: that of its value.
    pub(super) fn dtype(&self, case: &Case) -> Result<DType> {
        self.leaf(case.loss.kind().signature().first()).map(Tensor::dtype)
    }
}
