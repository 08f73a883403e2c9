use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD};

use crate::loss::check_shape;
use crate::{AdaptiveLogSoftmaxWithLoss, Error};

/// The parameters of [`AdaptiveLogSoftmaxWithLoss`], or something for each of them: shapes, views, gradients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveParameters<T> {
    /// PyTorch's `head.weight`, (cutoffs\[0\] + tails, in_features): the shortlist's classes, then the tails.
    pub head_weight: T,
    /// PyTorch's `head.bias`, where there is one: (cutoffs\[0\] + tails).
    pub head_bias: Option<T>,
    /// The tails, in the order of their classes.
    pub tail: Vec<AdaptiveTail<T>>,
}

/// The parameters of one tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveTail<T> {
    /// PyTorch's `tail.i.0.weight`, (floor(in_features / div_value^(i + 1)), in_features).
    pub projection: T,
    /// PyTorch's `tail.i.1.weight`: (classes of the tail, outputs of the projection).
    pub output: T,
}

impl<T> AdaptiveParameters<T> {
    /// Returns the result of a function for each parameter.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> AdaptiveParameters<U> {
        AdaptiveParameters {
            head_weight: f(self.head_weight),
            head_bias: self.head_bias.map(&mut f),
            tail: self
                .tail
                .into_iter()
                .map(|tail| AdaptiveTail { projection: f(tail.projection), output: f(tail.output) })
                .collect(),
        }
    }

    /// Returns references to the parameters.
    pub fn as_ref(&self) -> AdaptiveParameters<&T> {
        let tail = self.tail.iter().map(|AdaptiveTail { projection, output }| AdaptiveTail { projection, output });
        AdaptiveParameters { head_weight: &self.head_weight, head_bias: self.head_bias.as_ref(), tail: tail.collect() }
    }

    /// Returns references through which the parameters can be changed.
    pub fn as_mut(&mut self) -> AdaptiveParameters<&mut T> {
        let tail = self.tail.iter_mut().map(|AdaptiveTail { projection, output }| AdaptiveTail { projection, output });
        AdaptiveParameters {
            head_weight: &mut self.head_weight,
            head_bias: self.head_bias.as_mut(),
            tail: tail.collect(),
        }
    }
}

impl<T> AdaptiveParameters<ArrayD<T>> {
    /// Returns views of the parameters.
    pub fn view(&self) -> AdaptiveParameters<ArrayViewD<'_, T>> {
        self.as_ref().map(|parameter| parameter.view())
    }
}

impl AdaptiveParameters<Vec<usize>> {
    /// Returns the shapes of the parameters.
    ///
    /// # Errors
    ///
    /// Returns an error if an option is out of range.
    pub fn shapes(options: &AdaptiveLogSoftmaxWithLoss) -> Result<Self, Error> {
        let AdaptiveLogSoftmaxWithLoss { in_features, n_classes, ref cutoffs, div_value, head_bias, .. } = *options;
        let increases = cutoffs.iter().zip(cutoffs.iter().skip(1).chain([&n_classes])).all(|(a, b)| a < b);
        let shortlist = cutoffs.first().copied().filter(|&first| first > 0 && increases);
        let shortlist = shortlist.ok_or_else(|| Error::Cutoffs { cutoffs: cutoffs.clone(), n_classes })?;
        // PyTorch lets it be negative where there is nothing to divide.
        if !(div_value > 0.0 || div_value < 0.0 && in_features == 0) {
            return Err(Error::Option { name: "div_value", value: div_value, expected: "a positive number" });
        }
        let outputs = shortlist + cutoffs.len();
        let tail = tails(options).enumerate().map(|(i, classes)| {
            let width = floor_div(in_features as f64, div_value.powf((i + 1) as f64)) as usize;
            AdaptiveTail { projection: vec![width, in_features], output: vec![classes.len(), width] }
        });
        Ok(Self {
            head_weight: vec![outputs, in_features],
            head_bias: head_bias.then(|| vec![outputs]),
            tail: tail.collect(),
        })
    }
}

/// Returns the classes of each tail.
pub(super) fn tails(options: &AdaptiveLogSoftmaxWithLoss) -> impl Iterator<Item = Range<usize>> {
    let ends = options.cutoffs.iter().skip(1).chain([&options.n_classes]);
    options.cutoffs.iter().zip(ends).map(|(&start, &end)| start..end)
}

pub(super) fn check_parameters(
    options: &AdaptiveLogSoftmaxWithLoss,
    shapes: &AdaptiveParameters<&[usize]>,
) -> Result<(), Error> {
    let expected = AdaptiveParameters::shapes(options)?;
    check_shape("head_weight", shapes.head_weight, &expected.head_weight)?;
    match (shapes.head_bias, &expected.head_bias) {
        (None, None) => {}
        (Some(shape), Some(expected)) => check_shape("head_bias", shape, expected)?,
        (Some(shape), None) => {
            let expected = "none, for the option `head_bias` is false".to_owned();
            return Err(Error::Shape { name: "head_bias", shape: shape.to_vec(), expected });
        }
        (None, Some(expected)) => check_shape("head_bias", &[0], expected)?,
    }
    check_shape("tail", &[shapes.tail.len()], &[options.cutoffs.len()])?;
    for (i, (own, expected)) in shapes.tail.iter().zip(&expected.tail).enumerate() {
        for (name, shape, expected) in
            [("projection", own.projection, &expected.projection), ("output", own.output, &expected.output)]
        {
            if shape != expected {
                let expected = format!("{expected:?} in tail {i}");
                return Err(Error::Shape { name, shape: shape.to_vec(), expected });
            }
        }
    }
    Ok(())
}

/// Python's `a // b`, for a number that is not negative by a positive one.
fn floor_div(a: f64, b: f64) -> f64 {
    ((a - a % b) / b).round()
}

impl<T> IntoIterator for AdaptiveParameters<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    /// Iterates in the order of PyTorch's `state_dict`.
    fn into_iter(self) -> Self::IntoIter {
        let tail = self.tail.into_iter().flat_map(|tail| [tail.projection, tail.output]);
        let all: Vec<T> = [self.head_weight].into_iter().chain(self.head_bias).chain(tail).collect();
        all.into_iter()
    }
}
