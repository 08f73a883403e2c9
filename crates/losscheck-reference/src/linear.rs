//! A linear layer and its gradients, a part of the batch at a time.

use std::ops::Range;

use ndarray::{ArrayViewD, ArrayViewMut1, ArrayViewMutD, Axis, CowArray, IxDyn};

use crate::{Real, Sum, fold};

/// A linear layer, score q = sum_k weight_qk input_k + bias_q, and its inputs.
pub(crate) struct Layer<'a, R> {
    input: CowArray<'a, R, IxDyn>,
    weight: CowArray<'a, R, IxDyn>,
    bias: Option<CowArray<'a, R, IxDyn>>,
    features: usize,
    outputs: usize,
}

impl<'a, R: Real> Layer<'a, R> {
    /// The input has shape (N, K), the weight (..., K), the bias the weight's without K.
    pub(crate) fn new(
        input: &'a ArrayViewD<'_, R>,
        weight: &'a ArrayViewD<'_, R>,
        bias: Option<&'a ArrayViewD<'_, R>>,
    ) -> Self {
        let (outputs, features) = weight.shape().split_at(weight.ndim() - 1);
        Self {
            outputs: outputs.iter().product(),
            features: features[0],
            input: input.as_standard_layout(),
            weight: weight.as_standard_layout(),
            bias: bias.map(|bias| bias.as_standard_layout()),
        }
    }

    #[inline(always)]
    fn input(&self, sample: usize) -> &[R] {
        row(&self.input, sample, self.features)
    }

    #[inline(always)]
    fn weight(&self, output: usize) -> &[R] {
        row(&self.weight, output, self.features)
    }

    /// The scores of these samples, one sample after the other.
    #[inline(always)]
    pub(crate) fn scores(&self, samples: Range<usize>, scores: &mut [R]) {
        let bias = self.bias.as_ref().and_then(|bias| bias.as_slice());
        for output in 0..self.outputs {
            let weight = self.weight(output);
            for (at, sample) in samples.clone().enumerate() {
                let input = self.input(sample);
                let product = fold::sum(weight.len(), |k| weight[k] * input[k]);
                let sum = bias.map_or(product, |bias| product.plus(bias[output]));
                scores[at * self.outputs + output] = sum.total();
            }
        }
    }
}

fn row<'a, R>(rows: &'a CowArray<'_, R, IxDyn>, at: usize, width: usize) -> &'a [R] {
    // In order, for that is how `Layer` holds them.
    &rows.as_slice().unwrap_or_default()[at * width..][..width]
}

/// The gradients by the scores of some samples, on their way back through the layer.
pub(crate) struct Pullback<'p, 'a, R, U> {
    pub(crate) layer: &'p Layer<'a, R>,
    pub(crate) samples: Range<usize>,
    /// In the order of the scores.
    pub(crate) by_scores: &'p [R],
    /// Whether a score counts, given its sample, from 0, and output: those that do not are left out of all sums, lest 0
    /// times an infinity makes NaN of them.
    pub(crate) counts: U,
}

impl<R: Real, U: Fn(usize, usize) -> bool> Pullback<'_, '_, R, U> {
    #[inline(always)]
    fn by_score(&self, sample: usize, output: usize) -> Option<R> {
        (self.counts)(sample, output).then(|| self.by_scores[sample * self.layer.outputs + output])
    }

    /// Writes the input's rows of these samples.
    #[inline(always)]
    pub(crate) fn write_input(&self, gradient: &mut ArrayViewMutD<'_, R>) {
        let rows = gradient.lanes_mut(Axis(1)).into_iter().skip(self.samples.start);
        for (sample, mut row) in rows.take(self.samples.len()).enumerate() {
            row.fill(R::ZERO);
            let terms = (0..self.layer.outputs)
                .filter_map(|output| Some((self.by_score(sample, output)?, self.layer.weight(output))));
            add_combination(terms, row);
        }
    }

    /// Adds what these samples contribute.
    #[inline(always)]
    pub(crate) fn add_to_weight(&self, gradient: &mut ArrayViewMutD<'_, R>) {
        let features = Axis(gradient.ndim() - 1);
        for (output, row) in gradient.lanes_mut(features).into_iter().enumerate() {
            let terms = (self.samples.clone().enumerate())
                .filter_map(|(at, sample)| Some((self.by_score(at, output)?, self.layer.input(sample))));
            add_combination(terms, row);
        }
    }

    /// Adds what these samples contribute.
    #[inline(always)]
    pub(crate) fn add_to_bias(&self, gradient: &mut ArrayViewMutD<'_, R>) {
        for (output, gradient) in gradient.iter_mut().enumerate() {
            let term = |sample| self.by_score(sample, output).unwrap_or(R::ZERO);
            *gradient = fold::sum(self.samples.len(), term).plus(*gradient).total();
        }
    }
}

/// Adds the sum of rows, each times its coefficient.
#[inline(always)]
fn add_combination<'a, R: Real>(terms: impl Iterator<Item = (R, &'a [R])> + Clone, mut to: ArrayViewMut1<'_, R>) {
    const LANES: usize = 32;
    for start in (0..to.len()).step_by(LANES) {
        let end = to.len().min(start + LANES);
        let mut sums = [R::Sum::ZERO; LANES];
        for (coefficient, row) in terms.clone() {
            for (sum, &x) in sums.iter_mut().zip(&row[start..end]) {
                *sum = sum.plus(coefficient * x);
            }
        }
        for (to, sum) in to.iter_mut().skip(start).zip(&sums) {
            *to = sum.plus(*to).total();
        }
    }
}
