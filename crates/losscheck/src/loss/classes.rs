//! What the losses over classes have in common.

use losscheck_reference::{DoubleDouble, Error, Real, Reduction};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Inputs, ValueAndGradients, generate};
use crate::tensor::{DType, Data, Tensor, Tensors};

/// The target as class indices.
pub(super) fn indices<R: Real>(inputs: &Inputs<R>) -> Result<ArrayViewD<'_, i64>, Error> {
    inputs.required_indices("target")
}

/// What a mean divides by: the sum of the weights of the rows' classes, with what its own rounding multiplies errors by.
pub(super) struct Denominator {
    pub(super) sum: DoubleDouble,
    condition: DoubleDouble,
}

impl Denominator {
    /// The sum of weights.
    pub(super) fn of(weights: impl Iterator<Item = DoubleDouble> + Clone) -> Self {
        let sum = weights.clone().fold(DoubleDouble::ZERO, |sum, w| sum + w).abs();
        let magnitude = weights.fold(DoubleDouble::ZERO, |sum, w| sum + w.abs());
        let condition = if magnitude > sum { magnitude / sum } else { DoubleDouble::ONE };
        Self { sum, condition }
    }

    /// One for each row.
    pub(super) fn ones(rows: usize) -> Self {
        Self { sum: DoubleDouble::from_f64(rows as f64), condition: DoubleDouble::ONE }
    }

    /// The number of rows, for probabilities.
    pub(super) fn rows(inputs: &Inputs<DoubleDouble>) -> Self {
        let shape = inputs.float("input").map_or_else(Vec::new, |input| input.shape().to_vec());
        let class_axis = usize::from(shape.len() > 1);
        let dims = shape.iter().enumerate().filter(|&(axis, _)| axis != class_axis);
        let rows: usize = dims.map(|(_, &dim)| dim).product();
        let classes = shape.get(class_axis).copied().unwrap_or(0);
        Self::ones(if classes == 0 { 0 } else { rows })
    }
}

/// The denominator for class indices; one for each row that is not ignored where there are no weights.
pub(super) fn denominator(inputs: &Inputs<DoubleDouble>, ignore_index: i64) -> Denominator {
    let weight = inputs.float("weight");
    let weight_of = |&index: &i64| match &weight {
        Some(weight) => usize::try_from(index).ok().and_then(|class| weight.iter().nth(class).copied()),
        None => Some(DoubleDouble::ONE),
    };
    let indices = inputs.indices("target");
    let rows = indices.iter().flatten().filter(|&&index| index != ignore_index);
    Denominator::of(rows.filter_map(weight_of))
}

/// A mean is worked out from its sum, for the magnitudes of the weights would not give its denominator.
pub(super) fn summed(reduction: Reduction) -> Reduction {
    if reduction == Reduction::Mean { Reduction::Sum } else { reduction }
}

/// The magnitudes of a mean from those of the sum.
pub(super) fn divided(
    mut evaluation: ValueAndGradients<DoubleDouble>,
    reduction: Reduction,
    denominator: Denominator,
) -> ValueAndGradients<DoubleDouble> {
    let factor = if reduction == Reduction::Mean { denominator.condition / denominator.sum } else { DoubleDouble::ONE };
    for array in evaluation.arrays_mut() {
        array.mapv_inplace(|x| x.abs() * factor);
    }
    evaluation
}

/// Puts the magnitudes of rows together: for each row the magnitude of its loss, and those of its gradient.
pub(super) fn of_rows(
    rows: Vec<(DoubleDouble, Vec<DoubleDouble>)>,
    value_shape: &[usize],
    input_shape: &[usize],
    reduction: Reduction,
    cotangent: Option<ArrayViewD<'_, DoubleDouble>>,
) -> ValueAndGradients<DoubleDouble> {
    let divisor = DoubleDouble::from_f64(if reduction == Reduction::Mean { rows.len() as f64 } else { 1.0 });
    let cotangents: Vec<DoubleDouble> = cotangent.iter().flatten().map(|cotangent| cotangent.abs()).collect();
    let is_reduced = reduction != Reduction::None;
    let cotangent = |row: usize| *cotangents.get(if is_reduced { 0 } else { row }).unwrap_or(&DoubleDouble::ONE);
    let gradient = rows.iter().enumerate().flat_map(|(row, (_, slopes))| {
        let factor = cotangent(row) / divisor;
        slopes.iter().map(move |&slope| factor * slope)
    });
    let gradient = array(input_shape, gradient.collect());
    let value = if is_reduced {
        array(&[], vec![rows.iter().fold(DoubleDouble::ZERO, |sum, (loss, _)| sum + *loss) / divisor])
    } else {
        array(value_shape, rows.iter().map(|(loss, _)| *loss).collect())
    };
    ValueAndGradients { value, gradients: vec![("input", gradient)] }
}

fn array(shape: &[usize], elements: Vec<DoubleDouble>) -> ArrayD<DoubleDouble> {
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape asks for")
}

/// A shape (C) or (N, C) of scores, and its number of classes.
pub(super) fn matrices() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let classes = prop_oneof![6 => 1usize..=6, 1 => 20usize..=40];
    (classes, proptest::option::weighted(0.8, prop_oneof![1 => Just(0usize), 10 => 1usize..=4]))
        .prop_map(|(classes, rows)| (rows.into_iter().chain([classes]).collect(), classes))
}

/// Scores of shape (C), (N, C) or (N, C, d), class indices for them, maybe weights; with an `ignore_index`.
pub(super) fn inputs(dtype: DType, score: BoxedStrategy<f64>) -> BoxedStrategy<(Tensors, i64)> {
    shapes()
        .prop_flat_map(move |(shape, classes)| {
            let mut rows = shape.clone();
            rows.remove(usize::from(shape.len() > 1));
            let ignore_index = prop_oneof![2 => Just(-100), 1 => 0..classes as i64];
            (Just((shape, rows, classes)), ignore_index)
        })
        .prop_flat_map(move |((shape, rows, classes), ignore_index)| {
            let count: usize = rows.iter().product();
            let wrong = select(vec![-1, classes as i64, 255, i64::from(u32::MAX), i64::MAX]);
            let index = prop_oneof![60 => 0..classes as i64, 10 => Just(ignore_index), 1 => wrong];
            let target = vec(index, count).prop_map(move |indices| {
                Tensor::new(rows.clone(), Data::I64(indices)).expect("as many indices as rows")
            });
            let weight = generate::optional(generate::tensor(dtype, vec![classes], generate::weight()));
            (generate::tensor(dtype, shape, score.clone()), target, weight, Just(ignore_index))
        })
        .prop_map(|(input, target, weight, ignore_index)| {
            let tensors = [("input", Some(input)), ("target", Some(target)), ("weight", weight)];
            (generate::tensors(tensors), ignore_index)
        })
        .boxed()
}

/// A shape of scores, and its number of classes.
pub(super) fn shapes() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let rows = prop_oneof![1 => Just(0usize), 10 => 1usize..=4];
    let classes = prop_oneof![6 => 1usize..=6, 1 => 30usize..=70];
    (classes, vec(rows, 0..=3)).prop_map(|(classes, mut dims)| {
        dims.insert(usize::from(!dims.is_empty()), classes);
        (dims, classes)
    })
}
