//! `torch.nn.functional.margin_ranking_loss`.

use losscheck_options::MarginRankingLoss;
use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{DoubleDouble, Error, PassingAtKink, Real};
use proptest::prelude::*;

use super::elements::{self, Part, Side};
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

const NAMES: [&str; 3] = ["input1", "input2", "target"];

/// The hinge is a sum of the margin and the product with a difference.
struct MarginRankingScale {
    part: Part,
    margin: f64,
    epsilon: f64,
}

impl MarginRankingScale {
    fn hinge<R: Real>(&self, [x1, x2, t]: [R; 3]) -> (Side, R) {
        let terms = R::from_f64(self.margin.abs()) + t.abs() * (x1.abs() + x2.abs());
        (Side::of(self.epsilon, R::from_f64(self.margin) - t * (x1 - x2), terms), terms)
    }
}

impl Pointwise<3> for MarginRankingScale {
    fn value<R: Real>(&self, operands: [R; 3]) -> R {
        let (side, terms) = self.hinge(operands);
        side.hinge(self.part, terms)
    }

    fn pullback<R: Real>(&self, cotangent: R, [x1, x2, t]: [R; 3]) -> [R; 3] {
        let (side, _) = self.hinge([x1, x2, t]);
        let slope = cotangent * side.hinge_slope(self.part);
        [slope * t.abs(), slope * t.abs(), slope * (x1.abs() + x2.abs())]
    }
}

fn part(
    options: &MarginRankingLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let operands = [inputs.required("input1")?, inputs.required("input2")?, inputs.required("target")?];
    let terms = MarginRankingScale { part, margin: inputs.option(options.margin), epsilon: inputs.epsilon() };
    elements::error_scale(&terms, Elements::unweighted(operands, options.reduction), NAMES, inputs.cotangent())
}

/// The loss with its options as PyTorch's kernels take them.
fn rounded<R: Real>(options: &MarginRankingLoss, inputs: &Inputs<R>) -> MarginRankingLoss {
    MarginRankingLoss { margin: inputs.option(options.margin), ..*options }
}

impl LossSpec for MarginRankingLoss {
    const HAS_KINK: bool = true;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        ValueAndGradients::of(&rounded(self, inputs), inputs.triple(NAMES)?, inputs, NAMES, request)
    }

    fn evaluate_passing_at_kink(
        &self,
        inputs: &Inputs<DoubleDouble>,
    ) -> Option<Result<ValueAndGradients<DoubleDouble>, Error>> {
        let loss = PassingAtKink(rounded(self, inputs));
        let of = |tensors| ValueAndGradients::of(&loss, tensors, inputs, NAMES, Outputs::Gradients.into());
        Some(inputs.triple(NAMES).and_then(of))
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let margin = prop_oneof![2 => Just(0.0), 1 => generate::margin()];
        let options = (margin, generate::reduction()).prop_map(|(margin, reduction)| Self { margin, reduction });
        let shapes = generate::shape().prop_flat_map(|shape| {
            let dims = || generate::broadcastable(shape.clone());
            // Now and then of another rank, which is refused.
            (generate::of_same_rank(shape.clone()), generate::of_same_rank(shape.clone()), dims())
        });
        let tensors = shapes
            .prop_flat_map(move |(input1, input2, target)| {
                let score = || generate::any_float(dtype);
                (
                    generate::tensor(dtype, input1, score()),
                    generate::tensor(dtype, input2, score()),
                    generate::tensor(dtype, target, elements::sign()),
                )
            })
            .prop_map(|(input1, input2, target)| {
                generate::tensors([("input1", Some(input1)), ("input2", Some(input2)), ("target", Some(target))])
            });
        (options, tensors).boxed()
    }
}
