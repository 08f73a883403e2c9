//! What the losses that act on each element by itself have in common.

use losscheck_reference::pointwise::{Denominator, Elements, Pointwise};
use losscheck_reference::{Backward, DoubleDouble, Error, Loss, Real, Reduction};
use ndarray::{ArrayViewD, ArrayViewMutD};
use proptest::prelude::*;

use super::classes;
use super::{Inputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

pub(super) const INPUT_AND_TARGET: [&str; 2] = ["input", "target"];

/// Runs a loss of input and target.
pub(super) fn evaluate<'a, R: Real>(
    loss: &impl Loss<R, (ArrayViewD<'a, R>, ArrayViewD<'a, R>), 2>,
    inputs: &'a Inputs<R>,
    request: Request<R>,
) -> Result<ValueAndGradients<R>, Error> {
    let pair = (inputs.required("input")?, inputs.required("target")?);
    ValueAndGradients::of(loss, pair, inputs, INPUT_AND_TARGET, request)
}

/// Runs a loss of input, target and an optional weight.
pub(super) fn evaluate_weighted<'a, R: Real>(
    loss: &impl Loss<R, (ArrayViewD<'a, R>, ArrayViewD<'a, R>, Option<ArrayViewD<'a, R>>), 2>,
    inputs: &'a Inputs<R>,
    request: Request<R>,
) -> Result<ValueAndGradients<R>, Error> {
    let tensors = (inputs.required("input")?, inputs.required("target")?, inputs.optional("weight")?);
    ValueAndGradients::of(loss, tensors, inputs, INPUT_AND_TARGET, request)
}

/// Returns an error if all tensors of `l1_loss` or `mse_loss` hold integers. PyTorch refuses them, or its value is an integer,
/// unless the mean divides a sum of losses by the sum of the weights.
pub(super) fn refuse_integers_alone<R: Real>(inputs: &Inputs<R>, reduction: Reduction) -> Result<(), Error> {
    if inputs.float("weight").is_some() && reduction == Reduction::Mean {
        return Ok(());
    }
    inputs.require_floats_in_any(&["input", "target", "weight"])
}

/// Runs the magnitudes of a formula's terms through the driver that runs the formula itself. Broadcasting and reduction
/// then add up magnitudes as they add up losses; weights and cotangents count by their size.
pub(super) fn error_scale<const N: usize, const K: usize>(
    terms: &impl Pointwise<N>,
    elements: Elements<'_, DoubleDouble, N>,
    differentiable: [&'static str; K],
    cotangent: Option<ArrayViewD<'_, DoubleDouble>>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let names = [""; N];
    let denominator = match (&elements.weight, elements.denominator) {
        (Some(weight), Denominator::Weights) => Some(classes::Denominator::of(weight.iter().copied())),
        _ => None,
    };
    let weight = elements.weight.map(|weight| weight.mapv(Real::abs));
    let reduction = elements.reduction;
    let elements = Elements {
        weight: weight.as_ref().map(|weight| weight.view()),
        reduction: if denominator.is_some() { classes::summed(reduction) } else { reduction },
        ..elements
    };
    let run = |value: ArrayViewMutD<'_, _>, backward: Option<Backward<'_, _, K>>| {
        elements.evaluate_into(&InRange(terms), names, value, backward)
    };
    let evaluation = ValueAndGradients::of_magnitudes(elements.shapes(names)?, differentiable, cotangent, &run)?;
    Ok(match denominator {
        Some(denominator) => classes::divided(evaluation, reduction, denominator),
        None => evaluation,
    })
}

/// Terms that are infinite only of infinite operands: 0 times what merely is out of range, of an element that weighs nothing,
/// would be no number.
struct InRange<'a, T>(&'a T);

impl<T> InRange<'_, T> {
    fn clamped<R: Real, const N: usize>(operands: [R; N], magnitude: R) -> R {
        let is_finite = operands.iter().all(|x| x.abs() < R::from_f64(f64::INFINITY));
        if is_finite { magnitude.minimum(R::from_f64(f64::MAX)) } else { magnitude }
    }
}

impl<T: Pointwise<N>, const N: usize> Pointwise<N> for InRange<'_, T> {
    fn value<R: Real>(&self, operands: [R; N]) -> R {
        Self::clamped(operands, self.0.value(operands))
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N] {
        self.0.pullback(cotangent, operands).map(|slope| Self::clamped(operands, slope))
    }
}

