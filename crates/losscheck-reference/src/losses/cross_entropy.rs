use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::call::{ClassTarget, IntoView};
use crate::fold;
use crate::losses::{InputAndClassesWeighted, InputAndTargetWeighted};
use crate::rowwise::{Classes, Interleaved, Probabilities, RowGradients, Rows, Rowwise, weight_of};
use crate::{Backward, CrossEntropyLoss, Error, Loss, Real, Shapes, Sum, prefetch};

/// Computes [`CrossEntropyLoss`], with an optional [weight](crate::Call::weight) for each class.
///
/// The target holds classes, as `i64`, or probabilities, in the dtype of the input. Nothing cancels, however confident the
/// prediction is: with the largest score m and the sum s of e^(x_c - m) over the *other* classes, -ln p_c is
/// (m - x_c) + ln_1p(s), whose terms are not negative.
///
/// # Examples
///
/// ```
/// use losscheck_reference::{CrossEntropyLoss, cross_entropy};
/// use ndarray::array;
///
/// let logits = array![[2.0_f32, 0.5, 0.3], [0.1, 3.0, 0.2], [0.2, 0.1, 4.0]];
/// let target = array![0_i64, 1, 2];
/// let weight = array![1.0_f32, 2.0, 0.5];
///
/// let options = CrossEntropyLoss { label_smoothing: 0.1, ..Default::default() };
/// let (loss, gradient) = cross_entropy(&logits, &target, options).weight(&weight).value_and_gradient(None)?;
/// assert_eq!(loss.ndim(), 0);
/// assert_eq!(gradient.shape(), [3, 3]);
/// # Ok::<(), losscheck_reference::Error>(())
/// ```
pub fn cross_entropy<'a, R: Real, T: ClassTarget<R>>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, T>,
    options: CrossEntropyLoss,
) -> T::CrossEntropy<'a> {
    T::cross_entropy(input.into_view(), target.into_view(), options)
}

/// Any target. With m = x_k the largest score and s the sum of e^(x_c - m) over the *other* classes, -ln p_c is
/// (m - x_c) + ln_1p(s): no term is negative, so that nothing cancels, however confident the prediction is. Likewise the
/// gradient p_c (sum of the other coefficients) - (its own) (1 - p_c) takes 1 - p_k from s.
struct Formula<'a, R> {
    weight: Option<ArrayViewD<'a, R>>,
    label_smoothing: f64,
}

/// -ln softmax of rows side by side.
struct NegLogSoftmax<R, const N: usize> {
    /// The largest score of each row, and its class.
    max: [R; N],
    argmax: [usize; N],
    /// The sum of e^(x_c - max) over the other classes.
    others: [R; N],
    /// ln(1 + others).
    ln_sum: [R; N],
}

impl<R: Real, const N: usize> NegLogSoftmax<R, N> {
    /// Leaves e^(x_c - max) in `exps`. `enter` takes the scores into this arithmetic.
    #[inline(always)]
    fn with_exps<S: Real>(scores: &[[S; N]], enter: impl Fn(S) -> R, exps: &mut [[R; N]]) -> Self {
        let neg_log_softmax = Self::with(
            scores,
            enter,
            #[inline(always)]
            |at, terms| {
                let exps = &mut exps[at..at + terms.len()];
                prefetch::ahead_of(exps);
                exps.copy_from_slice(terms);
            },
        );
        for (row, &argmax) in neg_log_softmax.argmax.iter().enumerate() {
            if let Some(exps) = exps.get_mut(argmax) {
                exps[row] = R::ONE;
            }
        }
        neg_log_softmax
    }

    #[inline(always)]
    fn new<S: Real>(scores: &[[S; N]], enter: impl Fn(S) -> R) -> Self {
        Self::with(scores, enter, |_, _| ())
    }

