use ndarray::{ArrayBase, ArrayViewD, ArrayViewMutD, Axis, IxDyn, RawData};

use crate::call::{Call, IntoView};
use crate::loss::{check_buffers, check_shape};
use crate::losses::InputAndClassesWeighted;
use crate::rowwise::{Interleaved, Labels, Rows, Targets, weight_of};
use crate::{Backward, Error, Loss, MultiMarginLoss, Real, Shapes, fold};

/// Computes [`MultiMarginLoss`], with an optional [weight](crate::Call::weight) for each class.
pub fn multi_margin_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, i64>,
    options: MultiMarginLoss,
) -> Call<MultiMarginLoss, InputAndClassesWeighted<'a, R>, R, 1> {
    Call::new(options, (input.into_view(), target.into_view(), None))
}

struct Formula<'a, R> {
    is_squared: bool,
    margin: f64,
    weight: Option<ArrayViewD<'a, R>>,
}

impl<R: Real> Formula<'_, R> {
    /// max(0, margin - x_y + x_i), for a score x_i.
    #[inline(always)]
    fn hinge(&self, own: R, score: R) -> R::Working {
        let z = (R::Working::from_f64(self.margin) - own.widen()) + score.widen();
        z.maximum(R::Working::ZERO)
    }

    /// The slope of that to the power of p.
    #[inline(always)]
    fn slope(&self, own: R, score: R) -> R::Working {
        let z = self.hinge(own, score);
        let slope = if self.is_squared { z + z } else { R::Working::ONE };
        if z > R::Working::ZERO { slope } else { R::Working::ZERO }
    }

    /// The sum of `term(x_y, x_i)` over the other classes.
    #[inline(always)]
    fn sum_of_others<const N: usize>(
        scores: &[[R; N]],
        classes: [usize; N],
        term: impl Fn(R, R) -> R::Working,
    ) -> [R::Working; N] {
        let own = fold::element_of_each(scores, classes);
        let sums = fold::guarded_sum_of_others_of_each(
            scores,
            classes,
            #[inline(always)]
            |row, score| term(own[row], score),
        );
        fold::each(|row| R::working_total(sums[row]))
    }

    /// w_y / C.
    #[inline(always)]
    fn share(&self, class: usize, classes: usize) -> R::Working {
        weight_of(&self.weight, class).widen() / R::Working::from_f64(classes as f64)
    }
}

impl<R: Real> Interleaved<R> for Formula<'_, R> {
    #[inline(always)]
    fn values<const N: usize>(&self, scores: &[[R; N]], classes: [usize; N]) -> [R; N] {
        let sums = Self::sum_of_others(
            scores,
            classes,
            #[inline(always)]
            |own, score| {
                let z = self.hinge(own, score);
                if self.is_squared { z * z } else { z }
            },
        );
        fold::each(
            #[inline(always)]
            |row| R::narrow(sums[row] * self.share(classes[row], scores.len())),
        )
    }

    #[inline(always)]
    fn values_and_pullbacks<const N: usize>(
        &self,
        cotangents: [R; N],
        scores: &[[R; N]],
        classes: [usize; N],
        gradients: &mut [[R; N]],
    ) -> [R; N] {
        let own = fold::element_of_each(scores, classes);
        let factors: [R::Working; N] = fold::each(
            #[inline(always)]
            |row| cotangents[row].widen() * self.share(classes[row], scores.len()),
        );
        for (gradients, scores) in gradients.iter_mut().zip(scores) {
            for row in 0..N {
                gradients[row] = R::narrow(factors[row] * self.slope(own[row], scores[row]));
            }
        }
        let slopes = Self::sum_of_others(
            scores,
            classes,
            #[inline(always)]
            |own, score| self.slope(own, score),
        );
        for row in 0..N {
            gradients[classes[row]][row] = -R::narrow(factors[row] * slopes[row]);
        }
        self.values(scores, classes)
    }
}

