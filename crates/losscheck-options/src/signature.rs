//! The tensors that a loss takes, and those that it answers with.

/// The tensors that a loss takes, by PyTorch's names.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The tensors that a case must hold. The loss is computed in the dtype of the first one if that holds floats.
    pub required: &'static [&'static str],
    /// The tensors that a case may hold.
    pub optional: &'static [&'static str],
    /// The tensors that may hold integers: class indices, lengths, and the tensors that [`Signature::numbers`] names.
    pub integers: &'static [&'static str],
    /// The tensors of numbers that may hold integers in place of floats, as in PyTorch: labels that are 1 or -1, counts,
    /// weights. The loss reads them as numbers of the dtype that it is computed in. They have no gradient then.
    pub numbers: &'static [&'static str],
    /// The tensors that have a gradient if they hold floating-point numbers. Training needs the gradient of the first one.
    pub differentiable: &'static [&'static str],
}

impl Signature {
    /// Returns the name of the first tensor. The loss is computed in its dtype if it holds floats.
    pub fn first(self) -> &'static str {
        self.required[0]
    }

    /// Returns the output of a name as [`Output`] displays it.
    ///
    /// # Errors
    ///
    /// Returns an error if the loss has no such output.
    pub fn output(self, name: &str) -> Result<Output, String> {
        if name == Output::Value.to_string() {
            return Ok(Output::Value);
        }
        let mut gradients = self.differentiable.iter().map(|&input| Output::Gradient(input));
        gradients.find(|output| output.to_string() == name).ok_or_else(|| {
            let names = self.differentiable.join(", ");
            format!("`{name}`, expected `value` or `gradient of` one of {names}")
        })
    }
}

/// One of the tensors of which an answer consists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// The value of the loss.
    Value,
    /// The gradient of the input of this name.
    Gradient(&'static str),
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value => write!(f, "value"),
            Self::Gradient(name) => write!(f, "gradient of {name}"),
        }
    }
}
