//! `torch.nn.functional.ctc_loss`.

use losscheck_options::{CTCLoss, Reduction};
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::{ArrayD, IxDyn};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Data, Tensor, Tensors};

const LOG_PROBS: &str = "log_probs";
const TARGETS: &str = "targets";
const INPUT_LENGTHS: &str = "input_lengths";
const TARGET_LENGTHS: &str = "target_lengths";

impl LossSpec for CTCLoss {
    const DTYPES: &'static [DType] = &[DType::F32, DType::F64];

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let log_probs = inputs.required(LOG_PROBS)?;
        let targets = inputs.required_indices(TARGETS)?;
        let lengths = (inputs.required_indices(INPUT_LENGTHS)?, inputs.required_indices(TARGET_LENGTHS)?);
        let tensors = (log_probs, targets, lengths.0, lengths.1);
        ValueAndGradients::of(self, tensors, inputs, [LOG_PROBS], request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        // Lengths and labels that are out of range are refused here.
        let shaped = self.evaluate(&inputs.to_f64(), Outputs::Value.into())?.value;
        let log_probs = inputs.required(LOG_PROBS)?;
        let classes = *log_probs.shape().last().unwrap_or(&0);
        let samples = if log_probs.ndim() == 2 { 1 } else { log_probs.shape()[1] };
        let scores: Vec<DoubleDouble> = log_probs.iter().copied().collect();
        let integers = |name| -> Result<Vec<usize>, Error> {
            Ok(inputs.required_indices(name)?.iter().map(|&integer| integer as usize).collect())
        };
        let (targets, lengths) = (integers(TARGETS)?, integers(TARGET_LENGTHS)?);
        let is_padded = inputs.required_indices(TARGETS)?.ndim() == 2;
        let is_mean = self.reduction == Reduction::Mean;
        let cotangents: Vec<f64> = inputs.cotangent().iter().flatten().map(|c| c.to_f64().abs()).collect();

        let mut losses = Vec::with_capacity(samples);
        let mut gradient = ArrayD::from_elem(IxDyn(log_probs.shape()), DoubleDouble::ZERO);
        let slopes = gradient.as_slice_mut().expect("in order");
        for (sample, input_length) in integers(INPUT_LENGTHS)?.into_iter().enumerate() {
            let length = lengths[sample];
            let start = if is_padded { sample * targets.len() / samples } else { lengths[..sample].iter().sum() };
            let place = |step: usize| (step * samples + sample) * classes;
            let rows = (0..input_length).map(|step| &scores[place(step)..][..classes]).collect();
            let blank = self.blank as usize;
            let alignments = Alignments::new(rows, &targets[start..][..length], blank, 8.0 * inputs.epsilon());
            let divisor = if is_mean { (samples * length.max(1)) as f64 } else { 1.0 };
            let sums = alignments.sums();
            let likelihood = alignments.likelihood(&sums);
            if likelihood.is_nothing() && self.zero_infinity {
                losses.push(0.0);
                continue;
            }
            losses.push((likelihood.ln.to_f64().abs() + likelihood.error) / divisor);
            let is_reduced = self.reduction != Reduction::None;
            let cotangent = *cotangents.get(if is_reduced { 0 } else { sample }).unwrap_or(&1.0) / divisor;
            for (step, row) in alignments.slopes(&sums, likelihood).into_iter().enumerate() {
                for (class, slope) in row.into_iter().enumerate() {
                    slopes[place(step) + class] = DoubleDouble::from_f64(cotangent * slope);
                }
            }
        }
        let value = if self.reduction == Reduction::None { losses } else { vec![losses.into_iter().sum()] };
        let value = value.into_iter().map(DoubleDouble::from_f64).collect();
        let value = ArrayD::from_shape_vec(shaped.raw_dim(), value).expect("a loss for each of the values");
        Ok(ValueAndGradients { value, gradients: vec![(LOG_PROBS, gradient)] })
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let blank = |classes: i64| prop_oneof![40 => 0..classes, 1 => select(vec![-1, classes])];
        let case = shapes().prop_flat_map(move |shape| (Just(shape), blank(shape.classes as i64)));
        let case = case.prop_flat_map(move |(shape, blank)| {
            let options = (Just(blank), generate::reduction(), any::<bool>());
            (options, log_probs(dtype, shape), targets(shape, blank))
        });
        let case = case.prop_map(|((blank, reduction, zero_infinity), log_probs, mut tensors)| {
            tensors.insert(LOG_PROBS.to_owned(), log_probs);
            (Self { blank, reduction, zero_infinity }, tensors)
        });
        case.boxed()
    }
}

/// The logarithm of a sum over alignments, and what its error is proportional to.
///
/// Each step of the recursion rounds at most twice at the size of its result, half a ULP each, which is an eighth of the
/// budget; where there is more than one term, the exponentials and the logarithm round at the size of 1. An error in a
/// term counts in the sum as much as the term does. So the error is the sum of the sizes of all intermediate results,
/// averaged over the alignments. Roundings of equal steps are equal, so they do add up.
///
/// Logarithms are added up exactly. Their exponentials, and how large the error is, are worked out in f64, which has digits
/// enough for that.
#[derive(Clone, Copy)]
struct LnSum {
    ln: DoubleDouble,
    error: f64,
}

