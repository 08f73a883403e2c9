//! Cases: a loss with its options, its inputs and cotangent, and what is expected of it.

use losscheck_options::{Loss, Output, Reduction};

use crate::tensor::{DType, Tensor, Tensors};

/// One evaluation to make and, where it is known, its result.
#[derive(Clone, Debug)]
pub struct Case {
    /// Names the case for good: `LOSS/DTYPE/what sets it apart`.
    pub id: String,
    /// The loss and its options.
    pub loss: Loss,
    /// The categories it belongs to; a golden file explains each.
    pub flags: Vec<String>,
    /// Everything that is a tensor.
    pub inputs: Tensors,
    /// The gradient that the backward pass starts from; all ones where absent.
    pub cotangent: Option<Tensor>,
    /// The inputs whose gradients are wanted, or `None` if all are that there are.
    pub wanted: Option<Vec<String>>,
    /// What PyTorch answers; where absent, the oracle alone judges.
    pub expected: Option<Expected>,
    /// The number that the tutorial prints for this example.
    pub printed: Option<f64>,
}

/// What PyTorch answers for a case.
#[derive(Clone, Debug)]
pub enum Expected {
    /// It computes.
    Answer(Answer),
    /// It raises an error.
    Rejection {
        /// The kind of exception, `RuntimeError` for example.
        error: String,
        /// Its message.
        message: String,
    },
}

/// A value and a gradient for each differentiable input.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The loss, reduced or not.
    pub value: Tensor,
    /// Gradients by the name of the input.
    pub gradients: Tensors,
}

impl Answer {
    /// Returns the tensor of an output.
    pub fn output(&self, output: Output) -> Option<&Tensor> {
        match output {
            Output::Value => Some(&self.value),
            Output::Gradient(name) => self.gradients.get(name),
        }
    }
}

impl Case {
    /// Returns a case of a loss on some tensors, with the cotangent that is all ones. All gradients are wanted, and nothing is
    /// known of the result.
    pub fn new(id: impl Into<String>, loss: Loss, inputs: Tensors) -> Self {
        let (flags, cotangent, wanted, expected, printed) = Default::default();
        Self { id: id.into(), loss, flags, inputs, cotangent, wanted, expected, printed }
    }

    /// Returns the tensor of a name.
    pub fn input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.get(name)
    }

    /// Returns the dtype that the loss is computed in: the dtype of its first tensor.
    pub fn dtype(&self) -> DType {
        let first = self.loss.kind().signature().first();
        self.inputs.get(first).map_or(DType::F32, Tensor::dtype)
    }

    /// Returns the case with another tensor of a name, or with one more tensor.
    #[must_use]
    pub fn with_input(&self, name: &str, tensor: Tensor) -> Self {
        let mut case = self.clone();
        case.inputs.insert(name.to_owned(), tensor);
        case
    }

    /// Returns the case without the reduction: each element or row has a loss of its own, with the cotangent 1.
    #[must_use]
    pub fn unreduced(&self) -> Self {
        Self { loss: self.loss.unreduced(), cotangent: None, ..self.clone() }
    }

    /// Returns the case with another reduction and the cotangent 1, or `None` if the loss has no reduction.
    #[must_use]
    pub fn reduced(&self, reduction: Reduction) -> Option<Self> {
        let loss = self.loss.with_reduction(reduction)?;
        Some(Self { loss, cotangent: None, ..self.clone() })
    }

    /// Returns the case with other gradients wanted: those of these inputs alone.
    #[must_use]
    pub fn wanting(&self, inputs: &[&str]) -> Self {
        Self { wanted: Some(inputs.iter().map(|&name| name.to_owned()).collect()), ..self.clone() }
    }

    /// Returns the names of the inputs that hold floating-point numbers, and whose gradients are wanted.
    pub fn differentiable(&self) -> impl Iterator<Item = &'static str> + '_ {
        let is_float = |name: &str| self.input(name).is_some_and(|tensor| tensor.dtype().is_float());
        let is_wanted = |name: &str| self.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|input| input == name));
        let names = self.loss.kind().signature().differentiable;
        names.iter().copied().filter(move |&name| is_float(name) && is_wanted(name))
    }

    /// Returns whether an output is wanted: the value always, and the gradients that [`Case::differentiable`] names.
    pub fn wants(&self, output: Output) -> bool {
        match output {
            Output::Value => true,
            Output::Gradient(name) => self.differentiable().any(|input| input == name),
        }
    }
}
