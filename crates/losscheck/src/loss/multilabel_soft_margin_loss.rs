//! `torch.nn.functional.multilabel_soft_margin_loss`.

use losscheck_options::MultiLabelSoftMarginLoss;
use losscheck_reference::pointwise::Pointwise;
use losscheck_reference::{Backward, DoubleDouble, Error, Real, Shapes, evaluate_multilabel_into};
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

use super::binary_cross_entropy_with_logits::BinaryCrossEntropyWithLogitsScale;
use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// PyTorch documents t ln sigmoid(x) + (1 - t) ln sigmoid(-x): the terms of binary cross-entropy with a `pos_weight`, whose
/// gradient by the target is the difference of both logarithms.
struct BothLogarithms(BinaryCrossEntropyWithLogitsScale);

impl Pointwise<2> for BothLogarithms {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        self.0.value([x, t, R::ONE])
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let [by_input, by_target, _] = self.0.pullback(cotangent, [x, t, R::ONE]);
        [by_input, by_target]
    }
}

impl LossSpec for MultiLabelSoftMarginLoss {
    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        elements::evaluate_weighted(self, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let weight = inputs.float("weight").map(|weight| weight.mapv(Real::abs));
        let cotangent = inputs.cotangent().map(|cotangent| cotangent.mapv(Real::abs));
        let weight = weight.as_ref().map(|weight| weight.view());
        let tensors = (inputs.required("input")?, inputs.required("target")?, weight);
        let Shapes { value, gradients } = losscheck_reference::Loss::shapes(self, &tensors)?;
        let mut value = ArrayD::from_elem(IxDyn(&value), DoubleDouble::ZERO);
        let mut gradients = gradients.map(|shape| ArrayD::from_elem(IxDyn(&shape), DoubleDouble::ZERO));
        let backward = Backward {
            cotangent: cotangent.as_ref().map(|cotangent| cotangent.view()),
            gradients: gradients.each_mut().map(|gradient| Some(gradient.view_mut())),
        };
        let terms =
            InF64(BothLogarithms(BinaryCrossEntropyWithLogitsScale { smallest_normal: inputs.smallest_normal() }));
        evaluate_multilabel_into(self, &terms, &tensors, value.view_mut(), Some(backward))?;
        Ok(ValueAndGradients { value, gradients: elements::INPUT_AND_TARGET.into_iter().zip(gradients).collect() })
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        let inputs = generate::shape().prop_flat_map(move |shape| {
            let tensor = |shape, element| generate::tensor(dtype, shape, element);
            let weight = generate::broadcastable(shape.clone())
                .prop_flat_map(move |shape| generate::tensor(dtype, shape, generate::weight()));
            let target = generate::broadcastable(shape.clone())
                .prop_flat_map(move |shape| generate::tensor(dtype, shape, generate::probability()));
            (tensor(shape, generate::any_float(dtype)), target, generate::optional(weight)).prop_map(
                |(input, target, weight)| {
                    generate::tensors([("input", Some(input)), ("target", Some(target)), ("weight", weight)])
                },
            )
        });
        (options, inputs).boxed()
    }
}
