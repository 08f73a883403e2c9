//! A case's tensors on libtorch's side.

use std::collections::BTreeMap;

use losscheck_backend::case::Case;

use crate::{Rejection, Result, convert};

/// The inputs by PyTorch's names.
pub(crate) struct Inputs(BTreeMap<String, tch::Tensor>);

impl Inputs {
    /// Copies the case's inputs; those named are to record gradients.
    pub(crate) fn new(case: &Case, differentiable: &[&str]) -> Result<Self> {
        let tensors = case.inputs.iter().map(|(name, tensor)| {
            let requires_grad = differentiable.contains(&name.as_str());
            Ok((name.clone(), convert::to_torch(tensor)?.f_set_requires_grad(requires_grad)?))
        });
        tensors.collect::<Result<_>>().map(Self)
    }

    /// An optional input.
    pub(crate) fn get(&self, name: &str) -> Option<&tch::Tensor> {
        self.0.get(name)
    }

    /// An input that the loss cannot do without.
    pub(crate) fn require(&self, name: &str) -> Result<&tch::Tensor> {
        self.get(name).ok_or_else(|| Rejection(format!("missing required argument: `{name}`")))
    }
}