    #[inline(always)]
    fn with<S: Real>(scores: &[[S; N]], enter: impl Fn(S) -> R, keep: impl FnMut(usize, &[[R; N]])) -> Self {
        let (max, argmax) = fold::max_of_each(scores);
        let max = fold::each(|row| enter(max[row]));
        let sums = fold::sum_of_others_of_each(
            scores,
            argmax,
            #[inline(always)]
            |row, score| (enter(score) - max[row]).exp(),
            keep,
        );
        let (mut others, mut ln_sum) = ([R::ZERO; N], [R::ZERO; N]);
        for row in 0..N {
            // An infinite or NaN maximum makes everything NaN, as it does in PyTorch.
            others[row] = sums[row].total() + max[row] * R::ZERO;
            ln_sum[row] = others[row].ln_1p();
        }
        Self { max, argmax, others, ln_sum }
    }

    /// -ln p of a class with this score.
    #[inline(always)]
    fn neg_log_prob(&self, row: usize, score: R) -> R {
        (self.max[row] - score) + self.ln_sum[row]
    }

    /// -ln p of a class of each row, with these scores.
    #[inline(always)]
    fn of_each(&self, scores: [R; N]) -> [R; N] {
        fold::each(|row| self.neg_log_prob(row, scores[row]))
    }

    /// e^(x_c - max) summed over all classes but this one.
    #[inline(always)]
    fn exp_sum_except(&self, row: usize, class: usize, exp: R) -> R {
        if class == self.argmax[row] { self.others[row] } else { (R::ONE + self.others[row]) - exp }
    }
}

impl<R: Real> Formula<'_, R> {
    /// What the target puts on a class, given its probability before smoothing.
    #[inline(always)]
    fn coefficient(&self, class: usize, probability: R, classes: usize) -> R::Working {
        let constant = R::Working::from_f64;
        let smoothed = if self.label_smoothing > 0.0 {
            let share = constant(self.label_smoothing / classes as f64);
            probability.widen() * constant(1.0 - self.label_smoothing) + share
        } else {
            probability.widen()
        };
        smoothed * weight_of(&self.weight, class).widen()
    }

    #[inline(always)]
    fn value_of_coefficients(scores: &[R], coefficient: impl Fn(usize) -> R::Working) -> R {
        Self::weighted(&NegLogSoftmax::new(fold::single(scores), R::widen), scores, coefficient)
    }

    #[inline(always)]
    fn weighted(
        neg_log_softmax: &NegLogSoftmax<R::Working, 1>,
        scores: &[R],
        coefficient: impl Fn(usize) -> R::Working,
    ) -> R {
        let sum = fold::sum(scores.len(), |c| coefficient(c) * neg_log_softmax.neg_log_prob(0, scores[c].widen()));
        R::narrow(sum.total())
    }

    /// Gradients that cancel where a class is as probable as it should be.
    #[inline(always)]
    fn pullback_of_coefficients(
        cotangent: R,
        scores: &[R],
        coefficient: impl Fn(usize) -> R::Working,
        gradient: &mut [R],
        exps: &mut Vec<R::Working>,
    ) -> (R, NegLogSoftmax<R::Working, 1>) {
        exps.resize(scores.len(), R::Working::ZERO);
        let neg_log_softmax = NegLogSoftmax::with_exps(fold::single(scores), R::widen, fold::single_mut(exps));
        let total = fold::sum(scores.len(), &coefficient);
        let sum = R::Working::ONE + neg_log_softmax.others[0];
        for (c, (gradient, &exp)) in gradient.iter_mut().zip(&*exps).enumerate() {
            let own = coefficient(c);
            let others = total.plus(-own).total();
            let (p, rest) = (exp / sum, neg_log_softmax.exp_sum_except(0, c, exp) / sum);
            *gradient = R::narrow(cotangent.widen() * (p * others - rest * own));
        }
        (Self::weighted(&neg_log_softmax, scores, coefficient), neg_log_softmax)
    }
}

