//! The clusters of adaptive softmax, a part of the batch at a time.

use std::ops::Range;

use ndarray::{ArrayD, ArrayView1, ArrayViewD, ArrayViewMutD, Axis, Slice};

use super::{AdaptiveParameters, tails};
use crate::linear::{Activations, LayerGradients, Stack, samples_at_once};
use crate::loss::zeros;
use crate::losses::cross_entropy::{log_softmax, log_softmax_pullback};
use crate::{AdaptiveLogSoftmaxWithLoss, Backward, CrossEntropyLoss, Error, Loss, Real, Reduction, Sum, fold};

/// Where the gradients go, those of the parameters by cluster and layer; all start from 0.
pub(super) struct Gradients<'a, R> {
    pub(super) input: Option<ArrayViewMutD<'a, R>>,
    layers: Option<Vec<Vec<LayerGradients<'a, R>>>>,
}

impl<'a, R: Real> Gradients<'a, R> {
    /// `None` where none is asked for.
    pub(super) fn new(
        mut input: Option<ArrayViewMutD<'a, R>>,
        parameters: Option<AdaptiveParameters<ArrayViewMutD<'a, R>>>,
    ) -> Option<Self> {
        if input.is_none() && parameters.is_none() {
            return None;
        }
        if let Some(gradient) = &mut input {
            gradient.fill(R::ZERO);
        }
        let layers = parameters.map(|parameters| {
            let parameters = parameters.map(|mut gradient| {
                gradient.fill(R::ZERO);
                gradient
            });
            let head = vec![LayerGradients { weight: parameters.head_weight, bias: parameters.head_bias }];
            let layer = |weight| LayerGradients { weight, bias: None };
            let tail = parameters.tail.into_iter().map(|tail| vec![layer(tail.projection), layer(tail.output)]);
            [head].into_iter().chain(tail).collect()
        });
        Some(Self { input, layers })
    }

    /// Adds what the samples in these rows contribute, given the gradient of their scores in a cluster.
    fn add(
        &mut self,
        clusters: &Clusters<'_, R>,
        cluster: usize,
        rows: impl Iterator<Item = usize>,
        activations: &Activations<R>,
        by_scores: ArrayD<R>,
    ) {
        let layers = self.layers.as_mut().map(|layers| layers[cluster].as_mut_slice());
        let by_input = clusters.stacks[cluster].pull_back(activations, by_scores, layers);
        let Some(gradient) = &mut self.input else { return };
        for (row, by_input) in rows.zip(by_input.outer_iter()) {
            gradient.index_axis_mut(Axis(0), row).zip_mut_with(&by_input, |sum, &term| *sum = *sum + term);
        }
    }
}

/// The layers of each cluster: those of the head, then those of the tails.
pub(super) struct Clusters<'a, R> {
    shortlist: usize,
    n_classes: usize,
    /// The classes of the tails.
    tails: Vec<Range<usize>>,
    stacks: Vec<Stack<'a, R>>,
}

impl<'a, R: Real> Clusters<'a, R> {
    /// The parameters are checked.
    pub(super) fn new(
        options: &AdaptiveLogSoftmaxWithLoss,
        parameters: &'a AdaptiveParameters<ArrayViewD<'_, R>>,
    ) -> Self {
        let head = Stack::new([(&parameters.head_weight, parameters.head_bias.as_ref())]);
        let tail = parameters.tail.iter().map(|tail| Stack::new([(&tail.projection, None), (&tail.output, None)]));
        Self {
            shortlist: options.cutoffs[0],
            n_classes: options.n_classes,
            tails: tails(options).collect(),
            stacks: [head].into_iter().chain(tail).collect(),
        }
    }

