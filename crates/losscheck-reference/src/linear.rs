//! A linear layer and its gradients, a part of the batch at a time.

use std::cell::OnceCell;
use std::ops::Range;

use ndarray::{
    Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewD, ArrayViewMut1, ArrayViewMutD, Axis, CowArray, IxDyn, s,
};
use rayon::prelude::*;

use crate::loss::zeros;
use crate::{Real, Sum, fold, threads};

/// A linear layer, score q = sum_k weight_qk input_k + bias_q, and its inputs.
pub(crate) struct Layer<'a, R> {
    input: CowArray<'a, R, IxDyn>,
    weight: CowArray<'a, R, IxDyn>,
    bias: Option<CowArray<'a, R, IxDyn>>,
    features: usize,
    outputs: usize,
    weight_is_finite: OnceCell<bool>,
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
            weight_is_finite: OnceCell::new(),
        }
    }

    fn inputs(&self, samples: Range<usize>) -> ArrayView2<'_, R> {
        matrix(&self.input, (self.input.len_of(Axis(0)), self.features)).slice_move(s![samples, ..])
    }

    fn weights(&self) -> ArrayView2<'_, R> {
        matrix(&self.weight, (self.outputs, self.features))
    }

    /// The scores of these samples, one sample after the other.
    pub(crate) fn scores(&self, samples: Range<usize>, scores: &mut [R]) {
        if self.outputs == 0 {
            return;
        }
        let (inputs, weights) = (self.inputs(samples), self.weights());
        let bias = self.bias.as_ref().and_then(|bias| bias.as_slice());
        let step = lanes_at_once(inputs.nrows());
        for (first, weights) in (0..).step_by(step).zip(weights.axis_chunks_iter(Axis(0), step)) {
            let sums = add_products(inputs, weights.reversed_axes());
            for (scores, sums) in scores.chunks_mut(self.outputs).zip(sums.outer_iter()) {
                let mut scores = ArrayViewMut1::from(&mut scores[first..][..sums.len()]);
                if let Some(bias) = bias {
                    scores.assign(&ArrayView1::from(&bias[first..][..sums.len()]));
                    add_totals(&mut scores, sums);
                } else {
                    write_totals(&mut scores, sums);
                }
            }
        }
    }
}

/// A buffer holds the scores of a tenth of the samples: with the rest of the workspace, less than an eighth of what those of
/// all samples would take.
const SHARE: usize = 10;
/// So many scores are few.
const FEW_SCORES: usize = 1 << 16;

/// The samples that a panel of a product holds: with a multiple of so many none has empty places.
const PANEL: usize = 16;

/// How many samples to work on at a time, of so many, each of so many scores.
pub(crate) fn samples_at_once(samples: usize, scores: usize) -> usize {
    let at_once = samples.div_ceil(SHARE).max(FEW_SCORES / scores.max(1)).max(1);
    if at_once >= samples || at_once < PANEL { at_once } else { at_once - at_once % PANEL }
}

/// The rows as those of a matrix.
fn matrix<'a, R>(rows: &'a CowArray<'_, R, IxDyn>, shape: (usize, usize)) -> ArrayView2<'a, R> {
    // In order, for that is how `Layer` holds them.
    let numbers = rows.as_slice().unwrap_or_default();
    ArrayView2::from_shape(shape, numbers).expect("as many numbers as the shape asks for")
}

/// The matrix product, on several threads where that pays.
fn add_products<R: Real>(a: ArrayView2<'_, R>, b: ArrayView2<'_, R>) -> Array2<R::Sum> {
    let (rows, terms, columns) = (a.nrows(), a.ncols(), b.ncols());
    let mut sums = Array2::from_elem((rows, columns), R::Sum::ZERO);
    // The first is a constant: rayon's part is not compiled for types without vectors.
    if R::HAS_VECTORS && threads::is_worth_sharing(rows.saturating_mul(columns).saturating_mul(terms)) {
        let parts: Vec<_> = sums.axis_chunks_iter_mut(Axis(1), SHARED).collect();
        parts.into_par_iter().enumerate().for_each(|(part, sums)| {
            let start = part * SHARED;
            R::add_matrix_product(a, b.slice(s![.., start..start + sums.ncols()]), sums);
        });
    } else {
        R::add_matrix_product(a, b, sums.view_mut());
    }
    sums
}

