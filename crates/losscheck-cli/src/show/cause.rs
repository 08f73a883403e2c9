//! Why a number of the exact answer is not finite: which loss it comes from, and which element of a tensor that comes from.
//!
//! An element is taken for the cause if the number becomes finite when [`ORDINARY`] takes the place of this element alone. That
//! is computed, so it holds of any formula.

use losscheck::case::Case;
use losscheck::judge::oracle::ExactAnswer;
use losscheck::loss::{Inputs, LossExt, Output, Outputs};
use losscheck::tensor::{DType, Tensor};
use losscheck_reference::{DoubleDouble, Real, Reduction};
use ndarray::ArrayD;
use serde::Serialize;

use super::render::element;

/// The number that takes the place of an element. It is in the domain of every loss: a probability, a weight, a variance.
const ORDINARY: f64 = 0.5;

/// How many elements to try at most.
const TRIES: usize = 256;

/// Why an output has a number that is not finite.
#[derive(Debug, Serialize)]
pub(super) struct Cause {
    /// `value` or `gradient of NAME`.
    pub(super) output: String,
    /// The first such number and what it comes from, in words.
    pub(super) why: String,
}

/// Returns why numbers of an exact answer are not finite: the first one of each output.
pub(super) fn causes(case: &Case, exact: &ExactAnswer) -> Vec<Cause> {
    let outputs = exact.results.outputs().filter(|(output, _)| case.wants(*output));
    let cause = |(output, array): (Output, &ArrayD<DoubleDouble>)| {
        Some(Cause { output: output.to_string(), why: why(case, output, array)? })
    };
    outputs.filter_map(cause).collect()
}

fn why(case: &Case, output: Output, array: &ArrayD<DoubleDouble>) -> Option<String> {
    let dtype = case.dtype();
    let (at, number) = first_not_finite(dtype, array)?;
    let place = place(array.shape(), at);
    let what = if place.is_empty() { output.to_string() } else { format!("element {place} of the {output}") };
    if number.is_finite() {
        let largest = dtype.format().largest;
        return Some(format!(
            "{what} is {}: the exact result is {number:.4e}, and the largest number of {dtype} is {largest:.4e}",
            f64::INFINITY.copysign(number)
        ));
    }
    let what = format!("{what} is {number}");
    let unreduced = case.unreduced();
    if output != Output::Value || unreduced.loss == case.loss {
        return Some(format!("{what}: {}", origin(case, output, at)));
    }
    let losses = evaluate(&unreduced, Output::Value)?;
    let Some((at, number)) = losses.iter().map(|x| x.to_f64()).enumerate().find(|(_, x)| !x.is_finite()) else {
        return Some(format!("{what}: {}", of_reduction(case, losses.len())));
    };
    let place = self::place(losses.shape(), at);
    let of = if place.is_empty() { String::new() } else { format!(" {place}") };
    Some(format!("{what}: the loss{of} is {number}: {}", origin(&unreduced, Output::Value, at)))
}

/// Why a reduction of finite losses is not finite.
fn of_reduction(case: &Case, losses: usize) -> String {
    let sum = case.reduced(Reduction::Sum).and_then(|case| evaluate(&case, Output::Value));
    let is_finite = |sum: &ArrayD<DoubleDouble>| sum.iter().all(|x| x.to_f64().is_finite());
    match (losses, sum) {
        (0, _) => "there is no loss, so that the mean is 0 / 0".to_owned(),
        (_, Some(sum)) if is_finite(&sum) => {
            "every loss is finite, and so is their sum: it is what the mean divides by, such as a sum of weights, that is 0"
                .to_owned()
        }
        _ => "every loss is finite, but their sum is not".to_owned(),
    }
}

/// Which element of a tensor makes a number infinite or NaN.
fn origin(case: &Case, output: Output, at: usize) -> String {
    let not_finite = candidates(case).filter(|candidate| !candidate.number.is_finite());
    let finite = candidates(case).filter(|candidate| candidate.number.is_finite() && candidate.number != ORDINARY);
    for (tried, candidate) in not_finite.chain(finite).enumerate() {
        if tried == TRIES {
            return format!("the cause is not among the first {TRIES} elements of the tensors");
        }
        let Some(results) = evaluate(&candidate.replaced(case), output) else { continue };
        if results.iter().nth(at).is_some_and(|x| x.to_f64().is_finite()) {
            let Candidate { name, tensor, index, .. } = &candidate;
            let place = place(tensor.shape(), *index);
            let element_of = if place.is_empty() { String::new() } else { format!("element {place} of ") };
            return format!(
                "{element_of}`{name}` is {}; with {ORDINARY} in its place the result is finite",
                element(tensor, *index)
            );
        }
    }
    format!("no single element of the tensors is the cause: {ORDINARY} in the place of any one of them changes nothing")
}

/// An element that may be the cause.
struct Candidate<'a> {
    name: &'a str,
    tensor: &'a Tensor,
    index: usize,
    number: f64,
}

/// The elements of all tensors of floating-point numbers, in the order of the signature; those of the cotangent come last.
fn candidates(case: &Case) -> impl Iterator<Item = Candidate<'_>> {
    let signature = case.loss.kind().signature();
    let names = signature.required.iter().chain(signature.optional).copied();
    let tensors = names.filter_map(|name| Some((name, case.input(name)?)));
    let tensors = tensors.chain(case.cotangent.as_ref().map(|tensor| (COTANGENT, tensor)));
    let floats = tensors.filter(|(_, tensor)| tensor.dtype().is_float());
    floats.flat_map(|(name, tensor)| {
        let elements = tensor.to_f64().into_iter().enumerate();
        elements.map(move |(index, number)| Candidate { name, tensor, index, number })
    })
}

const COTANGENT: &str = "cotangent";

impl Candidate<'_> {
    /// Returns the case with [`ORDINARY`] in the place of the element.
    fn replaced(&self, case: &Case) -> Case {
        let elements = self.tensor.to_f64().into_iter().enumerate();
        let elements = elements.map(|(index, x)| if index == self.index { ORDINARY } else { x });
        let Some(tensor) = self.tensor.with_elements(elements) else { return case.clone() };
        match self.name {
            COTANGENT => Case { cotangent: Some(tensor), ..case.clone() },
            name => case.with_input(name, tensor),
        }
    }
}

/// Evaluates one output exactly, or returns `None` if the inputs are invalid.
fn evaluate(case: &Case, output: Output) -> Option<ArrayD<DoubleDouble>> {
    let outputs = if output == Output::Value { Outputs::Value } else { Outputs::Gradients };
    let results = case.loss.evaluate(&Inputs::<DoubleDouble>::from(case), outputs).ok()?;
    results.outputs().find(|(name, _)| *name == output).map(|(_, array)| array.clone())
}

/// Returns the first number that is infinite, NaN or beyond the range of the dtype, with its position.
fn first_not_finite(dtype: DType, array: &ArrayD<DoubleDouble>) -> Option<(usize, f64)> {
    let numbers = array.iter().map(|x| x.to_f64()).enumerate();
    let mut found = numbers.filter(|&(_, x)| !dtype.round(x).is_finite());
    found.next()
}

/// The position of an element, such as `[1, 0]`; nothing for a scalar.
fn place(shape: &[usize], index: usize) -> String {
    let mut rest = index;
    let mut places: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&dim| {
            let place = rest % dim.max(1);
            rest /= dim.max(1);
            place
        })
        .collect();
    places.reverse();
    if places.is_empty() { String::new() } else { format!("{places:?}") }
}
