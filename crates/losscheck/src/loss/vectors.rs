//! What the losses of vectors have in common.

use losscheck_reference::vectors::{Vectors, Vectorwise};
use losscheck_reference::{Backward, DoubleDouble, Error, Real};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use proptest::prelude::*;

use super::{ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// Runs the magnitudes of a formula's terms through the driver that runs the formula itself.
pub(super) fn error_scale<const N: usize>(
    terms: &impl Vectorwise<DoubleDouble, N>,
    vectors: &Vectors<'_, DoubleDouble, N>,
    names: [&'static str; N],
    cotangent: Option<ArrayViewD<'_, DoubleDouble>>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let shapes = vectors.shapes(names)?;
    let cotangent = cotangent.map(|cotangent| cotangent.mapv(Real::abs));
    let mut value = ArrayD::from_elem(IxDyn(&shapes.value), DoubleDouble::ZERO);
    let mut gradients = shapes.gradients.map(|shape| ArrayD::from_elem(IxDyn(&shape), DoubleDouble::ZERO));
    let backward = Backward {
        cotangent: cotangent.as_ref().map(|cotangent| cotangent.view()),
        gradients: gradients.each_mut().map(|gradient| Some(gradient.view_mut())),
    };
    vectors.evaluate_into(terms, names, value.view_mut(), Some(backward))?;
    Ok(ValueAndGradients { value, gradients: names.into_iter().zip(gradients).collect() })
}

/// Tensors of vectors of one length; the other dimensions broadcast.
pub(super) fn inputs<const N: usize>(
    dtype: DType,
    names: [&'static str; N],
    rows: impl Strategy<Value = Vec<usize>> + 'static,
) -> BoxedStrategy<Tensors> {
    let length = prop_oneof![1 => Just(0usize), 12 => 1usize..=6, 1 => 20usize..=40];
    (rows, length)
        .prop_flat_map(move |(rows, length)| {
            let tensors: Vec<_> = names
                .iter()
                .map(|_| {
                    let shape = generate::of_same_rank(rows.clone()).prop_map(move |mut shape| {
                        shape.push(length);
                        shape
                    });
                    shape.prop_flat_map(move |shape| generate::tensor(dtype, shape, generate::any_float(dtype)))
                })
                .collect();
            tensors
        })
        .prop_map(move |tensors| names.iter().map(|name| (*name).to_owned()).zip(tensors).collect())
        .boxed()
}
