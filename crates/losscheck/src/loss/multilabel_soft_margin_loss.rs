//! `torch.nn.functional.multilabel_soft_margin_loss`.

use losscheck_reference::pointwise::Pointwise;
use losscheck_reference::{Backward, DoubleDouble, Error, MultiLabelSoftMarginLoss, Real, Reduction, Shapes};
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::binary_cross_entropy_with_logits::BinaryCrossEntropyWithLogitsScale;
use super::elements::{self, InF64};
use super::{Inputs, LossSpec, Request, Signature, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How the rows' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

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

impl LossSpec for Options {
    const SIGNATURE: Signature = Signature { optional: &["weight"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let loss = MultiLabelSoftMarginLoss { weight: inputs.float("weight"), reduction: self.reduction };
        elements::evaluate(&loss, inputs, request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        let pair = (inputs.required("input")?, inputs.required("target")?);
        let weight = inputs.float("weight").map(|weight| weight.mapv(Real::abs));
        let cotangent = inputs.cotangent().map(|cotangent| cotangent.mapv(Real::abs));
        let loss =
            MultiLabelSoftMarginLoss { weight: weight.as_ref().map(|weight| weight.view()), reduction: self.reduction };
        let Shapes { value, gradients } = losscheck_reference::Loss::shapes(&loss, &pair)?;
        let mut value = ArrayD::from_elem(IxDyn(&value), DoubleDouble::ZERO);
        let mut gradients = gradients.map(|shape| ArrayD::from_elem(IxDyn(&shape), DoubleDouble::ZERO));
        let backward = Backward {
            cotangent: cotangent.as_ref().map(|cotangent| cotangent.view()),
            gradients: gradients.each_mut().map(|gradient| Some(gradient.view_mut())),
        };
        let terms =
            InF64(BothLogarithms(BinaryCrossEntropyWithLogitsScale { smallest_normal: inputs.smallest_normal() }));
        loss.evaluate_formula_into(&terms, &pair, value.view_mut(), Some(backward))?;
        Ok(ValueAndGradients { value, gradients: elements::INPUT_AND_TARGET.into_iter().zip(gradients).collect() })
    }

    fn reduction(&self) -> Option<&'static str> {
        Some(self.reduction.name())
    }

    fn with_reduction(&self, reduction: Reduction) -> Option<Self> {
        Some(Self { reduction })
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
