//! What the losses of vectors have in common.

use losscheck_reference::vectors::{Vectors, Vectorwise};
use losscheck_reference::{Backward, DoubleDouble, Error};
use ndarray::{ArrayViewD, ArrayViewMutD};
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
    let run = |value: ArrayViewMutD<'_, _>, backward: Option<Backward<'_, _, N>>| {
        vectors.evaluate_into(terms, names, value, backward)
    };
    ValueAndGradients::of_magnitudes(vectors.shapes(names)?, names, cotangent, &run)
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
