mod trellis;

use std::ops::Range;

use ndarray::{ArrayViewD, ArrayViewMut2, ArrayViewMut3, ArrayViewMutD, Axis, CowArray, IxDyn, s};
use rayon::prelude::*;

use self::trellis::{Trellis, Workspace, is_finite};
use crate::call::{Call, IntoView};
use crate::loss::check_buffers;
use crate::threads;
use crate::{Backward, CTCLoss, Error, Loss, Real, Reduction, Shapes, Sum};

/// Computes [`CTCLoss`].
///
/// # Memory
///
/// Beside its results a call allocates, in each thread that works on it, (T + 4) (2 S + 3) numbers for the largest of its samples,
/// or 2 (2 S + 3) without the gradient, and 72 S bytes; 200 bytes for each sample and 8 for each label; and copies of
/// log-probabilities and of a buffer for their gradient that do not lie in order.
pub fn ctc_loss<'a, R: Real>(
    log_probs: impl IntoView<'a, R>,
    targets: impl IntoView<'a, i64>,
    input_lengths: impl IntoView<'a, i64>,
    target_lengths: impl IntoView<'a, i64>,
    options: CTCLoss,
) -> Call<CTCLoss, LogProbsAndLabels<'a, R>, R, 1> {
    Call::new(
        options,
        (log_probs.into_view(), targets.into_view(), input_lengths.into_view(), target_lengths.into_view()),
    )
}

/// [`CTCLoss`] with the derivative of its formula by the log-probabilities as the gradient, instead of PyTorch's gradient.
///
/// PyTorch's is the derivative by the logits, provided that log_softmax made the log-probabilities of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CTCLossByLogProbs(pub CTCLoss);

/// An algorithm with the options and the gradient that is wanted. Where the share of the alignments that are in a class is
/// more than half, the difference of e^x and the share is taken of their complements, so that it does not cancel.
#[derive(Clone, Copy, Debug)]
struct Alignments {
    blank: i64,
    reduction: Reduction,
    zero_infinity: bool,
    gradient: CTCGradient,
}

impl Alignments {
    fn new(&CTCLoss { blank, reduction, zero_infinity }: &CTCLoss, gradient: CTCGradient) -> Self {
        Self { blank, reduction, zero_infinity, gradient }
    }
}

/// What the gradient is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CTCGradient {
    /// PyTorch's: the gradient by the logits, provided that log-softmax made the log-probabilities of them. The backward
    /// pass of log-softmax leaves it as it is.
    ByLogits,
    /// The derivative by the log-probabilities.
    ByLogProbs,
}

/// Log-probabilities, targets, the lengths of the inputs and those of the targets.
pub type LogProbsAndLabels<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, i64>, ArrayViewD<'a, i64>, ArrayViewD<'a, i64>);

/// As how many elements of a simple loss a state of a trellis counts.
const COST_OF_A_STATE: usize = 64;

/// The inputs of one call, checked.
struct Batch<'a, R> {
    log_probs: CowArray<'a, R, IxDyn>,
    classes: usize,
    input_lengths: Vec<usize>,
    /// One target after the other.
    labels: Vec<usize>,
    /// Those of each sample.
    targets: Vec<Range<usize>>,
}

impl<R: Real> Batch<'_, R> {
    /// The states of all alignments' trellises.
    fn states(&self) -> usize {
        let of_sample = |(target, steps): (&Range<usize>, &usize)| (2 * target.len() + 1).saturating_mul(*steps);
        let states = self.targets.iter().zip(&self.input_lengths).map(of_sample);
        states.fold(0, usize::saturating_add)
    }

    #[inline(always)]
    fn scores(&self, sample: usize, step: usize) -> &[R] {
        // In order, for that is how `Alignments::batch` holds them.
        let start = (step * self.targets.len() + sample) * self.classes;
        &self.log_probs.as_slice().unwrap_or_default()[start..][..self.classes]
    }
}