    /// The samples that are scored in a cluster, and which of its scores is that of their target.
    fn targets(&self, cluster: usize, target: &[usize]) -> (Vec<usize>, Vec<i64>) {
        let place = |&class: &usize| match cluster.checked_sub(1) {
            None if class < self.shortlist => Some(class),
            None => Some(self.shortlist + self.tails.iter().position(|tail| tail.contains(&class))?),
            Some(tail) => self.tails[tail].contains(&class).then(|| class - self.tails[tail].start),
        };
        let places = target.iter().enumerate().filter_map(|(sample, class)| Some((sample, place(class)? as i64)));
        places.unzip()
    }

    /// The samples' losses; each has its cotangent.
    pub(super) fn losses(
        &self,
        input: &ArrayViewD<'_, R>,
        target: &[usize],
        cotangents: &[R],
        mut gradients: Option<Gradients<'_, R>>,
    ) -> Result<Vec<R::Sum>, Error> {
        let loss = CrossEntropyLoss { reduction: Reduction::None, ..Default::default() };
        let mut losses = vec![R::Sum::ZERO; target.len()];
        for (cluster, stack) in self.stacks.iter().enumerate() {
            let step = samples_at_once(target.len(), stack.outputs());
            let (samples, places) = self.targets(cluster, target);
            for (samples, places) in samples.chunks(step).zip(places.chunks(step)) {
                let activations = stack.activations(input.select(Axis(0), samples));
                let scores = &activations.scores;
                let places = ArrayView1::from(places).into_dyn();
                let mut surprises = zeros(&[samples.len()]);
                match &mut gradients {
                    None => loss.value_into((scores.view(), places, None), surprises.view_mut())?,
                    Some(gradients) => {
                        let cotangent: Vec<R> = samples.iter().map(|&sample| cotangents[sample]).collect();
                        let mut by_scores = zeros(scores.shape());
                        let backward = Backward {
                            cotangent: Some(ArrayView1::from(&cotangent).into_dyn()),
                            gradients: [Some(by_scores.view_mut())],
                        };
                        loss.evaluate_into((scores.view(), places, None), surprises.view_mut(), Some(backward))?;
                        gradients.add(self, cluster, samples.iter().copied(), &activations, by_scores);
                    }
                }
                for (&sample, &neg_log_softmax) in samples.iter().zip(&surprises) {
                    losses[sample] = losses[sample].plus(neg_log_softmax);
                }
            }
        }
        Ok(losses)
    }

    /// The activations of every cluster, and the log-probabilities of all classes.
    fn log_probs(&self, input: &ArrayD<R>) -> (Vec<Activations<R>>, ArrayD<R>) {
        let activations: Vec<_> = self.stacks.iter().map(|stack| stack.activations(input.clone())).collect();
        let mut log_probs = zeros(&[input.shape()[0], self.n_classes]);
        let mut of_clusters = activations.iter().map(|Activations { scores, .. }| {
            by_rows([scores], scores.shape()[1], |[scores], logarithms| log_softmax(scores, logarithms))
        });
        let Some(head) = of_clusters.next() else { return (Vec::new(), log_probs) };
        let shortlist = Slice::from(..self.shortlist);
        log_probs.slice_axis_mut(Axis(1), shortlist).assign(&head.slice_axis(Axis(1), shortlist));
        for (i, (tail, classes)) in of_clusters.zip(&self.tails).enumerate() {
            let place = self.shortlist + i;
            let of_tail = head.slice_axis(Axis(1), Slice::from(place..=place));
            log_probs.slice_axis_mut(Axis(1), Slice::from(classes.clone())).assign(&(&tail + &of_tail));
        }
        (activations, log_probs)
    }

