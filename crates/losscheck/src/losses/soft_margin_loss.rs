//! `torch.nn.functional.soft_margin_loss`.

use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{Error, Real, Reduction, SoftMarginLoss, Wide};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::elements::{self, InF64};
use crate::case::Case;
use crate::definition::{Arrays, Definition, Evaluation, Signature, Wanted};
use crate::generate;
use crate::loss::Loss;
use crate::tensor::DType;

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How the elements' losses are put together.
    #[serde(with = "super::reduction")]
    #[schemars(schema_with = "super::reduction::schema::<Reduction>")]
    pub reduction: Reduction,
}

/// PyTorch documents ln(1 + e^z) with z = -t x: rounding z is a relative error of |z| in the exponential.
struct Terms {
    smallest_normal: f64,
}

impl Terms {
    fn sigmoid<R: Real>(&self, z: R) -> R {
        let decay = (-z.abs()).exp();
        let numerator = if z > R::ZERO { R::ONE } else { decay };
        (numerator / (R::ONE + decay)).maximum(R::from_f64(self.smallest_normal))
    }
}

impl Pointwise<2> for Terms {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let z = -(t * x);
        z.maximum(R::ZERO) + (-z.abs()).exp().ln_1p() + z.abs() * self.sigmoid(z)
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let z = -(t * x);
        [cotangent * t.abs() * self.sigmoid(z) * (R::ONE + z.abs() * self.sigmoid(-z)), R::ZERO]
    }
}

impl Definition for Options {
    const SIGNATURE: Signature = Signature { differentiable: &["input"], ..elements::SIGNATURE };

    fn evaluate<R: Real>(&self, inputs: &Arrays<R>, wanted: Wanted) -> Result<Evaluation<R>, Error> {
        let loss = SoftMarginLoss { reduction: self.reduction };
        let pair = (inputs.required("input")?, inputs.required("target")?);
        Evaluation::of(&loss, pair, inputs, ["input"], wanted)
    }

    fn magnitudes(&self, inputs: &Arrays<Wide>) -> Result<Evaluation<Wide>, Error> {
        let operands = [inputs.required("input")?, inputs.required("target")?];
        let terms = InF64(Terms { smallest_normal: inputs.smallest_normal() });
        let elements = Elements::unweighted(operands, self.reduction);
        elements::magnitudes(&terms, elements, ["input"], inputs.cotangent())
    }

    fn unreduced(&self) -> Self {
        Self { reduction: Reduction::None }
    }

    fn cases(dtype: DType) -> BoxedStrategy<Case> {
        let options = generate::reduction().prop_map(|reduction| Loss::SoftMarginLoss(Self { reduction }));
        generate::case((options, elements::pairs(dtype, generate::any_float(dtype), elements::sign())))
    }
}