/// What the gradient starts from and where it goes, in the order of the log-probabilities.
struct Gradient<'a, R> {
    cotangents: Vec<R>,
    log_probs: ArrayViewMut3<'a, R>,
}

impl Alignments {
    /// The number of steps, samples and classes; with the blank, one of these.
    fn dims<R: Real>(&self, log_probs: &ArrayViewD<'_, R>) -> Result<([usize; 3], usize), Error> {
        let dims = match *log_probs.shape() {
            [steps, classes] => [steps, 1, classes],
            [steps, samples, classes] => [steps, samples, classes],
            _ => [0; 3],
        };
        if dims.contains(&0) {
            let expected = "(T, N, C) or (T, C), none of these 0".to_owned();
            return Err(Error::Shape { name: "log_probs", shape: log_probs.shape().to_vec(), expected });
        }
        let blank = usize::try_from(self.blank).ok().filter(|&blank| blank < dims[2]);
        let error = Error::Option { name: "blank", value: self.blank as f64, expected: "the index of a class" };
        Ok((dims, blank.ok_or(error)?))
    }

    fn batch<'a, R: Real>(
        &self,
        (log_probs, targets, input_lengths, target_lengths): &'a LogProbsAndLabels<'_, R>,
    ) -> Result<Batch<'a, R>, Error> {
        let ([steps, samples, classes], _) = self.dims(log_probs)?;
        let error = |expected| Error::Shape { name: "targets", shape: targets.shape().to_vec(), expected };
        // The columns, where each sample has a row; else all labels.
        let (is_padded, width) = match *targets.shape() {
            [labels] => (false, labels),
            [rows, columns] if rows == samples => (true, columns),
            _ => return Err(error(format!("({samples}, S), or the sum of the target lengths"))),
        };
        let input_lengths = lengths("input_lengths", input_lengths, samples, steps)?;
        let target_lengths = lengths("target_lengths", target_lengths, samples, width)?;
        let total = target_lengths.iter().fold(0_usize, |total, &length| total.saturating_add(length));
        if !is_padded && total != width {
            return Err(error(format!("({total}), the sum of the target lengths, or ({samples}, S)")));
        }

        let mut labels = Vec::with_capacity(total);
        let mut all = targets.iter();
        let targets = target_lengths.into_iter().map(|length| {
            let start = labels.len();
            for &label in all.by_ref().take(length) {
                labels.push(in_range("targets", label, labels.len(), classes - 1)?);
            }
            if is_padded {
                all.by_ref().take(width - length).for_each(drop);
            }
            Ok(start..labels.len())
        });
        let targets = targets.collect::<Result<_, Error>>()?;
        Ok(Batch { log_probs: log_probs.as_standard_layout(), classes, input_lengths, labels, targets })
    }

    fn run<R: Real>(
        &self,
        batch: &Batch<'_, R>,
        blank: usize,
        mut value: ArrayViewMutD<'_, R>,
        mut gradient: Option<Gradient<'_, R>>,
    ) {
        let is_mean = self.reduction == Reduction::Mean;
        let is_reduced = self.reduction != Reduction::None;
        let samples = batch.targets.len();
        let count = R::from_f64(if is_mean { samples as f64 } else { 1.0 });
        let (cotangents, gradients) = match &mut gradient {
            Some(Gradient { cotangents, log_probs }) => {
                (&**cotangents, log_probs.axis_iter_mut(Axis(1)).map(Some).collect())
            }
            None => (&[][..], (0..samples).map(|_| None).collect::<Vec<_>>()),
        };
        let one = |workspace: &mut Workspace<R>, (sample, gradient): (usize, Option<ArrayViewMut2<'_, R>>)| {
            let length = if is_mean { batch.targets[sample].len().max(1) as f64 } else { 1.0 };
            let length = R::from_f64(length);
            let cotangent = cotangents.get(if is_reduced { 0 } else { sample }).copied().unwrap_or(R::ONE);
            let gradient = gradient.map(|gradient| (cotangent / (count * length), gradient));
            R::vectorize(
                #[inline(always)]
                || self.run_sample(batch, sample, blank, workspace, gradient) / length,
            )
        };
        let work = gradients.into_iter().enumerate();
        // The first is a constant: rayon's part is not compiled for types without vectors.
        let losses: Vec<R> =
            if R::HAS_VECTORS && samples > 1 && threads::is_worth_sharing(batch.states() * COST_OF_A_STATE) {
                work.collect::<Vec<_>>().into_par_iter().map_init(Workspace::new, one).collect()
            } else {
                let mut workspace = Workspace::new();
                work.map(|sample| one(&mut workspace, sample)).collect()
            };
        if is_reduced {
            let sum = losses.into_iter().fold(R::Sum::ZERO, R::Sum::plus);
            value.fill(sum.over(R::Sum::ZERO.plus(count)));
        } else {
            value.iter_mut().zip(losses).for_each(|(to, loss)| *to = loss);
        }
    }

    /// The loss of one sample; writes its gradient, given what each step's is multiplied by.
    #[inline(always)]
    fn run_sample<R: Real>(
        &self,
        batch: &Batch<'_, R>,
        sample: usize,
        blank: usize,
        workspace: &mut Workspace<R>,
        gradient: Option<(R, ArrayViewMut2<'_, R>)>,
    ) -> R {
        let impossible = R::from_f64(f64::NEG_INFINITY);
        let (labels, steps) = (&batch.labels[batch.targets[sample].clone()], batch.input_lengths[sample]);
        let scores = |step| batch.scores(sample, step);
        let trellis = Trellis::new(labels, blank, steps);
        let likelihood = match &trellis {
            Some(trellis) => trellis.forward(scores, gradient.is_some(), workspace),
            None => impossible,
        };
        let is_zeroed = self.zero_infinity && likelihood == impossible;
        if let Some((cotangent, mut gradient)) = gradient {
            match &trellis {
                Some(trellis) if is_finite(likelihood) => trellis.backward(
                    scores,
                    workspace,
                    #[inline(always)]
                    |step, weights| {
                        let mut row = gradient.row_mut(step);
                        // In order, for that is how `Alignments::evaluate_into` lends it.
                        let row = row.as_slice_mut().unwrap_or_default();
                        self.write_step(cotangent, scores(step), trellis.classes(), weights, row);
                    },
                ),
                _ => {
                    let slope = R::from_f64(if is_zeroed { 0.0 } else { f64::NAN });
                    gradient.slice_mut(s![..steps, ..]).fill(slope);
                }
            }
            gradient.slice_mut(s![steps.., ..]).fill(R::ZERO);
        }
        if is_zeroed { R::ZERO } else { -likelihood }
    }

    /// The gradient of one step, given the weight of the alignments in each of the `classes`.
    #[inline(always)]
    fn write_step<R: Real>(
        &self,
        cotangent: R,
        scores: &[R],
        classes: &[usize],
        weights: &[R::Sum],
        gradient: &mut [R],
    ) {
        match self.gradient {
            CTCGradient::ByLogProbs => gradient.fill(R::ZERO),
            CTCGradient::ByLogits => {
                for (gradient, &score) in gradient.iter_mut().zip(scores) {
                    *gradient = cotangent * score.exp();
                }
            }
        }
        let half = R::from_f64(0.5);
        let all = merged(weights, &[]);
        for (at, (&class, weight)) in classes.iter().zip(weights).enumerate() {
            let share = weight.over(all);
            let slope = match self.gradient {
                CTCGradient::ByLogProbs => -share,
                CTCGradient::ByLogits if share > half => {
                    merged(&weights[..at], &weights[at + 1..]).over(all) + scores[class].exp_m1()
                }
                CTCGradient::ByLogits => scores[class].exp() - share,
            };
            gradient[class] = cotangent * slope;
        }
    }
}

