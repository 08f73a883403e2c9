use ndarray::{ArrayViewMutD, Axis};

use crate::call::{Call, IntoView};
use crate::loss::check_domain;
use crate::losses::Triple;
use crate::pointwise::{Elements, Pointwise};
use crate::real::ln_2_pi;
use crate::{Backward, Error, GaussianNLLLoss, Loss, Real, Reduction, Shapes};

/// Computes [`GaussianNLLLoss`].
pub fn gaussian_nll_loss<'a, R: Real>(
    input: impl IntoView<'a, R>,
    target: impl IntoView<'a, R>,
    var: impl IntoView<'a, R>,
    options: GaussianNLLLoss,
) -> Call<GaussianNLLLoss, Triple<'a, R>, R, 3> {
    Call::new(options, (input.into_view(), target.into_view(), var.into_view()))
}

const NAMES: [&str; 3] = ["input", "target", "var"];

fn elements<'a, R: Real>(
    reduction: Reduction,
    (input, target, var): &'a Triple<'_, R>,
) -> Result<Elements<'a, R, 3>, Error> {
    let var = if is_without_last(var.shape(), input.shape()) {
        var.view().insert_axis(Axis(var.ndim()))
    } else if var.shape() == input.shape() || has_one_dimension_1(var.shape(), input.shape()) {
        var.view()
    } else {
        let expected = format!("{:?}, that without its last dimension, or with one dimension 1", input.shape());
        return Err(Error::Shape { name: "var", shape: var.shape().to_vec(), expected });
    };
    Ok(Elements::unweighted([input.view(), target.view(), var], reduction))
}

fn is_without_last(var: &[usize], input: &[usize]) -> bool {
    // Equal shapes need no change.
    input.split_last().is_some_and(|(_, rest)| rest == var)
}

/// PyTorch adds up the dimensions of `var` that differ.
fn has_one_dimension_1(var: &[usize], input: &[usize]) -> bool {
    let differing = input.iter().zip(var).filter(|(x, v)| x != v);
    var.len() == input.len() && differing.map(|(_, &v)| v).sum::<usize>() == 1
}

impl Pointwise<3> for GaussianNLLLoss {
    const NEEDS_EXTRA_PRECISION: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, [x, t, var]: [R; 3]) -> R {
        let (half, d) = (R::from_f64(0.5), x - t);
        let v = var.maximum(R::from_f64(self.eps));
        let loss = half * (v.ln() + d * (d / v));
        if self.full { loss + half * ln_2_pi::<R>() } else { loss }
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, [x, t, var]: [R; 3]) -> [R; 3] {
        let d = x - t;
        let v = var.maximum(R::from_f64(self.eps));
        let slope = d / v;
        let by_var = R::from_f64(0.5) * ((R::ONE - d * slope) / v);
        [cotangent * slope, -(cotangent * slope), cotangent * by_var]
    }
}

impl<'a, R: Real> Loss<R, Triple<'a, R>, 3> for GaussianNLLLoss {
    fn shapes(&self, inputs: &Triple<'a, R>) -> Result<Shapes<3>, Error> {
        let mut shapes = elements(self.reduction, inputs)?.shapes(NAMES)?;
        shapes.gradients[2] = inputs.2.shape().to_vec();
        Ok(shapes)
    }

    fn evaluate_into(
        &self,
        inputs: Triple<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 3>>,
    ) -> Result<(), Error> {
        let elements = elements(self.reduction, &inputs)?;
        let is_variance = |v: R| (v >= R::ZERO) | v.is_nan();
        check_domain("var", &inputs.2, is_variance, "a number that is not negative")?;
        let rank = elements.operands[2].ndim();
        let backward = backward.map(|mut backward| {
            // The gradient of `var` has its shape, not the one that it broadcasts in.
            backward.gradients[2] = backward.gradients[2].take().map(|gradient| {
                if gradient.ndim() + 1 == rank { gradient.insert_axis(Axis(rank - 1)) } else { gradient }
            });
            backward
        });
        elements.evaluate_into(self, NAMES, value, backward)
    }
}
