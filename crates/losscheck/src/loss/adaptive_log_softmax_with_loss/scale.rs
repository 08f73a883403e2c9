//! What the errors of adaptive softmax are proportional to.

use std::ops::Range;

use losscheck_options::{AdaptiveLogSoftmaxWithLoss, AdaptiveResult};
use losscheck_reference::{AdaptiveParameters, AdaptiveTail, DoubleDouble, Error, Real};
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::{names, parameters, tails};
use crate::loss::cross_entropy::CrossEntropyScale;
use crate::loss::linear::{self, Layer, Rounded};
use crate::loss::{Inputs, ValueAndGradients};

/// The magnitudes of the samples' sums, and of the gradients as they add up.
pub(super) struct Magnitudes {
    terms: CrossEntropyScale,
    /// The layers of the head, then those of the tails.
    stacks: Vec<Vec<Layer>>,
    input: Vec<Vec<Rounded>>,
    cotangent: Vec<f64>,
    value: Vec<f64>,
    by_input: Vec<Vec<f64>>,
}

impl Magnitudes {
    pub(super) fn new(options: &AdaptiveLogSoftmaxWithLoss, inputs: &Inputs<DoubleDouble>) -> Result<Self, Error> {
        let input = inputs.required("input")?;
        let samples = if input.ndim() == 1 { 1 } else { input.shape()[0] };
        let input: Vec<DoubleDouble> = input.iter().copied().collect();
        let row = |sample: usize| linear::exact(input[sample * options.in_features..][..options.in_features].to_vec());
        let AdaptiveParameters { head_weight, head_bias, tail } = parameters(inputs)?;
        let layer = |weight: &ArrayViewD<'_, DoubleDouble>| Layer::new(weight, None, inputs);
        let tail = tail.iter().map(|AdaptiveTail { projection, output }| vec![layer(projection), layer(output)]);
        let mut stacks: Vec<Vec<Layer>> =
            [vec![Layer::new(&head_weight, head_bias, inputs)]].into_iter().chain(tail).collect();
        if options.result == AdaptiveResult::Loss {
            stacks.iter_mut().flatten().for_each(|layer| layer.slopes_are_divided_by(samples as f64));
        }
        let cotangent = inputs.cotangent();
        Ok(Self {
            terms: CrossEntropyScale { weight: None, label_smoothing: 0.0, smallest_normal: inputs.smallest_normal() },
            stacks,
            input: (0..samples).map(row).collect(),
            cotangent: cotangent.iter().flatten().map(|cotangent| cotangent.to_f64().abs()).collect(),
            value: Vec::new(),
            by_input: vec![vec![0.0; options.in_features]; samples],
        })
    }

    pub(super) fn add_all(&mut self, options: &AdaptiveLogSoftmaxWithLoss, inputs: &Inputs<DoubleDouble>) {
        let (shortlist, tails): (usize, Vec<_>) = (options.cutoffs[0], tails(options).collect());
        let head = shortlist + tails.len();
        let classes: Vec<usize> = inputs.indices("target").iter().flatten().map(|&class| class as usize).collect();
        let cotangents = std::mem::take(&mut self.cotangent);
        let cotangent = |at: usize| cotangents.get(at).copied().unwrap_or(1.0);
        let one_hot = |width: usize, at: usize, factor: f64| {
            let mut coefficients = vec![0.0; width];
            coefficients[at] = factor;
            coefficients
        };
        for sample in 0..self.input.len() {
            if options.result == AdaptiveResult::LogProb {
                let row: Vec<f64> = (0..options.n_classes).map(|c| cotangent(sample * options.n_classes + c)).collect();
                let sum = |classes: &Range<usize>| row[classes.clone()].iter().sum();
                let of_head = row[..shortlist].iter().copied().chain(tails.iter().map(sum)).collect();
                let of_head = self.add(sample, 0, of_head, inputs);
                self.value.extend(&of_head[..shortlist]);
                for (i, classes) in tails.iter().enumerate() {
                    let of_tail = self.add(sample, i + 1, row[classes.clone()].to_vec(), inputs);
                    self.value.extend(of_tail.into_iter().map(|terms| of_head[shortlist + i] + terms));
                }
                continue;
            }
            let class = classes[sample];
            let factor = cotangent(if options.result == AdaptiveResult::Loss { 0 } else { sample });
            let tail = tails.iter().position(|tail| tail.contains(&class));
            let place = tail.map_or(class, |tail| shortlist + tail);
            let mut terms = self.add(sample, 0, one_hot(head, place, factor), inputs)[place];
            if let Some(tail) = tail {
                let (width, place) = (tails[tail].len(), class - tails[tail].start);
                terms += self.add(sample, tail + 1, one_hot(width, place, factor), inputs)[place];
            }
            self.value.push(terms);
        }
    }

    /// Adds what a sample contributes in one cluster, given the magnitudes of its log-probabilities' cotangents; gives the
    /// magnitudes of the log-probabilities.
    fn add(
        &mut self,
        sample: usize,
        cluster: usize,
        coefficients: Vec<f64>,
        inputs: &Inputs<DoubleDouble>,
    ) -> Vec<f64> {
        let stack = &mut self.stacks[cluster];
        let mut activations = vec![self.input[sample].clone()];
        for layer in stack.iter() {
            let input = &activations[activations.len() - 1];
            activations.push((0..layer.outputs()).map(|output| layer.score(output, input)).collect());
        }
        let scores = activations.pop().unwrap_or_default();
        let surprise = linear::surprise(&scores, inputs);
        let mut slopes = linear::slopes(&self.terms, 1.0, &scores, &surprise, &coefficients);
        for (layer, input) in stack.iter_mut().zip(&activations).rev() {
            let mut by_input = vec![0.0; input.len()];
            for (output, slope) in slopes.into_iter().enumerate() {
                layer.pull_back(output, slope, input, &mut by_input);
            }
            slopes = by_input;
        }
        for (sum, slope) in self.by_input[sample].iter_mut().zip(slopes) {
            *sum += slope;
        }
        surprise.into_iter().map(|(terms, _)| terms).collect()
    }

    pub(super) fn evaluation(
        self,
        value_shape: &[usize],
        inputs: &Inputs<DoubleDouble>,
    ) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let shaped = |elements: Vec<f64>, shape: &[usize]| {
            let elements = elements.into_iter().map(DoubleDouble::from_f64).collect();
            ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape asks for")
        };
        let parameters = parameters(inputs)?;
        let has_bias = parameters.head_bias.is_some();
        let by_parameters = self.stacks.into_iter().flatten().enumerate().flat_map(|(at, layer)| {
            [Some(layer.by_weight), Some(layer.by_bias).filter(|_| at == 0 && has_bias)].into_iter().flatten()
        });
        let shapes = parameters.as_ref().map(|parameter| parameter.shape());
        let by_parameters = by_parameters.zip(shapes).map(|(elements, shape)| shaped(elements, shape));
        let by_input = shaped(self.by_input.concat(), inputs.required("input")?.shape());
        let value = if value_shape.is_empty() { vec![self.value.into_iter().sum()] } else { self.value };
        let gradients = [("input", by_input)].into_iter().chain(names(&parameters).zip(by_parameters)).collect();
        Ok(ValueAndGradients { value: shaped(value, value_shape), gradients })
    }
}
