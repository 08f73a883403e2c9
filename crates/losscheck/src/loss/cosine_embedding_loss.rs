//! `torch.nn.functional.cosine_embedding_loss`.

use losscheck_options::CosineEmbeddingLoss;
use losscheck_reference::vectors::{Vectors, Vectorwise};
use losscheck_reference::{DoubleDouble, Error, PassingAtKink, Real};
use proptest::prelude::*;

use super::elements::{Part, Side, sign};
use super::vectors;
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Tensors};

const NAMES: [&str; 2] = ["input1", "input2"];

/// The cosine is a quotient of sums; the loss a difference of it, and so is each gradient.
struct CosineEmbeddingScale {
    part: Part,
    margin: DoubleDouble,
    smallest_normal: DoubleDouble,
    epsilon: f64,
}

impl CosineEmbeddingScale {
    /// The cosine, the sum of the magnitudes of its terms, and the lengths.
    fn cosine(&self, [x1, x2]: [&[DoubleDouble]; 2]) -> (DoubleDouble, DoubleDouble, [DoubleDouble; 2]) {
        let sum =
            |terms: &mut dyn Iterator<Item = DoubleDouble>| terms.fold(DoubleDouble::ZERO, |sum, term| sum + term);
        // In units in which no square leaves the range.
        let unit = DoubleDouble::from_f64(1e-6);
        let scale = |x: &[DoubleDouble]| x.iter().fold(unit, |s, x| if x.abs() > s { x.abs() } else { s });
        let (s1, s2) = (scale(x1), scale(x2));
        let eps = |s: DoubleDouble| (DoubleDouble::from_f64(1e-12) / s) / s;
        let in_unit = |x: &[DoubleDouble], s: DoubleDouble| -> Vec<DoubleDouble> { x.iter().map(|&x| x / s).collect() };
        let (x1, x2) = (in_unit(x1, s1), in_unit(x2, s2));
        let length = |x: &[DoubleDouble], s: DoubleDouble| (sum(&mut x.iter().map(|&x| x * x)) + eps(s)).sqrt();
        let (n1, n2) = (length(&x1, s1), length(&x2, s2));
        let products = || x1.iter().zip(&x2).map(|(&a, &b)| a * b);
        // A product of components may be subnormal before the lengths divide it.
        let least = self.smallest_normal * DoubleDouble::from_f64(x1.len() as f64);
        let least = (least / s1.minimum(DoubleDouble::ONE)) / s2.minimum(DoubleDouble::ONE);
        let terms = (sum(&mut products().map(Real::abs)).maximum(least) / n1) / n2;
        ((sum(&mut products()) / n1) / n2, terms, [n1 * s1, n2 * s2])
    }

    /// The side of the hinge between vectors that are not alike.
    fn side(&self, cosine: DoubleDouble, terms: DoubleDouble) -> Side {
        Side::of(self.epsilon, cosine - self.margin, terms + self.margin.abs())
    }
}

impl Vectorwise<DoubleDouble, 2> for CosineEmbeddingScale {
    fn value(&self, vectors: [&[DoubleDouble]; 2], label: DoubleDouble) -> DoubleDouble {
        let (cosine, terms, _) = self.cosine(vectors);
        match label {
            _ if label == DoubleDouble::ONE => Side::Above.hinge(self.part, DoubleDouble::ONE + terms),
            _ if label == -DoubleDouble::ONE => self.side(cosine, terms).hinge(self.part, self.margin.abs() + terms),
            _ => DoubleDouble::ZERO,
        }
    }

    fn value_and_pullback(
        &self,
        cotangent: DoubleDouble,
        [x1, x2]: [&[DoubleDouble]; 2],
        label: DoubleDouble,
        [g1, g2]: [&mut [DoubleDouble]; 2],
    ) -> DoubleDouble {
        let (cosine, terms, [n1, n2]) = self.cosine([x1, x2]);
        let slope = match label {
            _ if label == DoubleDouble::ONE => cotangent * Side::Above.hinge_slope(self.part),
            _ if label == -DoubleDouble::ONE => cotangent * self.side(cosine, terms).hinge_slope(self.part),
            _ => DoubleDouble::ZERO,
        };
        // How large the slopes are takes no more digits than f64 has. The cosine is itself a sum and two quotients.
        let [slope, rounded, n1, n2] = [slope, terms + terms, n1, n2].map(Real::to_f64);
        let least = self.smallest_normal.to_f64();
        for i in 0..x1.len() {
            let u1 = Real::maximum(x1[i].to_f64().abs() / n1, least);
            let u2 = Real::maximum(x2[i].to_f64().abs() / n2, least);
            g1[i] = DoubleDouble::from_f64(slope * ((u2 + rounded * u1) / n1));
            g2[i] = DoubleDouble::from_f64(slope * ((u1 + rounded * u2) / n2));
        }
        self.value([x1, x2], label)
    }
}

fn part(
    options: &CosineEmbeddingLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    let terms = CosineEmbeddingScale {
        part,
        margin: DoubleDouble::from_f64(inputs.option(options.margin)),
        smallest_normal: DoubleDouble::from_f64(inputs.smallest_normal()),
        epsilon: inputs.epsilon(),
    };
    let vectors = Vectors {
        operands: [inputs.required("input1")?, inputs.required("input2")?],
        labels: Some(inputs.required("target")?),
        reduction: options.reduction,
    };
    vectors::error_scale(&terms, &vectors, NAMES, inputs.cotangent())
}

/// The loss with its options as PyTorch's kernels take them.
fn rounded<R: Real>(options: &CosineEmbeddingLoss, inputs: &Inputs<R>) -> CosineEmbeddingLoss {
    CosineEmbeddingLoss { margin: inputs.option(options.margin), ..*options }
}

impl LossSpec for CosineEmbeddingLoss {
    const HAS_KINK: bool = true;

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        ValueAndGradients::of(
            &rounded(self, inputs),
            inputs.triple(["input1", "input2", "target"])?,
            inputs,
            NAMES,
            request,
        )
    }

    fn evaluate_passing_at_kink(
        &self,
        inputs: &Inputs<DoubleDouble>,
    ) -> Option<Result<ValueAndGradients<DoubleDouble>, Error>> {
        let loss = PassingAtKink(rounded(self, inputs));
        let of = |tensors| ValueAndGradients::of(&loss, tensors, inputs, NAMES, Outputs::Gradients.into());
        Some(inputs.triple(["input1", "input2", "target"]).and_then(of))
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let margin = prop_oneof![2 => Just(0.0), 2 => -1.0..1.0];
        let options = (margin, generate::reduction()).prop_map(|(margin, reduction)| Self { margin, reduction });
        let rows = proptest::option::weighted(0.8, prop_oneof![1 => Just(0usize), 10 => 1usize..=4]);
        let inputs = rows.prop_flat_map(move |rows| {
            let rows: Vec<usize> = rows.into_iter().collect();
            let target =
                generate::of_same_rank(rows.clone()).prop_flat_map(move |shape| generate::tensor(dtype, shape, sign()));
            (vectors::inputs(dtype, NAMES, Just(rows)), target).prop_map(|(mut inputs, target)| {
                inputs.insert("target".to_owned(), target);
                inputs
            })
        });
        (options, inputs).boxed()
    }
}
