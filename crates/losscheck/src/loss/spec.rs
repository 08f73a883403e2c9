//! What the suite has to know about a loss: one trait, which the options of each loss implement.

use losscheck_options::Reduction;
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::ArrayD;
use proptest::strategy::BoxedStrategy;

use super::inputs::{Inputs, Request, ValueAndGradients};
use crate::tensor::{DType, Tensors};

/// A loss as the suite sees it. The options of the loss implement it.
pub trait LossSpec: Clone {
    /// The tensors that the loss takes.
    const SIGNATURE: Signature;

    /// The dtypes in which PyTorch computes the loss on the CPU.
    const DTYPES: &'static [DType] = &DType::FLOATS;

    /// Evaluates the reference in any arithmetic.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error>;

    /// Returns, for each number of the value and of the gradients, the sum of the magnitudes of the terms that the documented
    /// formula adds up to it. The error of a careful implementation is proportional to this sum.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error>;

    /// Returns, for each number of the value and of the gradients, by how much it may jump if intermediate results are
    /// rounded; `None` if nothing may jump. At the kink of a hinge the slope is one number or another, and which of them
    /// depends on the last digit of a sum.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn jumps(&self, _inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        Ok(None)
    }

    /// Returns PyTorch's name of the reduction, or `None` if the loss has no such option.
    fn reduction(&self) -> Option<&'static str>;

    /// Returns the loss with another reduction, or `None` if it has no such option.
    fn with_reduction(&self, reduction: Reduction) -> Option<Self>;

    /// Returns the class index whose rows count for nothing, or `None` if the loss has no such option.
    fn ignore_index(&self) -> Option<i64> {
        None
    }

    /// Returns the share of the uniform distribution in the target, or `None` if the loss has no such option.
    fn label_smoothing(&self) -> Option<f64> {
        None
    }

    /// Returns the loss that gives one number for each element or row.
    #[must_use]
    fn unreduced(&self) -> Self {
        self.with_reduction(Reduction::None).unwrap_or_else(|| self.clone())
    }

    /// Returns the answer of a loss that answers with indices, each that of the largest of several numbers; `None` for all
    /// other losses. Of such a loss [`LossSpec::evaluate`] gives the same indices as a value without gradients.
    fn indices<R: Real>(&self, _inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>> {
        None
    }

    /// Returns, for a loss that answers with indices, the loss that gives the numbers from which they are chosen: one row of
    /// numbers for each index.
    #[must_use]
    fn argmax_candidates(&self) -> Option<Self> {
        None
    }

    /// Checks that a case can name all tensors that these options need.
    ///
    /// # Errors
    ///
    /// Returns an error that names the option if it cannot.
    fn check_names(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns the JSON Schema of the options in a case.
    fn options_schema() -> schemars::Schema
    where
        Self: schemars::JsonSchema,
    {
        schemars::schema_for!(Self)
    }

    /// Generates random options and tensors, edge values included.
    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)>;
}

/// The tensors that a loss takes, by PyTorch's names.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The tensors that a case must hold. The loss is computed in the dtype of the first one.
    pub required: &'static [&'static str],
    /// The tensors that a case may hold.
    pub optional: &'static [&'static str],
    /// The tensors that may hold integers: class indices, lengths.
    pub integers: &'static [&'static str],
    /// The tensors that have a gradient if they hold floating-point numbers. Training needs the gradient of the first one.
    pub differentiable: &'static [&'static str],
}

impl Signature {
    /// Returns the name of the tensor whose dtype the loss is computed in.
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
