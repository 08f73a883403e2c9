//! The parts that random options and tensors are made of.

use std::collections::BTreeMap;

use losscheck_options::Reduction;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::tensor::{DType, Data, Tensor, Tensors, power_of_two};

/// Any reduction.
pub fn reduction() -> impl Strategy<Value = Reduction> {
    select(Reduction::ALL.as_slice())
}

/// Rank 0 to 3, up to 5 in each dimension, sometimes empty.
pub fn shape() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1 => Just(0usize), 20 => 1usize..=5], 0..=3)
}

/// A shape that broadcasts with the given one, more often than not the same.
pub fn broadcastable(shape: Vec<usize>) -> impl Strategy<Value = Vec<usize>> {
    let rank = shape.len();
    let thinned = (vec(any::<bool>(), rank), 0..=rank).prop_map({
        let shape = shape.clone();
        move |(ones, from)| {
            let dims = shape.iter().zip(ones).map(|(&dim, one)| if one { 1 } else { dim });
            dims.skip(from).collect()
        }
    });
    prop_oneof![3 => Just(shape), 1 => thinned]
}

/// A shape of the same rank that broadcasts with the given one.
pub fn of_same_rank(shape: Vec<usize>) -> impl Strategy<Value = Vec<usize>> {
    vec(proptest::bool::weighted(0.2), shape.len())
        .prop_map(move |ones| shape.iter().zip(ones).map(|(&dim, one)| if one { 1 } else { dim }).collect())
}

/// Numbers of ordinary size.
pub fn ordinary() -> BoxedStrategy<f64> {
    prop_oneof![4 => -4.0..4.0, 1 => -100.0..100.0, 1 => -0.01..0.01].boxed()
}

/// Numbers of ordinary size, of any exponent of the dtype, and the values at its edges.
pub fn any_float(dtype: DType) -> BoxedStrategy<f64> {
    let format = dtype.format();
    let (lowest, largest) = (format.lowest_exponent(), format.largest);
    let exponents =
        (lowest..=format.max_exponent(), 1.0..2.0, any::<bool>()).prop_map(|(exponent, significand, negative)| {
            let magnitude: f64 = significand * power_of_two(exponent);
            if negative { -magnitude } else { magnitude }
        });
    let subnormal = power_of_two(lowest);
    let edges =
        select(vec![0.0, -0.0, 1.0, -1.0, largest, -largest, subnormal, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    prop_oneof![40 => ordinary(), 2 => exponents, 1 => edges].boxed()
}

/// Probabilities, with 0, 1 and their neighbours, and now and then a number that is none.
pub fn probability() -> BoxedStrategy<f64> {
    let near = (1i32..=60, any::<bool>()).prop_map(|(exponent, one)| {
        let small = 2f64.powi(-exponent);
        if one { 1.0 - small } else { small }
    });
    prop_oneof![60 => 0.0..=1.0, 20 => Just(0.0), 20 => Just(1.0), 20 => near,
        1 => select(vec![-0.5, 1.5, f64::NAN])]
    .boxed()
}

/// Weights: positive, sometimes zero or negative.
pub fn weight() -> BoxedStrategy<f64> {
    prop_oneof![12 => 0.1..4.0, 1 => Just(0.0), 1 => -2.0..0.0].boxed()
}

/// Margins: of ordinary size, 1, sometimes 0 or negative.
pub fn margin() -> BoxedStrategy<f64> {
    prop_oneof![4 => 0.01..4.0, 2 => Just(1.0), 1 => select(vec![0.0, -0.5])].boxed()
}

/// A tensor of that shape with such elements, rounded to the dtype.
pub fn tensor(dtype: DType, shape: Vec<usize>, element: BoxedStrategy<f64>) -> impl Strategy<Value = Tensor> {
    let count: usize = shape.iter().product();
    vec(element, count).prop_map(move |elements| floats(dtype, shape.clone(), elements))
}

/// A tensor or nothing.
pub fn optional(tensor: impl Strategy<Value = Tensor> + 'static) -> impl Strategy<Value = Option<Tensor>> {
    proptest::option::of(tensor)
}

/// A float tensor of that dtype.
pub fn floats(dtype: DType, shape: Vec<usize>, elements: Vec<f64>) -> Tensor {
    Tensor::new(shape, Data::rounded(dtype, elements.into_iter())).expect("as many elements as the shape asks for")
}

/// Tensors by name, those that are `None` left out.
pub fn tensors<const N: usize>(named: [(&str, Option<Tensor>); N]) -> Tensors {
    let given = named.into_iter().filter_map(|(name, tensor)| Some((name.to_owned(), tensor?)));
    given.collect::<BTreeMap<_, _>>()
}