impl LnSum {
    /// The sum that is 1.
    const ONE: Self = Self { ln: DoubleDouble::ZERO, error: 0.0 };

    /// The sum over nothing.
    fn nothing() -> Self {
        Self { ln: DoubleDouble::from_f64(f64::NEG_INFINITY), error: 0.0 }
    }

    fn is_nothing(&self) -> bool {
        self.ln.to_f64() == f64::NEG_INFINITY
    }
}

/// The part of the budget that one ULP is.
fn ulp_of(size: f64) -> f64 {
    size.abs() * 0.125
}

fn exp(ln: f64) -> f64 {
    f64::vectorize(|| Real::exp(ln))
}

/// The alignments of one sample.
struct Alignments<'a> {
    scores: Vec<&'a [DoubleDouble]>,
    /// The class of each state: a label between any two blanks.
    states: Vec<usize>,
    /// A relative error that a careful implementation stays below.
    rounding: f64,
}

impl<'a> Alignments<'a> {
    fn new(scores: Vec<&'a [DoubleDouble]>, labels: &[usize], blank: usize, rounding: f64) -> Self {
        let states = [blank].into_iter().chain(labels.iter().flat_map(|&label| [label, blank])).collect();
        Self { scores, states, rounding }
    }

    /// The most that a share can come out as, given its logarithm and what the error of that is proportional to: so large
    /// may numbers be that their roundings decide between alignments.
    fn share(&self, ln: DoubleDouble, error: f64) -> f64 {
        exp(ln.to_f64() + self.rounding * error)
    }

    fn sum(&self, terms: impl Iterator<Item = LnSum> + Clone) -> LnSum {
        let terms = terms.filter(|term| !term.is_nothing());
        let (first, others) = (terms.clone().next(), terms.clone().skip(1));
        let Some(first) = first else { return LnSum::nothing() };
        if others.clone().next().is_none() {
            return first;
        }
        let largest = others.fold(first.ln, |largest, term| largest.maximum(term.ln));
        let sum: f64 = terms.clone().map(|term| exp((term.ln - largest).to_f64())).sum();
        let ln = largest + DoubleDouble::from_f64(Real::ln(sum));
        let shares = terms.map(|term| Real::minimum(self.share(term.ln - ln, term.error), 1.0) * term.error);
        LnSum { ln, error: 0.5 + shares.sum::<f64>() }
    }

    /// For each step and state the sum over what leads to it, itself included.
    fn sums(&self) -> Vec<Vec<LnSum>> {
        let mut sums: Vec<Vec<LnSum>> = Vec::with_capacity(self.scores.len());
        for scores in &self.scores {
            let of_state = |state: usize| {
                let before = match sums.last() {
                    None if state < 2 => LnSum::ONE,
                    None => LnSum::nothing(),
                    Some(sums) => {
                        let second = state.checked_sub(2).filter(|&second| self.states[second] != self.states[state]);
                        let states = [Some(state), state.checked_sub(1), second];
                        self.sum(states.into_iter().flatten().map(|state| sums[state]))
                    }
                };
                let ln = before.ln + scores[self.states[state]];
                let sum = LnSum { ln, error: before.error + ulp_of(ln.to_f64()) };
                // Whatever is there, no alignment comes to it.
                if before.is_nothing() || sum.is_nothing() { LnSum::nothing() } else { sum }
            };
            let row = (0..self.states.len()).map(of_state).collect();
            sums.push(row);
        }
        sums
    }

    fn likelihood(&self, sums: &[Vec<LnSum>]) -> LnSum {
        match sums.last() {
            Some(sums) => self.sum(sums.iter().rev().take(2).copied()),
            None if self.states.len() == 1 => LnSum::ONE,
            None => LnSum::nothing(),
        }
    }