#[inline(always)]
fn merged<R, S: Sum<R>>(some: &[S], others: &[S]) -> S {
    some.iter().chain(others).fold(S::ZERO, |sum, &weight| sum.merge(weight))
}

/// One length for each sample.
fn lengths(
    name: &'static str,
    lengths: &ArrayViewD<'_, i64>,
    samples: usize,
    longest: usize,
) -> Result<Vec<usize>, Error> {
    if lengths.len() != samples {
        let expected = format!("({samples}), one length for each sample");
        return Err(Error::Shape { name, shape: lengths.shape().to_vec(), expected });
    }
    lengths.iter().enumerate().map(|(sample, &length)| in_range(name, length, sample, longest)).collect()
}

fn in_range(name: &'static str, value: i64, place: usize, largest: usize) -> Result<usize, Error> {
    let in_range = usize::try_from(value).ok().filter(|&value| value <= largest);
    in_range.ok_or(Error::Integer { name, value, place, largest })
}

impl<'a, R: Real> Loss<R, LogProbsAndLabels<'a, R>, 1> for Alignments {
    fn shapes(&self, (log_probs, ..): &LogProbsAndLabels<'a, R>) -> Result<Shapes<1>, Error> {
        let ([_, samples, _], _) = self.dims(log_probs)?;
        let is_scalar = self.reduction != Reduction::None || log_probs.ndim() == 2;
        let value = if is_scalar { Vec::new() } else { vec![samples] };
        Ok(Shapes { value, gradients: [log_probs.shape().to_vec()] })
    }

