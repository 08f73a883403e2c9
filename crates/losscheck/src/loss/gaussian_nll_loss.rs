//! `torch.nn.functional.gaussian_nll_loss`.

use losscheck_options::GaussianNLLLoss;
use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{DoubleDouble, Error, Real};
use ndarray::{ArrayD, Axis, IxDyn};
use proptest::prelude::*;

use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

const NAMES: [&str; 3] = ["input", "target", "var"];

/// The logarithm, the square over the variance, which may be subnormal before the division, and the constant.
struct GaussianNllScale {
    loss: GaussianNLLLoss,
    smallest_normal: f64,
}

impl GaussianNllScale {
    fn square<R: Real>(&self, x: R, t: R) -> R {
        ((x - t) * (x - t)).maximum(R::from_f64(self.smallest_normal))
    }

    fn variance<R: Real>(&self, var: R) -> R {
        var.maximum(R::from_f64(self.loss.eps)).abs()
    }
}

impl Pointwise<3> for GaussianNllScale {
    fn value<R: Real>(&self, [x, t, var]: [R; 3]) -> R {
        let (half, v) = (R::from_f64(0.5), self.variance(var));
        let constant = if self.loss.full { R::ONE } else { R::ZERO };
        half * (v.ln().abs() + self.square(x, t) / v) + constant
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t, var]: [R; 3]) -> [R; 3] {
        let v = self.variance(var);
        let smallest_normal = R::from_f64(self.smallest_normal);
        let by_input = cotangent * ((x - t) / v).abs().maximum(smallest_normal / v);
        // Where the cotangent over the variance is subnormal, the difference magnifies what it has lost.
        let by_input = if cotangent == R::ZERO { cotangent } else { by_input.maximum(smallest_normal * (x - t).abs()) };
        let by_var = cotangent * R::from_f64(0.5) * (R::ONE + self.square(x, t) / v) / v;
        [by_input, by_input, by_var]
    }
}

impl LossSpec for GaussianNLLLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let tensors = (inputs.required("input")?, inputs.required("target")?, inputs.required("var")?);
        ValueAndGradients::of(&Self { eps: inputs.option(self.eps), ..*self }, tensors, inputs, NAMES, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let (input, var) = (inputs.required("input")?, inputs.required("var")?);
        // As the loss does, with the shape that its own gradient has in the end.
        let shape = var.shape().to_vec();
        let lacks_last = input.shape().split_last().is_some_and(|(_, rest)| rest == shape);
        let var = if lacks_last { var.insert_axis(Axis(shape.len())) } else { var };
        let loss = Self { eps: inputs.option(self.eps), ..*self };
        let terms = InF64(GaussianNllScale { loss, smallest_normal: inputs.smallest_normal() });
        let elements = Elements::unweighted([input, inputs.required("target")?, var], self.reduction);
        let mut evaluation = elements::error_scale(&terms, elements, NAMES, inputs.cotangent())?;
        for (_, gradient) in evaluation.gradients.iter_mut().filter(|(name, _)| lacks_last && *name == "var") {
            let all = std::mem::replace(gradient, ArrayD::from_elem(IxDyn(&[]), DoubleDouble::ZERO));
            *gradient = all.remove_axis(Axis(shape.len()));
        }
        Ok(evaluation)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let eps = prop_oneof![4 => Just(1e-6), 2 => 1e-3..0.5, 1 => proptest::sample::select(vec![0.0, -1.0])];
        let options = (any::<bool>(), eps, generate::reduction()).prop_map(|(full, eps, reduction)| Self {
            full,
            eps,
            reduction,
        });
        let tensors = generate::shape()
            .prop_flat_map(|shape| (generate::broadcastable(shape.clone()), variance_shape(shape.clone()), Just(shape)))
            .prop_flat_map(move |(target, var, input)| {
                let variance = prop_oneof![30 => 0.01..4.0, 3 => 1e-4..1e4, 1 => Just(0.0),
                    1 => generate::any_float(dtype).prop_map(|v| if v > -50.0 { v.abs() } else { v })];
                (
                    generate::tensor(dtype, input, generate::any_float(dtype)),
                    generate::tensor(dtype, target, generate::any_float(dtype)),
                    generate::tensor(dtype, var, variance.boxed()),
                )
            })
            .prop_map(|(input, target, var)| {
                generate::tensors([("input", Some(input)), ("target", Some(target)), ("var", Some(var))])
            });
        (options, tensors).boxed()
    }
}

/// That of the input, without the last dimension or with one of 1; now and then one that is refused.
fn variance_shape(input: Vec<usize>) -> BoxedStrategy<Vec<usize>> {
    let Some(last) = input.len().checked_sub(1) else { return Just(input).boxed() };
    let without_last = input[..last].to_vec();
    let with_one = (0..=last).prop_map({
        let input = input.clone();
        move |axis| {
            let mut shape = input.clone();
            shape[axis] = 1;
            shape
        }
    });
    prop_oneof![8 => Just(input), 3 => Just(without_last), 3 => with_one, 1 => Just(vec![1, 1])].boxed()
}
