//! What the losses of linear layers have in common: how far the roundings of their scores reach.
//!
//! Scores are exact. How large terms are is worked out in f64, which has digits enough for that.

use losscheck_reference::{DoubleDouble, Real};
use ndarray::ArrayViewD;

use super::Inputs;
use super::cross_entropy::CrossEntropyScale;

/// A number, and the sum of the magnitudes of the terms that it is the sum of.
pub(super) type Rounded = (DoubleDouble, f64);

/// A linear layer, and the magnitudes of the gradients of its parameters as they add up.
pub(super) struct Layer {
    weight: Vec<DoubleDouble>,
    bias: Option<Vec<DoubleDouble>>,
    features: usize,
    smallest_normal: f64,
    largest: f64,
    pub(super) by_weight: Vec<f64>,
    pub(super) by_bias: Vec<f64>,
}

impl Layer {
    /// The weight has shape (..., K), the bias that without K.
    pub(super) fn new(
        weight: &ArrayViewD<'_, DoubleDouble>,
        bias: Option<ArrayViewD<'_, DoubleDouble>>,
        inputs: &Inputs<DoubleDouble>,
    ) -> Self {
        let (outputs, features) = weight.shape().split_at(weight.ndim() - 1);
        Self {
            weight: weight.iter().copied().collect(),
            bias: bias.map(|bias| bias.iter().copied().collect()),
            features: features[0],
            smallest_normal: inputs.smallest_normal(),
            largest: inputs.largest(),
            by_weight: vec![0.0; weight.len()],
            by_bias: vec![0.0; outputs.iter().product()],
        }
    }

    /// Slopes are pulled back as those of a sum, and are divided by this number later, where they may underflow.
    pub(super) fn slopes_are_divided_by(&mut self, divisor: f64) {
        self.smallest_normal *= divisor;
    }

    /// The number of scores.
    pub(super) fn outputs(&self) -> usize {
        self.by_bias.len()
    }

    /// The score of one output, given what goes into the layer. Of a sum of terms that are out of range nothing is known:
    /// in one order it may overflow to either infinity, and in another not at all.
    pub(super) fn score(&self, output: usize, input: &[Rounded]) -> Rounded {
        let bias = self.bias.as_ref().map_or(DoubleDouble::ZERO, |bias| bias[output]);
        let weight = &self.weight[output * self.features..][..self.features];
        let products = || weight.iter().zip(input);
        let sum = products().fold(bias, |sum, (&w, &(x, _))| sum + x * w);
        let terms = products().fold(bias.to_f64().abs(), |terms, (w, (_, x))| terms + w.to_f64().abs() * x);
        // Next to the largest number, even the last digits count.
        let exact = || products().fold(bias.abs(), |terms, (w, &(_, x))| terms + w.abs() * DoubleDouble::from_f64(x));
        let is_known = terms < self.largest / 2.0 || !is_finite(sum) || exact() <= DoubleDouble::from_f64(self.largest);
        (sum, if is_known { terms } else { f64::INFINITY })
    }

    /// Adds what one output contributes to the gradients of the parameters and of what goes into the layer.
    pub(super) fn pull_back(&mut self, output: usize, slope: f64, input: &[Rounded], by_input: &mut [f64]) {
        let least = self.smallest_normal;
        // A slope that underflows has lost digits: the next layer's weights magnify the loss, and samples add it up.
        let error = if slope == 0.0 { slope } else { Real::maximum(slope, least) };
        let add = |sum: &mut f64, factor: f64| {
            // A slope may be out of range, but no number is.
            let term = if factor == 0.0 { 0.0 } else { error * factor };
            *sum += Real::maximum(term, least);
        };
        let row = output * self.features..(output + 1) * self.features;
        for (by_input, &w) in by_input.iter_mut().zip(&self.weight[row.clone()]) {
            add(by_input, w.to_f64().abs());
        }
        for (by_weight, &(_, x)) in self.by_weight[row].iter_mut().zip(input) {
            add(by_weight, x);
        }
        self.by_bias[output] += error;
    }
}

fn is_finite(x: DoubleDouble) -> bool {
    x.to_f64().is_finite()
}

/// What goes into a first layer: its own magnitudes.
pub(super) fn exact(row: impl IntoIterator<Item = DoubleDouble>) -> Vec<Rounded> {
    row.into_iter().map(|x| (x, x.to_f64().abs())).collect()
}

/// The terms of -ln p, and p, of scores that are rounded: each makes its own -ln p off by as much, and all by the mean of
/// the scores' errors, weighted by p.
pub(super) fn surprise(scores: &[Rounded], inputs: &Inputs<DoubleDouble>) -> Vec<(f64, f64)> {
    let rounding = 8.0 * inputs.epsilon();
    let mut surprise = CrossEntropyScale::surprise(&scores.iter().map(|&(score, _)| score).collect::<Vec<_>>());
    if scores.iter().any(|&(score, terms)| is_finite(score) && terms == f64::INFINITY) {
        surprise.iter_mut().for_each(|(all, _)| *all = f64::INFINITY);
        return surprise;
    }
    // Where scores are so large that their roundings turn the softmax, its probabilities may be as much larger: a score's own
    // rounding raises its exponential, and those of all lower the sum of the exponentials by no more than what they are on
    // average, weighted by p (Jensen's inequality).
    let max = scores.iter().map(|&(score, _)| score).reduce(Real::maximum).unwrap_or(DoubleDouble::ZERO);
    let of_all = weighted(&surprise, scores);
    for ((_, p), &(score, terms)) in surprise.iter_mut().zip(scores) {
        // What raises a score raises its share of the sum, too. Two products, for the terms may add up beyond any range.
        let (own, of_others) = (terms - *p * terms, of_all - *p * terms);
        let error = rounding * own + rounding * of_others;
        if *p > 0.0 {
            *p = Real::minimum(*p * Real::exp(error), 1.0);
        } else if is_finite(score) && is_finite(max) {
            *p = Real::minimum(Real::exp((score - max).to_f64() + error), 1.0);
        }
    }
    let of_all = weighted(&surprise, scores);
    for ((all, _), (_, terms)) in surprise.iter_mut().zip(scores) {
        *all += *terms + of_all;
    }
    surprise
}

/// The sum of the magnitudes of the scores' terms, each times p.
fn weighted(surprise: &[(f64, f64)], scores: &[Rounded]) -> f64 {
    surprise.iter().zip(scores).map(|(&(_, p), &(_, terms))| if p == 0.0 { 0.0 } else { p * terms }).sum()
}

/// The magnitudes of the gradient of rounded scores.
pub(super) fn slopes(
    terms: &CrossEntropyScale,
    cotangent: f64,
    scores: &[Rounded],
    surprise: &[(f64, f64)],
    coefficients: &[f64],
) -> Vec<f64> {
    let mut slopes: Vec<f64> = terms.slopes(cotangent, surprise, coefficients).collect();
    for ((slope, &own), &(score, _)) in slopes.iter_mut().zip(coefficients).zip(scores) {
        // What is infinite has no error.
        if score.to_f64().is_infinite() {
            *slope = cotangent * own;
        }
    }
    slopes
}