/// A formula of magnitudes, evaluated in f64 instead of the arithmetic of the driver because f64 has enough digits for a
/// magnitude.
/// It does not suit formulas with a kink, where the last digits decide on which side of it a number is.
pub(super) struct InF64<T>(pub(super) T);

impl<T: Pointwise<N>, const N: usize> Pointwise<N> for InF64<T> {
    fn value<R: Real>(&self, operands: [R; N]) -> R {
        R::from_f64(f64::vectorize(|| self.0.value(operands.map(R::to_f64))))
    }

    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N] {
        f64::vectorize(|| self.0.pullback(cotangent.to_f64(), operands.map(R::to_f64))).map(R::from_f64)
    }
}

/// The magnitudes of a formula of input and target, both differentiable.
pub(super) fn pair_error_scale(
    terms: &impl Pointwise<2>,
    weight: Option<ArrayViewD<'_, DoubleDouble>>,
    reduction: Reduction,
    denominator: Denominator,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let operands = [inputs.required("input")?, inputs.required("target")?];
    let elements = Elements { operands, weight, reduction, denominator };
    error_scale(terms, elements, INPUT_AND_TARGET, inputs.cotangent())
}

/// Where a number stands that is the sum of terms which round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Above 0, at 0, or NaN. At 0 exactly, what follows is a convention.
    Above,
    /// So near to 0 that roundings may move it to the other side.
    Uncertain,
    /// Below 0.
    Below,
}

impl Side {
    pub(super) fn of<R: Real>(epsilon: f64, number: R, terms: R) -> Self {
        let rounding = R::from_f64(2.0 * epsilon) * terms;
        let is_finite = number.abs() < R::from_f64(f64::INFINITY);
        if is_finite && number != R::ZERO && number.abs() <= rounding {
            Self::Uncertain
        } else if number < R::ZERO {
            Self::Below
        } else {
            Self::Above
        }
    }

    /// Returns by what the magnitude of a slope is multiplied that a hinge cuts off below 0.
    pub(super) fn hinge_slope<R: Real>(self, part: Part) -> R {
        match (part, self) {
            (Part::Scale, Self::Below) => R::ZERO,
            (Part::Scale, _) | (Part::Jump, Self::Uncertain) => R::ONE,
            (Part::Jump, _) => R::ZERO,
        }
    }

    /// Returns the magnitude of a hinge that is the sum of `terms`. Its value does not jump.
    pub(super) fn hinge<R: Real>(self, part: Part, terms: R) -> R {
        if part == Part::Jump || self == Self::Below { R::ZERO } else { terms }
    }
}

/// What is worked out for each number of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The sum of the magnitudes of its terms: see [`LossSpec::error_scale`](super::LossSpec::error_scale).
    Scale,
    /// By how much it may jump: see [`LossSpec::jumps`](super::LossSpec::jumps).
    Jump,
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

/// Input and target of shapes that broadcast.
pub(super) fn pairs(dtype: DType, input: BoxedStrategy<f64>, target: BoxedStrategy<f64>) -> BoxedStrategy<Tensors> {
    generate::shape()
        .prop_flat_map(|shape| (generate::broadcastable(shape.clone()), generate::broadcastable(shape)))
        .prop_flat_map(move |shapes| {
            (generate::tensor(dtype, shapes.0, input.clone()), generate::tensor(dtype, shapes.1, target.clone()))
        })
        .prop_map(|(input, target)| generate::tensors([("input", Some(input)), ("target", Some(target))]))
        .boxed()
}

/// Input and target of any numbers, of shapes that broadcast.
pub(super) fn regression_inputs(dtype: DType) -> BoxedStrategy<Tensors> {
    pairs(dtype, generate::any_float(dtype), generate::any_float(dtype))
}

/// The same and, one time in two, a weight of the input's shape.
pub(super) fn weighted_regression_inputs(dtype: DType) -> BoxedStrategy<Tensors> {
    (regression_inputs(dtype), any::<bool>())
        .prop_flat_map(move |(tensors, weighted)| {
            let shape = tensors["input"].shape().to_vec();
            generate::tensor(dtype, shape, generate::weight()).prop_map(move |weight| {
                let weight = weighted.then(|| ("weight".to_owned(), weight));
                tensors.clone().into_iter().chain(weight).collect()
            })
        })
        .boxed()
}

/// Labels: 1 or -1, now and then something else.
pub(super) fn sign() -> BoxedStrategy<f64> {
    prop_oneof![20 => Just(1.0), 20 => Just(-1.0), 1 => proptest::sample::select(vec![0.0, 0.5, 2.0, f64::NAN])].boxed()
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
