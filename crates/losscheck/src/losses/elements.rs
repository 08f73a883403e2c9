//! What the losses that act on each element by itself have in common.

use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{Backward, Error, Loss, Real, Reduction, Wide};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use proptest::prelude::*;

use crate::case::Tensors;
use crate::definition::{Arrays, Evaluation, Signature, Wanted};
use crate::generate;
use crate::tensor::DType;

pub(super) const INPUT_AND_TARGET: [&str; 2] = ["input", "target"];

/// The signature of a loss of input and target alone.
pub(super) const SIGNATURE: Signature =
    Signature { required: &INPUT_AND_TARGET, optional: &[], integers: &[], differentiable: &INPUT_AND_TARGET };

/// Runs a loss of input and target.
pub(super) fn evaluate<'a, R: Real>(
    loss: &impl Loss<R, (ArrayViewD<'a, R>, ArrayViewD<'a, R>), 2>,
    inputs: &'a Arrays<R>,
    wanted: Wanted,
) -> Result<Evaluation<R>, Error> {
    let pair = (inputs.required("input")?, inputs.required("target")?);
    Evaluation::of(loss, pair, inputs.cotangent(), INPUT_AND_TARGET, wanted)
}

/// Runs the magnitudes of a formula's terms through the driver that runs the formula itself. Broadcasting and reduction
/// then add up magnitudes as they add up losses; weights and cotangents count by their size.
pub(super) fn magnitudes<const N: usize>(
    terms: &impl Pointwise<N>,
    operands: [ArrayD<Wide>; N],
    weight: Option<ArrayViewD<'_, Wide>>,
    reduction: Reduction,
    cotangent: Option<ArrayViewD<'_, Wide>>,
) -> Result<Evaluation<Wide>, Error> {
    let names = [""; N];
    let weight = weight.map(|weight| weight.mapv(Real::abs));
    let cotangent = cotangent.map(|cotangent| cotangent.mapv(Real::abs));
    let elements = Elements {
        operands: operands.each_ref().map(|operand| operand.view()),
        weight: weight.as_ref().map(|weight| weight.view()),
        reduction,
    };
    let shapes = elements.shapes::<2>(names)?;
    let mut value = ArrayD::from_elem(IxDyn(&shapes.value), Wide::ZERO);
    let mut gradients = shapes.gradients.map(|shape| ArrayD::from_elem(IxDyn(&shape), Wide::ZERO));
    let backward = Backward {
        cotangent: cotangent.as_ref().map(|cotangent| cotangent.view()),
        gradients: gradients.each_mut().map(|gradient| Some(gradient.view_mut())),
    };
    elements.evaluate_into(terms, names, value.view_mut(), Some(backward))?;
    let gradients = INPUT_AND_TARGET.into_iter().zip(gradients).collect();
    Ok(Evaluation { value, gradients })
}

/// The magnitudes of a formula of input and target.
pub(super) fn pair_magnitudes(
    terms: &impl Pointwise<2>,
    reduction: Reduction,
    inputs: &Arrays<Wide>,
) -> Result<Evaluation<Wide>, Error> {
    let operands = [inputs.required("input")?.to_owned(), inputs.required("target")?.to_owned()];
    magnitudes(terms, operands, None, reduction, inputs.cotangent())
}

/// The terms of a formula that is a single term: its own magnitude.
pub(super) struct Single<F>(pub(super) F);

impl<F: Pointwise<2>> Pointwise<2> for Single<F> {
    fn value<R: Real>(&self, operands: [R; 2]) -> R {
        self.0.value(operands).abs()
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; 2]) -> [R; 2] {
        self.0.pullback(cotangent, operands).map(Real::abs)
    }
}

/// Input and target of shapes that broadcast; the target often close to the input.
pub(super) fn regression_inputs(dtype: DType) -> BoxedStrategy<Tensors> {
    generate::shape()
        .prop_flat_map(|shape| (generate::broadcastable(shape.clone()), generate::broadcastable(shape)))
        .prop_flat_map(move |(input, target)| {
            (
                generate::tensor(dtype, input, generate::any_float(dtype)),
                generate::tensor(dtype, target, generate::any_float(dtype)),
            )
        })
        .prop_map(|(input, target)| generate::tensors([("input", Some(input)), ("target", Some(target))]))
        .boxed()
}

/// Input and target of one shape, and a weight that broadcasts to it.
pub(super) fn weighted_inputs(
    dtype: DType,
    weights: &'static [&'static str],
    input: BoxedStrategy<f64>,
) -> BoxedStrategy<Tensors> {
    generate::shape()
        .prop_flat_map(move |shape| {
            let weights: Vec<_> = weights
                .iter()
                .map(|_| {
                    generate::optional(
                        generate::broadcastable(shape.clone())
                            .prop_flat_map(move |shape| generate::tensor(dtype, shape, generate::weight())),
                    )
                })
                .collect();
            (
                generate::tensor(dtype, shape.clone(), input.clone()),
                generate::tensor(dtype, shape, generate::probability()),
                weights,
            )
        })
        .prop_map(move |(input, target, given)| {
            let mut tensors = generate::tensors([("input", Some(input)), ("target", Some(target))]);
            tensors.extend(weights.iter().zip(given).filter_map(|(name, tensor)| Some(((*name).to_owned(), tensor?))));
            tensors
        })
        .boxed()
}