/// Class indices with smoothing; those without have [`Unsmoothed`], where no other class has a coefficient.
impl<R: Real> Rowwise<R, usize> for Formula<'_, R> {
    #[inline(always)]
    fn value(&self, scores: &[R], class: usize) -> R {
        Self::value_of_coefficients(scores, |c| self.coefficient(c, one_hot(c, class), scores.len()))
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, scores: &[R], class: usize, gradients: RowGradients<'_, R>) -> R {
        let coefficient = |c| self.coefficient(c, one_hot(c, class), scores.len());
        let RowGradients { scores: gradient, workspace, .. } = gradients;
        Self::pullback_of_coefficients(cotangent, scores, coefficient, gradient, workspace).0
    }
}

#[inline(always)]
fn one_hot<R: Real>(c: usize, class: usize) -> R {
    if c == class { R::ONE } else { R::ZERO }
}

impl<R: Real> Rowwise<R, &[R]> for Formula<'_, R> {
    #[inline(always)]
    fn value(&self, scores: &[R], target: &[R]) -> R {
        Self::value_of_coefficients(scores, |c| self.coefficient(c, target[c], scores.len()))
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, scores: &[R], target: &[R], gradients: RowGradients<'_, R>) -> R {
        let coefficient = |c| self.coefficient(c, target[c], scores.len());
        let RowGradients { scores: gradient, target: target_gradient, workspace } = gradients;
        let (value, neg_log_softmax) =
            Self::pullback_of_coefficients(cotangent, scores, coefficient, gradient, workspace);
        if let Some(target_gradient) = target_gradient {
            let share = if self.label_smoothing > 0.0 { 1.0 - self.label_smoothing } else { 1.0 };
            let factor = cotangent.widen() * R::Working::from_f64(share);
            for (c, gradient) in target_gradient.iter_mut().enumerate() {
                let factor = factor * weight_of(&self.weight, c).widen();
                *gradient = R::narrow(factor * neg_log_softmax.neg_log_prob(0, scores[c].widen()));
            }
        }
        value
    }
}

/// The formula for class indices without smoothing.
struct Unsmoothed<'a, R> {
    weight: Option<ArrayViewD<'a, R>>,
}

impl<R: Real> Unsmoothed<'_, R> {
    /// Each number times the weight of its class.
    #[inline(always)]
    fn weighted_each<const N: usize>(&self, classes: [usize; N], numbers: [R; N]) -> [R; N] {
        if self.weight.is_none() {
            return numbers;
        }
        fold::each(|row| numbers[row] * weight_of(&self.weight, classes[row]))
    }
}

impl<R: Real> Interleaved<R> for Unsmoothed<'_, R> {
    #[inline(always)]
    fn values<const N: usize>(&self, scores: &[[R; N]], classes: [usize; N]) -> [R; N] {
        let neg_log_softmax = NegLogSoftmax::new(scores, |score| score);
        self.weighted_each(classes, neg_log_softmax.of_each(fold::element_of_each(scores, classes)))
    }

    #[inline(always)]
    fn values_and_pullbacks<const N: usize>(
        &self,
        cotangents: [R; N],
        scores: &[[R; N]],
        classes: [usize; N],
        gradients: &mut [[R; N]],
    ) -> [R; N] {
        let neg_log_softmax = NegLogSoftmax::with_exps(scores, |score| score, gradients);
        let weighted = self.weighted_each(classes, cotangents);
        let factors: [R; N] = fold::each(|row| weighted[row] / (R::ONE + neg_log_softmax.others[row]));
        let own: [R; N] = fold::each(|row| {
            let class = classes[row];
            -(factors[row] * neg_log_softmax.exp_sum_except(row, class, gradients[class][row]))
        });
        for gradients in gradients.iter_mut() {
            for row in 0..N {
                gradients[row] = gradients[row] * factors[row];
            }
        }
        for row in 0..N {
            gradients[classes[row]][row] = own[row];
        }
        self.weighted_each(classes, neg_log_softmax.of_each(fold::element_of_each(scores, classes)))
    }
}

