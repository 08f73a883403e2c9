//! `torch.nn.functional.hinge_embedding_loss`.

use losscheck_options::HingeEmbeddingLoss;
use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{DoubleDouble, Error, InputAndTarget, PassingAtKink, Real};
use proptest::prelude::*;

use super::elements::{self, Part, Side};
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

/// PyTorch documents the difference of margin and input, and for odd labels adds the input to it.
struct HingeEmbeddingScale {
    part: Part,
    margin: f64,
    epsilon: f64,
}

impl HingeEmbeddingScale {
    /// The hinge of a pair that is not alike.
    fn unlike<R: Real>(&self, x: R) -> (Side, R) {
        let terms = R::from_f64(self.margin.abs()) + x.abs();
        (Side::of(self.epsilon, R::from_f64(self.margin) - x, terms), terms)
    }
}

impl Pointwise<2> for HingeEmbeddingScale {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let (side, terms) = self.unlike(x);
        let unlike = if t == R::ONE { R::ZERO } else { side.hinge(self.part, terms) };
        let alike = if t == -R::ONE || self.part == Part::Jump { R::ZERO } else { x.abs() };
        unlike + alike
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let unlike = if t == R::ONE { R::ZERO } else { self.unlike(x).0.hinge_slope(self.part) };
        let alike = if t == -R::ONE || self.part == Part::Jump { R::ZERO } else { R::ONE };
        [cotangent * (unlike + alike), R::ZERO]
    }
}

fn part(
    options: &HingeEmbeddingLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let operands = [inputs.required("input")?, inputs.required("target")?];
    let terms = HingeEmbeddingScale { part, margin: inputs.option(options.margin), epsilon: inputs.epsilon() };
    let elements = Elements::unweighted(operands, options.reduction);
    elements::error_scale(&terms, elements, ["input"], inputs.cotangent())
}

/// The loss with its options as PyTorch's kernels take them.
fn rounded<R: Real>(options: &HingeEmbeddingLoss, inputs: &Inputs<R>) -> HingeEmbeddingLoss {
    HingeEmbeddingLoss { margin: inputs.option(options.margin), ..*options }
}

fn pair<R: Real>(inputs: &Inputs<R>) -> Result<InputAndTarget<'_, R>, Error> {
    Ok((inputs.required("input")?, inputs.required("target")?))
}

impl LossSpec for HingeEmbeddingLoss {
    const HAS_KINK: bool = true;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        ValueAndGradients::of(&rounded(self, inputs), pair(inputs)?, inputs, ["input"], request)
    }

    fn evaluate_passing_at_kink(
        &self,
        inputs: &Inputs<DoubleDouble>,
    ) -> Option<Result<ValueAndGradients<DoubleDouble>, Error>> {
        let loss = PassingAtKink(rounded(self, inputs));
        let of = |pair| ValueAndGradients::of(&loss, pair, inputs, ["input"], Outputs::Gradients.into());
        Some(pair(inputs).and_then(of))
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options =
            (generate::margin(), generate::reduction()).prop_map(|(margin, reduction)| Self { margin, reduction });
        (options, elements::pairs(dtype, generate::any_float(dtype), elements::sign())).boxed()
    }
}