    /// For each step and class the magnitudes of e^x and of the share of the alignments in the class. The logarithm of that
    /// has the errors of the sums before, after and over all, and is added up from the states of the class, one by one.
    fn slopes(&self, before: &[Vec<LnSum>], likelihood: LnSum) -> Vec<Vec<f64>> {
        let backwards = Self {
            scores: self.scores.iter().rev().copied().collect(),
            states: self.states.iter().rev().copied().collect(),
            ..*self
        };
        let after = backwards.sums();
        let (last_step, last_state) = (self.scores.len().saturating_sub(1), self.states.len() - 1);
        let mut emitted = self.states.clone();
        emitted.sort_unstable();
        emitted.dedup();
        let of_step = |step: usize| {
            let scores = self.scores[step];
            let mut slopes: Vec<f64> = scores.iter().map(|score| exp(score.to_f64())).collect();
            for &class in &emitted {
                let score = scores[class];
                let states = (0..=last_state).filter(|&state| self.states[state] == class);
                let terms = states.filter_map(|state| {
                    let (before, after) = (before[step][state], after[last_step - step][last_state - state]);
                    let is_empty = before.is_nothing() || after.is_nothing();
                    let ln = (before.ln - score) + after.ln;
                    (!is_empty).then_some(LnSum { ln, error: before.error + after.error })
                });
                let terms: Vec<LnSum> = terms.collect();
                let sum = self.sum(terms.iter().copied());
                if sum.is_nothing() {
                    continue;
                }
                let counts = |term: &&LnSum| exp((term.ln - sum.ln).to_f64()) > self.rounding;
                let count = terms.iter().filter(counts).count() as f64;
                let size = sum.ln.to_f64().abs() + score.to_f64().abs();
                let error = sum.error + likelihood.error + count * ulp_of(size);
                slopes[class] += self.share(sum.ln - likelihood.ln, error) * (1.0 + error);
            }
            slopes
        };
        (0..self.scores.len()).map(of_step).collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    steps: usize,
    /// None without a batch.
    batch: Option<usize>,
    classes: usize,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let steps = prop_oneof![1 => Just(1usize), 12 => 2usize..=6, 2 => 10usize..=25];
    let batch = proptest::option::weighted(0.8, 1usize..=3);
    let classes = prop_oneof![1 => Just(1usize), 12 => 2usize..=4, 1 => 20usize..=40];
    let empty = proptest::bool::weighted(0.01);
    (steps, batch, classes, empty).prop_map(|(steps, batch, classes, empty)| {
        let steps = if empty { 0 } else { steps };
        Shape { steps, batch, classes }
    })
}

/// Mostly the log-softmax of something.
fn log_probs(dtype: DType, Shape { steps, batch, classes }: Shape) -> BoxedStrategy<Tensor> {
    let shape: Vec<usize> = [steps].into_iter().chain(batch).chain([classes]).collect();
    let count = shape.iter().product::<usize>();
    let any = generate::tensor(dtype, shape.clone(), generate::any_float(dtype));
    let logit = |size: f64| prop_oneof![500 => -size..size, 1 => Just(f64::NEG_INFINITY)];
    let normalised =
        prop_oneof![3 => vec(logit(4.0), count), 1 => vec(logit(60.0), count)].prop_map(move |mut logits| {
            for row in logits.chunks_mut(classes) {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
                row.iter_mut().for_each(|x| *x = *x - largest - sum.ln());
            }
            generate::floats(dtype, shape.clone(), logits)
        });
    prop_oneof![5 => normalised, 1 => any].boxed()
}

/// Targets in one of the two layouts, and lengths: mostly such that there are alignments, now and then wrong.
fn targets(Shape { steps, batch, classes }: Shape, blank: i64) -> BoxedStrategy<Tensors> {
    let (steps, classes, samples) = (steps as i64, classes as i64, batch.unwrap_or(1));
    let input_length = prop_oneof![30 => Just(steps), 20 => 0..=steps, 1 => select(vec![-1, steps + 1])];
    let most = usize::try_from(steps).unwrap_or(0).min(5);
    let others = (1..classes.max(2)).prop_map(move |distance| (blank + distance).rem_euclid(classes));
    let label = prop_oneof![200 => others, 2 => 0..classes, 1 => select(vec![-1, classes, 255, i64::MAX])];
    let target = prop_oneof![2 => vec(label.clone(), 0..=most), 1 => vec(label, 0..=most / 2)];
    let sample = (input_length, target);
    // More columns than labels, all labels after one another, or one label too many.
    let layout = prop_oneof![10 => (0usize..=2).prop_map(Some), 10 => Just(None)];
    let surplus = proptest::bool::weighted(0.02);
    (vec(sample, samples), layout, -1..=classes, surplus)
        .prop_map(move |(samples, padding, pad, surplus)| {
            let (input_lengths, targets): (Vec<i64>, Vec<Vec<i64>>) = samples.into_iter().unzip();
            let mut lengths: Vec<i64> = targets.iter().map(|target| target.len() as i64).collect();
            lengths[0] += i64::from(surplus);
            let targets = match padding {
                Some(padding) => {
                    let columns = targets.iter().map(Vec::len).max().unwrap_or(0) + padding;
                    let rows = targets.iter().flat_map(|target| {
                        target.iter().copied().chain(std::iter::repeat(pad)).take(columns).collect::<Vec<_>>()
                    });
                    Tensor::new(vec![targets.len(), columns], Data::I64(rows.collect()))
                }
                None => {
                    let labels = targets.concat();
                    Tensor::new(vec![labels.len()], Data::I64(labels))
                }
            };
            let shape: Vec<usize> = batch.into_iter().collect();
            let integers = |integers| Tensor::new(shape.clone(), Data::I64(integers));
            generate::tensors([
                (TARGETS, targets),
                (INPUT_LENGTHS, integers(input_lengths)),
                (TARGET_LENGTHS, integers(lengths)),
            ])
        })
        .boxed()
}