fn rows<'a, R: Real>(
    options: &MultiMarginLoss,
    (input, target, weight): &'a InputAndClassesWeighted<'_, R>,
) -> Result<Rows<'a, R, Labels<'a>>, Error> {
    if ![1, 2].contains(&options.p) {
        return Err(Error::Option { name: "p", value: options.p as f64, expected: "1 or 2" });
    }
    let scores = matrix(input)?;
    if let Some(weight) = weight {
        check_shape("weight", weight.shape(), &scores.shape()[1..])?;
    }
    let target = if target.ndim() == 0 { target.view().insert_axis(Axis(0)) } else { target.view() };
    let weight = weight.as_ref().map(|weight| weight.view());
    Ok(Rows { scores, targets: Labels(target), weight, reduction: options.reduction })
}

/// Returns scores as a matrix (N, C). A vector is a single row, and a scalar a row of a single class.
pub(super) fn matrix<'a, R: Real>(input: &'a ArrayViewD<'_, R>) -> Result<ArrayViewD<'a, R>, Error> {
    if input.ndim() > 2 || input.shape().last() == Some(&0) {
        let expected = "a scalar, (C) or (N, C), with at least one class".to_owned();
        return Err(Error::Shape { name: "input", shape: input.shape().to_vec(), expected });
    }
    Ok(with_dimensions(input.view(), 2))
}

/// Puts dimensions of 1 in front of an array until it has `count` dimensions.
pub(super) fn with_dimensions<S: RawData>(array: ArrayBase<S, IxDyn>, count: usize) -> ArrayBase<S, IxDyn> {
    (array.ndim()..count).fold(array, |array, _| array.insert_axis(Axis(0)))
}

impl<'a, R: Real> Loss<R, InputAndClassesWeighted<'a, R>, 1> for MultiMarginLoss {
    fn shapes(&self, inputs: &InputAndClassesWeighted<'a, R>) -> Result<Shapes<1>, Error> {
        let Shapes { value, .. } = rows(self, inputs)?.shapes::<1>()?;
        let value = if inputs.1.ndim() == 0 { Vec::new() } else { value };
        Ok(Shapes { value, gradients: [inputs.0.shape().to_vec()] })
    }

    fn evaluate_into(
        &self,
        inputs: InputAndClassesWeighted<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 1>>,
    ) -> Result<(), Error> {
        let shapes = self.shapes(&inputs)?;
        let rows = rows(self, &inputs)?;
        let weight = rows.weight.as_ref().map(|weight| weight.view());
        let formula = Formula { is_squared: self.p == 2, margin: self.margin, weight };
        evaluate_rows(&rows, &shapes, value, backward, |value, backward| {
            rows.evaluate_side_by_side_into(&formula, value, backward)
        })
    }
}

/// Runs rows (N, C) by `evaluate`, with results that may lack the leading dimensions.
pub(super) fn evaluate_rows<'a, 'b, R: Real, T: Targets<R>>(
    rows: &Rows<'_, R, T>,
    shapes: &Shapes<1>,
    value: ArrayViewMutD<'a, R>,
    backward: Option<Backward<'b, R, 1>>,
    evaluate: impl FnOnce(ArrayViewMutD<'a, R>, Option<Backward<'b, R, 1>>) -> Result<(), Error>,
) -> Result<(), Error> {
    check_buffers(shapes, &value, &backward)?;
    let Shapes { value: of_value, gradients: [of_gradient] } = rows.shapes::<1>()?;
    let value = with_dimensions(value, of_value.len());
    let backward = backward.map(|Backward { cotangent, gradients: [gradient] }| Backward {
        cotangent: cotangent.map(|cotangent| with_dimensions(cotangent, of_value.len())),
        gradients: [gradient.map(|gradient| with_dimensions(gradient, of_gradient.len()))],
    });
    evaluate(value, backward)
}