/// The columns of a product that a thread takes at once.
const SHARED: usize = 256;

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

    /// The gradients by the scores, a row for each sample, where nothing has to be left out: all of them count, or those
    /// that do not, which are 0, are multiplied by finite numbers.
    fn matrix(&self, factors_are_finite: impl FnOnce() -> bool) -> Option<ArrayView2<'_, R>> {
        let (samples, outputs) = (self.samples.len(), self.layer.outputs);
        let all_count = (0..samples).all(|sample| (0..outputs).all(|output| (self.counts)(sample, output)));
        let is_whole = all_count || factors_are_finite();
        is_whole.then(|| ArrayView2::from_shape((samples, outputs), self.by_scores).ok()).flatten()
    }

    /// Writes the input's rows of these samples.
    pub(crate) fn write_input(&self, gradient: &mut ArrayViewMutD<'_, R>) {
        let weights = self.layer.weights();
        let mut rows = gradient.lanes_mut(Axis(1)).into_iter().skip(self.samples.start);
        match self.matrix(|| *self.layer.weight_is_finite.get_or_init(|| is_finite(weights))) {
            Some(by_scores) => {
                for by_scores in by_scores.axis_chunks_iter(Axis(0), lanes_at_once(self.layer.features)) {
                    let sums = add_products(by_scores, weights);
                    for (sums, mut row) in sums.outer_iter().zip(rows.by_ref()) {
                        write_totals(&mut row, sums);
                    }
                }
            }
            None => {
                for (sample, mut row) in rows.take(self.samples.len()).enumerate() {
                    row.fill(R::ZERO);
                    let terms = weights.outer_iter().enumerate();
                    add_combination(terms.filter_map(|(output, x)| Some((self.by_score(sample, output)?, x))), row);
                }
            }
        }
    }

    /// Adds what these samples contribute.
    pub(crate) fn add_to_weight(&self, gradient: &mut ArrayViewMutD<'_, R>) {
        let features = Axis(gradient.ndim() - 1);
        let inputs = self.layer.inputs(self.samples.clone());
        let mut rows = gradient.lanes_mut(features).into_iter();
        match self.matrix(|| is_finite(inputs)) {
            Some(by_scores) => {
                for by_scores in by_scores.axis_chunks_iter(Axis(1), lanes_at_once(self.layer.features)) {
                    let sums = add_products(by_scores.reversed_axes(), inputs);
                    // In this order, for `zip` takes a row first and would lose one at the end of the sums.
                    for (sums, mut row) in sums.outer_iter().zip(rows.by_ref()) {
                        add_totals(&mut row, sums);
                    }
                }
            }
            None => {
                for (output, row) in rows.enumerate() {
                    let terms = inputs.outer_iter().enumerate();
                    add_combination(terms.filter_map(|(sample, x)| Some((self.by_score(sample, output)?, x))), row);
                }
            }
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

/// Writes what is made of each number and its sum.
fn write<R: Real>(row: &mut ArrayViewMut1<'_, R>, sums: ArrayView1<'_, R::Sum>, total: impl Fn(R, R::Sum) -> R) {
    match (row.as_slice_mut(), sums.to_slice()) {
        (Some(row), Some(sums)) => R::vectorize(
            #[inline(always)]
            || row.iter_mut().zip(sums).for_each(|(to, &sum)| *to = total(*to, sum)),
        ),
        _ => row.iter_mut().zip(sums).for_each(|(to, &sum)| *to = total(*to, sum)),
    }
}

/// Adds the totals to the numbers.
fn add_totals<R: Real>(row: &mut ArrayViewMut1<'_, R>, sums: ArrayView1<'_, R::Sum>) {
    write(
        row,
        sums,
        #[inline(always)]
        |to, sum| sum.plus(to).total(),
    );
}

/// Writes the totals.
fn write_totals<R: Real>(row: &mut ArrayViewMut1<'_, R>, sums: ArrayView1<'_, R::Sum>) {
    write(
        row,
        sums,
        #[inline(always)]
        |_, sum| sum.total(),
    );
}

fn is_finite<R: Real>(numbers: ArrayView2<'_, R>) -> bool {
    numbers.iter().all(|&x| x * R::ZERO == R::ZERO)
}

/// The sums that are worked out at once.
const SUMS: usize = 1 << 16;

/// How many rows or columns of a product to work out at once, of so many elements.
fn lanes_at_once(length: usize) -> usize {
    (SUMS / length.max(1)).max(16)
}

/// Adds the sum of rows, each times its coefficient.
fn add_combination<'a, R: Real>(terms: impl Iterator<Item = (R, ArrayView1<'a, R>)>, mut to: ArrayViewMut1<'_, R>) {
    let mut sums = vec![R::Sum::ZERO; to.len()];
    for (coefficient, row) in terms {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum = sum.plus_product(coefficient, x));
    }
    to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum.plus(*to).total());
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

    /// The number of scores of a sample.
    pub(crate) fn outputs(&self) -> usize {
        self.weights.last().map_or(0, |weight| weight.len_of(Axis(0)))
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
            layer.scores(0..samples, scores.as_slice_mut().unwrap_or_default());
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
            pullback.write_input(&mut by_input.view_mut());
            if let Some(LayerGradients { weight, bias }) = gradients {
                pullback.add_to_weight(weight);
                if let Some(bias) = bias {
                    pullback.add_to_bias(bias);
                }
            }
            by_scores = by_input;
        }
        by_scores
    }
}