/// Writes the logarithms of a row's softmax.
#[inline(always)]
pub(super) fn log_softmax<R: Real>(scores: &[R], logarithms: &mut [R]) {
    let neg_log_softmax = NegLogSoftmax::new(fold::single(scores), |score| score);
    for (logarithm, &score) in logarithms.iter_mut().zip(scores) {
        *logarithm = -neg_log_softmax.neg_log_prob(0, score);
    }
}

/// Writes the gradient of the scores, given that of the logarithms of their softmax.
#[inline(always)]
pub(super) fn log_softmax_pullback<R: Real>(
    cotangent: &[R],
    scores: &[R],
    gradient: &mut [R],
    workspace: &mut Vec<R::Working>,
) {
    Formula::pullback_of_coefficients(-R::ONE, scores, |c| cotangent[c].widen(), gradient, workspace);
}

pub(super) fn check_label_smoothing(value: f64) -> Result<(), Error> {
    if value <= 1.0 {
        Ok(())
    } else {
        Err(Error::Option { name: "label_smoothing", value, expected: "a number that is at most 1" })
    }
}

fn rows<'a, R: Real, T>(
    options: &CrossEntropyLoss,
    input: &'a ArrayViewD<'_, R>,
    targets: T,
    weight: &'a Option<ArrayViewD<'_, R>>,
) -> Result<Rows<'a, R, T>, Error> {
    check_label_smoothing(options.label_smoothing)?;
    let weight = weight.as_ref().map(|weight| weight.view());
    Ok(Rows { scores: input.view(), targets, weight, reduction: options.reduction })
}

fn rows_of_classes<'a, R: Real>(
    options: &CrossEntropyLoss,
    (input, target, weight): &'a InputAndClassesWeighted<'_, R>,
) -> Result<Rows<'a, R, Classes<'a>>, Error> {
    rows(options, input, Classes { indices: target.view(), ignore_index: options.ignore_index }, weight)
}

fn rows_of_probabilities<'a, R: Real>(
    options: &CrossEntropyLoss,
    (input, target, weight): &'a InputAndTargetWeighted<'_, R>,
) -> Result<Rows<'a, R, Probabilities<'a, R>>, Error> {
    if options.ignore_index >= 0 {
        let value = options.ignore_index as f64;
        let expected = "a negative number, for it means nothing beside probabilities";
        return Err(Error::Option { name: "ignore_index", value, expected });
    }
    rows(options, input, Probabilities(target.view()), weight)
}

impl<'a, R: Real> Loss<R, InputAndClassesWeighted<'a, R>, 1> for CrossEntropyLoss {
    fn shapes(&self, inputs: &InputAndClassesWeighted<'a, R>) -> Result<Shapes<1>, Error> {
        rows_of_classes(self, inputs)?.shapes()
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClassesWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        let rows = rows_of_classes(self, &inputs)?;
        let weight = rows.weight.as_ref().map(|weight| weight.view());
        if self.label_smoothing > 0.0 {
            rows.evaluate_into(&Formula { weight, label_smoothing: self.label_smoothing }, value, backward)
        } else {
            rows.evaluate_side_by_side_into(&Unsmoothed { weight }, value, backward)
        }
    }
}

impl<'a, R: Real> Loss<R, InputAndTargetWeighted<'a, R>, 2> for CrossEntropyLoss {
    fn shapes(&self, inputs: &InputAndTargetWeighted<'a, R>) -> Result<Shapes<2>, Error> {
        rows_of_probabilities(self, inputs)?.shapes()
    }

    fn evaluate_into(
        &self,
        inputs: InputAndTargetWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        let rows = rows_of_probabilities(self, &inputs)?;
        let weight = rows.weight.as_ref().map(|weight| weight.view());
        rows.evaluate_into(&Formula { weight, label_smoothing: self.label_smoothing }, value, backward)
    }
}
