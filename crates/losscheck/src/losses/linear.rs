//! What the losses of linear layers have in common: how far the roundings of their scores reach.

use losscheck_reference::{Real, Wide};
use ndarray::ArrayViewD;

use super::cross_entropy::Terms;
use crate::definition::Arrays;

/// A number, and the sum of the magnitudes of the terms that it is the sum of.
pub(super) type Rounded = (Wide, Wide);

/// A linear layer, and the magnitudes of the gradients of its parameters as they add up.
pub(super) struct Layer {
    weight: Vec<Wide>,
    bias: Option<Vec<Wide>>,
    features: usize,
    smallest_normal: Wide,
    largest: Wide,
    pub(super) by_weight: Vec<Wide>,
    pub(super) by_bias: Vec<Wide>,
}

impl Layer {
    /// The weight has shape (..., K), the bias that without K.
    pub(super) fn new(
        weight: &ArrayViewD<'_, Wide>,
        bias: Option<ArrayViewD<'_, Wide>>,
        inputs: &Arrays<Wide>,
    ) -> Self {
        let (outputs, features) = weight.shape().split_at(weight.ndim() - 1);
        Self {
            weight: weight.iter().copied().collect(),
            bias: bias.map(|bias| bias.iter().copied().collect()),
            features: features[0],
            smallest_normal: Wide::from_f64(inputs.smallest_normal()),
            largest: Wide::from_f64(inputs.largest()),
            by_weight: vec![Wide::ZERO; weight.len()],
            by_bias: vec![Wide::ZERO; outputs.iter().product()],
        }
    }

    /// Slopes are pulled back as those of a sum, and are divided by this number later, where they may underflow.
    pub(super) fn slopes_are_divided_by(&mut self, divisor: Wide) {
        self.smallest_normal = self.smallest_normal * divisor;
    }

    /// The number of scores.
    pub(super) fn outputs(&self) -> usize {
        self.by_bias.len()
    }

    /// The score of one output, given what goes into the layer. Of a sum of terms that are out of range nothing is known:
    /// in one order it may overflow to either infinity, and in another not at all.
    pub(super) fn score(&self, output: usize, input: &[Rounded]) -> Rounded {
        let bias = self.bias.as_ref().map_or(Wide::ZERO, |bias| bias[output]);
        let weight = &self.weight[output * self.features..][..self.features];
        let add = |(sum, terms): Rounded, (&w, &(x, magnitude)): (&Wide, &Rounded)| {
            (sum + x * w, terms + magnitude * w.abs())
        };
        let (sum, terms) = weight.iter().zip(input).fold((bias, bias.abs()), add);
        let is_known = terms <= self.largest || !is_finite(sum);
        (sum, if is_known { terms } else { infinity() })
    }

    /// Adds what one output contributes to the gradients of the parameters and of what goes into the layer.
    pub(super) fn pull_back(&mut self, output: usize, slope: Wide, input: &[Rounded], by_input: &mut [Wide]) {
        let least = self.smallest_normal;
        // A slope that underflows has lost digits: the next layer's weights magnify the loss, and samples add it up.
        let error = if slope == Wide::ZERO { slope } else { slope.maximum(least) };
        let add = |sum: &mut Wide, factor: Wide| {
            // A slope may be out of range, but no number is.
            let term = if factor == Wide::ZERO { Wide::ZERO } else { error * factor };
            *sum = *sum + term.maximum(least);
        };
        let row = output * self.features..(output + 1) * self.features;
        for (by_input, &w) in by_input.iter_mut().zip(&self.weight[row.clone()]) {
            add(by_input, w.abs());
        }
        for (by_weight, &(_, x)) in self.by_weight[row].iter_mut().zip(input) {
            add(by_weight, x);
        }
        self.by_bias[output] = self.by_bias[output] + error;
    }
}

fn infinity() -> Wide {
    Wide::from_f64(f64::INFINITY)
}

fn is_finite(x: Wide) -> bool {
    x.abs() < infinity()
}

/// What goes into a first layer: its own magnitudes.
pub(super) fn exact(row: impl IntoIterator<Item = Wide>) -> Vec<Rounded> {
    row.into_iter().map(|x| (x, x.abs())).collect()
}

/// The terms of -ln p, and p, of scores that are rounded: each makes its own -ln p off by as much, and all by the mean of
/// the scores' errors, weighted by p.
pub(super) fn surprise(scores: &[Rounded], inputs: &Arrays<Wide>) -> Vec<(Wide, Wide)> {
    let rounding = Wide::from_f64(8.0 * inputs.epsilon());
    let mut surprise = Terms::surprise(&scores.iter().map(|&(score, _)| score).collect::<Vec<_>>());
    if scores.iter().any(|&(score, terms)| is_finite(score) && terms == infinity()) {
        surprise.iter_mut().for_each(|(all, _)| *all = infinity());
        return surprise;
    }
    // Where scores are so large that their roundings turn the softmax, its probabilities may be as much larger: a score's own
    // rounding raises its exponential, and those of all lower the sum of the exponentials by no more than what they are on
    // average, weighted by p (Jensen's inequality).
    let max = scores.iter().map(|&(score, _)| score).reduce(Real::maximum).unwrap_or(Wide::ZERO);
    let of_all = weighted(&surprise, scores);
    for ((_, p), &(score, terms)) in surprise.iter_mut().zip(scores) {
        // What raises a score raises its share of the sum, too. Two products, for the terms may add up beyond any range.
        let (own, of_others) = (terms - *p * terms, of_all - *p * terms);
        let error = rounding * own + rounding * of_others;
        if *p > Wide::ZERO {
            *p = (*p * error.exp()).minimum(Wide::ONE);
        } else if is_finite(score) && is_finite(max) {
            *p = ((score - max) + error).exp().minimum(Wide::ONE);
        }
    }
    let of_all = weighted(&surprise, scores);
    for ((all, _), (_, terms)) in surprise.iter_mut().zip(scores) {
        *all = *all + *terms + of_all;
    }
    surprise
}

/// The sum of the magnitudes of the scores' terms, each times p.
fn weighted(surprise: &[(Wide, Wide)], scores: &[Rounded]) -> Wide {
    surprise.iter().zip(scores).fold(
        Wide::ZERO,
        |sum, (&(_, p), &(_, terms))| {
            if p == Wide::ZERO { sum } else { sum + p * terms }
        },
    )
}

/// The magnitudes of the gradient of rounded scores.
pub(super) fn slopes(
    terms: &Terms,
    cotangent: Wide,
    scores: &[Rounded],
    surprise: &[(Wide, Wide)],
    coefficients: &[Wide],
) -> Vec<Wide> {
    let mut slopes = vec![Wide::ZERO; scores.len()];
    terms.pullback(cotangent, surprise, coefficients, &mut slopes);
    for ((slope, &own), &(score, _)) in slopes.iter_mut().zip(coefficients).zip(scores) {
        // What is infinite has no error.
        if score.abs() == infinity() {
            *slope = cotangent * own;
        }
    }
    slopes
}
