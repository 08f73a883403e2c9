use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var, bail};
use losscheck_backend::case::Case;

/// The tensors of a case as candle's.
pub(super) struct Inputs(BTreeMap<String, Tensor>);

impl Inputs {
    /// Converts them, those of the `tracked` names into variables.
    pub(super) fn new(
        case: &Case,
        tracked: &[&str],
        to_candle: fn(&losscheck_backend::tensor::Tensor) -> Result<Tensor>,
    ) -> Result<Self> {
        let convert = |(name, tensor): (&String, _)| {
            let tensor = to_candle(tensor)?;
            let is_tracked = tracked.contains(&name.as_str());
            let tensor = if is_tracked { Var::from_tensor(&tensor)?.into_inner() } else { tensor };
            Ok((name.clone(), tensor))
        };
        case.inputs.iter().map(convert).collect::<Result<_>>().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    pub(super) fn require(&self, name: &str) -> Result<&Tensor> {
        match self.get(name) {
            Some(tensor) => Ok(tensor),
            None => bail!("the case has no tensor `{name}`"),
        }
    }
}
