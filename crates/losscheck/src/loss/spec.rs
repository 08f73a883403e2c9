//! What the suite has to know about a loss: one trait, which the options of each loss implement.

use losscheck_options::LossOptions;
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::ArrayD;
use proptest::strategy::BoxedStrategy;

use super::inputs::{Inputs, Request, ValueAndGradients};
use crate::tensor::{DType, Tensors};

/// A loss as the suite sees it. The options of the loss implement it.
pub trait LossSpec: LossOptions {
    /// The dtypes in which PyTorch computes the loss on the CPU.
    const DTYPES: &'static [DType] = &DType::FLOATS;

    /// Whether the loss has a hinge whose slope, where it is exactly 0, depends on the version of PyTorch. Then it implements
    /// [`LossSpec::evaluate_passing_at_kink`].
    const HAS_KINK: bool = false;

    /// Evaluates the reference in any arithmetic.
    ///
    /// # Errors
    ///
    /// Returns an error if the inputs are invalid.
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error>;

    /// Evaluates the loss in wide arithmetic with slope 1 where a hinge is exactly 0, as in PyTorch up to version 2.13; there
    /// [`LossSpec::evaluate`] has slope 0. It returns `None` for a loss without such a hinge. The hinges of `multi_margin_loss`
    /// and `multilabel_margin_loss` have slope 0 in all versions.
    fn evaluate_passing_at_kink(
        &self,
        _inputs: &Inputs<DoubleDouble>,
    ) -> Option<Result<ValueAndGradients<DoubleDouble>, Error>> {
        None
    }

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

    /// Returns the answer of a loss that answers with indices, each that of the largest of several numbers; `None` for all
    /// other losses. Of such a loss [`LossSpec::evaluate`] gives the same indices as a value without gradients.
    fn indices<R: Real>(&self, _inputs: &Inputs<R>) -> Option<Result<ArrayD<i64>, Error>> {
        None
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
