//! `torch.nn.functional.multilabel_margin_loss`.

use losscheck_options::MultiLabelMarginLoss;
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::classes;
use super::elements::{Part, Side};
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Data, Tensor, Tensors};

/// Each hinge is a sum of three numbers; a gradient counts hinges.
fn part(
    options: &MultiLabelMarginLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    // An index that is no class is refused here.
    options.evaluate(&inputs.to_f64(), Outputs::Value.into())?;
    let (input, target) = (inputs.required("input")?, classes::indices(inputs)?);
    let scores: Vec<DoubleDouble> = input.iter().copied().collect();
    let lists: Vec<i64> = target.iter().copied().collect();
    let count = *input.shape().last().unwrap_or(&1);
    let (share, epsilon) = (DoubleDouble::ONE / DoubleDouble::from_f64(count as f64), inputs.epsilon());
    let terms = |(row, list): (&[DoubleDouble], &[i64])| {
        let list: Vec<usize> = list.iter().take_while(|&&class| class >= 0).map(|&class| class as usize).collect();
        let others: Vec<usize> = (0..count).filter(|class| !list.contains(class)).collect();
        let (mut sum, mut slopes) = (DoubleDouble::ZERO, vec![DoubleDouble::ZERO; count]);
        for &j in &list {
            for &i in &others {
                let terms = DoubleDouble::ONE + row[j].abs() + row[i].abs();
                let side = Side::of(epsilon, (DoubleDouble::ONE - row[j]) + row[i], terms);
                let slope = share * side.hinge_slope::<DoubleDouble>(part);
                sum = sum + side.hinge(part, terms) * share;
                slopes[i] = slopes[i] + slope;
                slopes[j] = slopes[j] + slope;
            }
        }
        (sum, slopes)
    };
    let rows = scores.chunks(count.max(1)).zip(lists.chunks(count.max(1))).map(terms).collect();
    let shape = &input.shape()[..input.ndim().saturating_sub(1)];
    Ok(classes::of_rows(rows, shape, input.shape(), options.reduction, inputs.cotangent()))
}

impl LossSpec for MultiLabelMarginLoss {
    const DTYPES: &'static [DType] = &[DType::F32, DType::F64];

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let pair = (inputs.required("input")?, classes::indices(inputs)?);
        ValueAndGradients::of(self, pair, inputs, ["input"], request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let options = generate::reduction().prop_map(|reduction| Self { reduction });
        let inputs = classes::matrices().prop_flat_map(move |(shape, classes)| {
            let index = prop_oneof![40 => 0..classes as i64, 20 => Just(-1), 1 => Just(classes as i64)];
            let target = proptest::collection::vec(index, shape.iter().product::<usize>()).prop_map({
                let shape = shape.clone();
                move |indices| Tensor::new(shape.clone(), Data::I64(indices)).expect("an index for each score")
            });
            (generate::tensor(dtype, shape, generate::any_float(dtype)), target)
                .prop_map(|(input, target)| generate::tensors([("input", Some(input)), ("target", Some(target))]))
        });
        (options, inputs).boxed()
    }
}
