//! The truth: the reference's formulas in wide arithmetic.

use losscheck_reference::{Error, Wide};

use crate::case::Case;
use crate::definition::{Arrays, Evaluation, Wanted};

/// What a case's results are in exact arithmetic.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The value and the gradients, to about 100 bits.
    pub exact: Evaluation<Wide>,
    /// For each number of these, the sum of the magnitudes of the terms that the documented formula adds up to it.
    pub magnitudes: Evaluation<Wide>,
}

/// The truth about a case.
///
/// # Errors
///
/// Where the loss has no value for the case's inputs and options.
pub fn truth(case: &Case) -> Result<Truth, Error> {
    let inputs = Arrays::new(case);
    Ok(Truth { exact: case.loss.evaluate(&inputs, Wanted::Gradients)?, magnitudes: case.loss.magnitudes(&inputs)? })
}
