use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::vectors::{Vectors, Vectorwise};
use crate::{Backward, Error, Loss, Real, Reduction, Shapes, Sum, fold};

/// Embedding loss of two vectors by their cosine c, with a label t of 1 where they should be alike and -1 where not:
///
/// ```text
/// 1 - c                if t = 1
/// max(0, c - margin)   if t = -1
///
/// c = x1 . x2 / sqrt((|x1|^2 + eps) (|x2|^2 + eps)),    eps = 1e-12
/// ```
///
/// Any other label gives 0, as in PyTorch. The inputs have shapes (D) with a scalar target, or (N, D) with a target of shape
/// (N), where N broadcasts. Both inputs are differentiable, the hinge with slope 1 at 0.
///
/// Source: <https://docs.pytorch.org/docs/2.13/generated/torch.nn.CosineEmbeddingLoss.html>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineEmbeddingLoss {
    /// The cosine up to which vectors that are not alike cost nothing.
    pub margin: f64,
    /// How the pairs' losses are put together.
    pub reduction: Reduction,
}

/// PyTorch's, inside both squares.
const EPS: f64 = 1e-12;
const NAMES: [&str; 2] = ["input1", "input2"];

type Inputs<'a, R> = (ArrayViewD<'a, R>, ArrayViewD<'a, R>, ArrayViewD<'a, R>);

/// The cosine of two vectors, and for each a scale and its length on that scale: the length itself may be out of range.
struct Cosine<R> {
    cosine: R,
    scales: [R; 2],
    lengths: [R; 2],
}

impl<R: Real> Cosine<R> {
    #[inline(always)]
    fn of([x1, x2]: [&[R]; 2]) -> Self {
        // Below 1e-6 it is eps that counts.
        let scale = |x: &[R]| fold::scale(x.len(), |i| x[i]).maximum(R::from_f64(1e-6));
        let (s1, s2) = (scale(x1), scale(x2));
        let length = |x: &[R], s: R| {
            let squares = fold::sum(x.len(), |i| (x[i] / s) * (x[i] / s));
            squares.plus((R::from_f64(EPS) / s) / s).total().sqrt()
        };
        let (n1, n2) = (length(x1, s1), length(x2, s2));
        let product = fold::sum(x1.len(), |i| (x1[i] / s1) * (x2[i] / s2)).total();
        Self { cosine: (product / n1) / n2, scales: [s1, s2], lengths: [n1, n2] }
    }
}

impl CosineEmbeddingLoss {
    #[inline(always)]
    fn loss<R: Real>(&self, cosine: R, label: R) -> R {
        let unlike = (cosine - R::from_f64(self.margin)).maximum(R::ZERO);
        let other = if label == -R::ONE { unlike } else { R::ZERO };
        if label == R::ONE { R::ONE - cosine } else { other }
    }

    #[inline(always)]
    fn slope<R: Real>(&self, cosine: R, label: R) -> R {
        let unlike = if cosine - R::from_f64(self.margin) >= R::ZERO { R::ONE } else { R::ZERO };
        let other = if label == -R::ONE { unlike } else { R::ZERO };
        if label == R::ONE { -R::ONE } else { other }
    }

    fn vectors<'a, R: Real>(&self, (input1, input2, target): &'a Inputs<'_, R>) -> Result<Vectors<'a, R, 2>, Error> {
        let rank = target.ndim() + 1;
        if rank > 2 {
            let expected = "a scalar or one dimension".to_owned();
            return Err(Error::Shape { name: "target", shape: target.shape().to_vec(), expected });
        }
        for (input, name) in [(input1, NAMES[0]), (input2, NAMES[1])] {
            if input.ndim() != rank || input.shape().last() != input1.shape().last() {
                let expected = format!("{rank} dimensions, one more than the target, the last as that of input1");
                return Err(Error::Shape { name, shape: input.shape().to_vec(), expected });
            }
        }
        let operands = [input1.view(), input2.view()];
        Ok(Vectors { operands, labels: Some(target.view()), reduction: self.reduction })
    }
}

impl<R: Real> Vectorwise<R, 2> for CosineEmbeddingLoss {
    #[inline(always)]
    fn value(&self, vectors: [&[R]; 2], label: R) -> R {
        self.loss(Cosine::of(vectors).cosine, label)
    }

    #[inline(always)]
    fn value_and_pullback(&self, cotangent: R, [x1, x2]: [&[R]; 2], label: R, [g1, g2]: [&mut [R]; 2]) -> R {
        let Cosine { cosine, scales: [s1, s2], lengths: [n1, n2] } = Cosine::of([x1, x2]);
        let slope = cotangent * self.slope(cosine, label);
        // The part of each unit vector that is across the other.
        for i in 0..x1.len() {
            let (u1, u2) = ((x1[i] / s1) / n1, (x2[i] / s2) / n2);
            g1[i] = slope * (((u2 - cosine * u1) / n1) / s1);
            g2[i] = slope * (((u1 - cosine * u2) / n2) / s2);
        }
        self.loss(cosine, label)
    }
}

impl<'a, R: Real> Loss<R, Inputs<'a, R>, 2> for CosineEmbeddingLoss {
    fn shapes(&self, inputs: &Inputs<'a, R>) -> Result<Shapes<2>, Error> {
        self.vectors(inputs)?.shapes(NAMES)
    }

    fn evaluate_into(
        &self,
        inputs: Inputs<'a, R>,
        value: ArrayViewMutD<'_, R>,
        backward: Option<Backward<'_, R, 2>>,
    ) -> Result<(), Error> {
        self.vectors(&inputs)?.evaluate_into(self, NAMES, value, backward)
    }
}
