//! A linear layer and its gradients, a part of the batch at a time.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMut1, ArrayViewMutD, Axis, CowArray, IxDyn};

use crate::loss::zeros;
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
                let product = fold::dot(weight.len(), |k| (weight[k], input[k]));
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
                *sum = sum.plus_product(coefficient, x);
            }
        }
        for (to, sum) in to.iter_mut().skip(start).zip(&sums) {
            *to = sum.plus(*to).total();
        }
    }
}

/// Linear layers, each of them of the scores of the one before.
pub(crate) struct Stack<'a, R> {
    weights: Vec<CowArray<'a, R, IxDyn>>,
    biases: Vec<Option<CowArray<'a, R, IxDyn>>>,
}

/// What goes into each layer of a [`Stack`], and the scores that come out of the last; all lie in order.
pub(crate) struct Activations<R> {
    pub(crate) inputs: Vec<ArrayD<R>>,
    pub(crate) scores: ArrayD<R>,
}

/// Where the gradients of a layer's parameters are added.
pub(crate) struct LayerGradients<'a, R> {
    pub(crate) weight: ArrayViewMutD<'a, R>,
    pub(crate) bias: Option<ArrayViewMutD<'a, R>>,
}

impl<'a, R: Real> Stack<'a, R> {
    /// The weights have shape (Q, K), the biases (Q).
    pub(crate) fn new<const N: usize>(layers: [(&'a ArrayViewD<'_, R>, Option<&'a ArrayViewD<'_, R>>); N]) -> Self {
        Self {
            weights: layers.iter().map(|(weight, _)| weight.as_standard_layout()).collect(),
            biases: layers.iter().map(|(_, bias)| bias.map(|bias| bias.as_standard_layout())).collect(),
        }
    }

    /// Runs a batch (N, K) through the layers.
    pub(crate) fn activations(&self, input: ArrayD<R>) -> Activations<R> {
        let mut activations = Activations { inputs: Vec::new(), scores: input };
        for (weight, bias) in self.weights.iter().zip(&self.biases) {
            let input = activations.scores;
            let samples = input.shape()[0];
            let mut scores = zeros(&[samples, weight.shape()[0]]);
            let (view, weight, bias) = (input.view(), weight.view(), bias.as_ref().map(|bias| bias.view()));
            let layer = Layer::new(&view, &weight, bias.as_ref());
            R::vectorize(
                #[inline(always)]
                || layer.scores(0..samples, scores.as_slice_mut().unwrap_or_default()),
            );
            drop(layer);
            activations.inputs.push(input);
            activations.scores = scores;
        }
        activations
    }

    /// Takes the gradients by the scores back through the layers; gives those by what went into the first.
    pub(crate) fn pull_back(
        &self,
        activations: &Activations<R>,
        by_scores: ArrayD<R>,
        mut gradients: Option<&mut [LayerGradients<'_, R>]>,
    ) -> ArrayD<R> {
        let mut by_scores = by_scores;
        for (at, (weight, input)) in self.weights.iter().zip(&activations.inputs).enumerate().rev() {
            let (input, weight) = (input.view(), weight.view());
            let layer = Layer::new(&input, &weight, None);
            let mut by_input = zeros(input.shape());
            let pullback = Pullback {
                layer: &layer,
                samples: 0..input.shape()[0],
                by_scores: by_scores.as_slice().unwrap_or_default(),
                counts: |_, _| true,
            };
            let gradients = gradients.as_mut().map(|gradients| &mut gradients[at]);
            R::vectorize(
                #[inline(always)]
                || {
                    pullback.write_input(&mut by_input.view_mut());
                    let Some(LayerGradients { weight, bias }) = gradients else { return };
                    pullback.add_to_weight(weight);
                    if let Some(bias) = bias {
                        pullback.add_to_bias(bias);
                    }
                },
            );
            by_scores = by_input;
        }
        by_scores
    }
}