    fn evaluate_into(
        &self,
        inputs: LogProbsAndLabels<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        check_buffers(&self.shapes(&inputs)?, &value, &backward)?;
        let (batch, (_, blank)) = (self.batch(&inputs)?, self.dims(&inputs.0)?);
        let (cotangent, mut buffer) = backward.map_or((None, None), |backward| {
            let [buffer] = backward.gradients;
            (backward.cotangent, buffer)
        });
        let cotangents = cotangent.iter().flatten().copied().collect();
        let ([steps, samples, classes], _) = self.dims(&inputs.0)?;
        let in_order = buffer.as_mut().map(|buffer| buffer.as_slice_mut());
        let mut copy = match &in_order {
            Some(None) => vec![R::ZERO; inputs.0.len()],
            _ => Vec::new(),
        };
        let gradient = in_order.and_then(|slice| {
            // The buffer has been checked to be of that many numbers.
            let log_probs = ArrayViewMut3::from_shape((steps, samples, classes), slice.unwrap_or(&mut copy)).ok()?;
            Some(Gradient { cotangents, log_probs })
        });
        self.run(&batch, blank, value, gradient);
        for (to, &from) in buffer.iter_mut().flatten().zip(&copy) {
            *to = from;
        }
        Ok(())
    }
}

impl<'a, R: Real> Loss<R, LogProbsAndLabels<'a, R>, 1> for CTCLoss {
    fn shapes(&self, inputs: &LogProbsAndLabels<'a, R>) -> Result<Shapes<1>, Error> {
        Alignments::new(self, CTCGradient::ByLogits).shapes(inputs)
    }

    fn evaluate_into(
        &self,
        inputs: LogProbsAndLabels<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        Alignments::new(self, CTCGradient::ByLogits).evaluate_into(inputs, value, backward)
    }
}

impl<'a, R: Real> Loss<R, LogProbsAndLabels<'a, R>, 1> for CTCLossByLogProbs {
    fn shapes(&self, inputs: &LogProbsAndLabels<'a, R>) -> Result<Shapes<1>, Error> {
        Alignments::new(&self.0, CTCGradient::ByLogProbs).shapes(inputs)
    }

    fn evaluate_into(
        &self,
        inputs: LogProbsAndLabels<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        Alignments::new(&self.0, CTCGradient::ByLogProbs).evaluate_into(inputs, value, backward)
    }
}