    /// The log-probabilities of all classes, a row for each sample.
    pub(super) fn log_prob(
        &self,
        input: &ArrayViewD<'_, R>,
        mut value: ArrayViewMutD<'_, R>,
        cotangent: Option<ArrayViewD<'_, R>>,
        mut gradients: Option<Gradients<'_, R>>,
    ) {
        let samples = input.shape()[0];
        let step = samples_at_once(samples, self.n_classes);
        for start in (0..samples).step_by(step) {
            let part = start..samples.min(start + step);
            let slice = Slice::from(part.clone());
            let (activations, log_probs) = self.log_probs(&input.slice_axis(Axis(0), slice).to_owned());
            if let Some(gradients) = &mut gradients {
                let cotangent = match &cotangent {
                    Some(cotangent) => in_order(cotangent.slice_axis(Axis(0), slice)),
                    None => ArrayD::from_elem(log_probs.raw_dim(), R::ONE),
                };
                for (cluster, activations) in activations.iter().enumerate() {
                    let (cotangent, scores) = (self.of_cluster(cluster, &cotangent), &activations.scores);
                    let mut workspace = Vec::new();
                    let by_scores =
                        by_rows([&cotangent, scores], scores.shape()[1], |[cotangent, scores], gradient| {
                            log_softmax_pullback(cotangent, scores, gradient, &mut workspace);
                        });
                    gradients.add(self, cluster, part.clone(), activations, by_scores);
                }
            }
            value.slice_axis_mut(Axis(0), slice).assign(&log_probs);
        }
    }

    /// The gradients of a cluster's log-probabilities, given those of all classes' in the rows of a matrix.
    fn of_cluster(&self, cluster: usize, cotangent: &ArrayD<R>) -> ArrayD<R> {
        if let Some(tail) = cluster.checked_sub(1) {
            return in_order(cotangent.slice_axis(Axis(1), Slice::from(self.tails[tail].clone())));
        }
        by_rows([cotangent], self.shortlist + self.tails.len(), |[cotangent], head| {
            let (shortlist, tails) = head.split_at_mut(self.shortlist);
            shortlist.copy_from_slice(&cotangent[..self.shortlist]);
            for (tail, classes) in tails.iter_mut().zip(&self.tails) {
                *tail = fold::sum(classes.len(), |c| cotangent[classes.start + c]).total();
            }
        })
    }

    /// Calls back with each sample and its class.
    pub(super) fn predict(&self, input: &ArrayViewD<'_, R>, mut found: impl FnMut(usize, usize)) {
        let samples: Vec<usize> = (0..input.shape()[0]).collect();
        for samples in samples.chunks(samples_at_once(samples.len(), self.n_classes)) {
            let Activations { scores, .. } = self.stacks[0].activations(input.select(Axis(0), samples));
            let mut beyond = Vec::new();
            for (&sample, scores) in samples.iter().zip(rows(&scores)) {
                match fold::argmax(scores) {
                    class if class < self.shortlist => found(sample, class),
                    _ => beyond.push(sample),
                }
            }
            let (_, log_probs) = self.log_probs(&input.select(Axis(0), &beyond));
            for (&sample, log_probs) in beyond.iter().zip(rows(&log_probs)) {
                found(sample, fold::argmax(log_probs));
            }
        }
    }
}

fn in_order<R: Real>(array: ArrayViewD<'_, R>) -> ArrayD<R> {
    array.as_standard_layout().into_owned()
}

/// The rows of a matrix that lies in order.
fn rows<R>(matrix: &ArrayD<R>) -> impl Iterator<Item = &[R]> {
    let width = matrix.shape()[1].max(1);
    matrix.as_slice().unwrap_or_default().chunks_exact(width)
}

/// A matrix of that width, row by row from the rows of others that lie in order.
fn by_rows<R: Real, const N: usize>(
    matrices: [&ArrayD<R>; N],
    width: usize,
    mut write: impl FnMut([&[R]; N], &mut [R]),
) -> ArrayD<R> {
    let mut result = zeros(&[matrices[0].shape()[0], width]);
    R::vectorize(
        #[inline(always)]
        || {
            let mut rows = matrices.map(rows);
            for result in result.as_slice_mut().unwrap_or_default().chunks_exact_mut(width.max(1)) {
                write(rows.each_mut().map(|rows| rows.next().unwrap_or_default()), result);
            }
        },
    );
    result
}
