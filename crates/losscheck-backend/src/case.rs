//! Cases: a loss with its options, its inputs and cotangent, and what is expected of it.

use std::sync::Arc;

use losscheck_options::{Loss, Output, Reduction};

use crate::tensor::{DType, Tensor, Tensors};

/// One evaluation to make and, where it is known, its result.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of the case, which never changes: `LOSS/DTYPE/what sets it apart` in the shipped files, anything in others.
    pub id: String,
    /// The loss and its options.
    pub loss: Loss,
    /// The categories it belongs to; a golden file explains each.
    pub flags: Vec<String>,
    /// What the author of the case has to say about it.
    pub note: Option<String>,
    /// Everything that is a tensor.
    pub inputs: Tensors,
    /// The gradient that the backward pass starts from; all ones where absent.
    pub cotangent: Option<Tensor>,
    /// The inputs whose gradients are wanted, or `None` if all are that there are.
    pub wanted: Option<Vec<String>>,
    /// The expected result. If it is absent, the oracle alone judges.
    pub expected: Option<Expected>,
    /// Who expects [`expected`](Self::expected): PyTorch, or whoever wrote the case.
    pub expected_by: ExpectedBy,
    /// How far numbers may be from [`expected`](Self::expected) because it is not given in full. It concerns that comparison
    /// alone, and no answer is closer to the oracle for it.
    pub tolerance: Option<Tolerance>,
    /// The number that the tutorial prints for this example.
    pub printed: Option<f64>,
}

/// What is expected of a case: an answer, or a rejection of the inputs.
#[derive(Clone, Debug)]
pub enum Expected {
    /// A value and gradients.
    Answer(Answer),
    /// An error of PyTorch.
    Rejection {
        /// Class of Python's exception, `RuntimeError` for example, or [`Expected::ANY_ERROR`].
        error: String,
        /// Text of the exception; empty if any is expected.
        message: String,
    },
}

impl Expected {
    /// Class of all of Python's exceptions. It stands for a rejection of which the case does not say how PyTorch words it.
    pub const ANY_ERROR: &str = "Exception";

    /// Returns the expectation that the inputs are rejected, in any words.
    pub fn any_rejection() -> Self {
        Self::Rejection { error: Self::ANY_ERROR.to_owned(), message: String::new() }
    }
}

/// Who expects the result that a case holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExpectedBy {
    /// Whoever wrote the case.
    #[default]
    Author,
    /// PyTorch of this version, which answered so.
    Pytorch(Arc<str>),
}

/// How far numbers may be from an expected result that is not given in full, as a number copied from a paper is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// The expected numbers are right to this many significant decimal digits, the last of them rounded. It is positive and
    /// at most [`Tolerance::MOST_DIGITS`].
    Digits(u32),
    /// The expected numbers are right up to an error of this multiple of their magnitude. It is positive and finite.
    Relative(f64),
}

impl Tolerance {
    /// The number of significant decimal digits that tells any two numbers of f64 apart.
    pub const MOST_DIGITS: u32 = 17;
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
        Self {
            id: id.into(),
            loss,
            flags: Vec::new(),
            note: None,
            inputs,
            cotangent: None,
            wanted: None,
            expected: None,
            expected_by: ExpectedBy::Author,
            tolerance: None,
            printed: None,
        }
    }

    /// Returns the tensor of a name.
    pub fn input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.get(name)
    }

    /// Returns the dtype that the loss is computed in: the dtype of the first tensor that it takes, which is also the first
    /// that it differentiates.
    ///
    /// If the first tensor holds integers, the other tensors decide: this is the dtype to which PyTorch promotes their
    /// floats, or f32, PyTorch's default, if none of them holds floats.
    ///
    /// Other tensors of the case may have other dtypes. A value, a gradient or a cotangent that is given has its own dtype,
    /// and does not have to be of this one.
    pub fn dtype(&self) -> DType {
        let first = self.inputs.get(self.loss.kind().signature().first()).map_or(DType::F32, Tensor::dtype);
        if first.is_float() {
            return first;
        }
        let floats = self.inputs.values().map(Tensor::dtype).filter(|dtype| dtype.is_float());
        floats.reduce(DType::promoted).unwrap_or(DType::F32)
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
