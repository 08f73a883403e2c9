//! `torch.nn.functional.multi_margin_loss`.

use losscheck_options::MultiMarginLoss;
use losscheck_reference::{DoubleDouble, Error, Real};
use proptest::prelude::*;

use super::classes;
use super::elements::{Part, Side};
use super::{Inputs, LossSpec, Outputs, Request, ValueAndGradients, generate};
use crate::tensor::{DType, Data, Tensor, Tensors};

/// Each hinge z is a sum of three numbers and off in proportion to them, z^2 by that times 2 z; a gradient counts hinges.
fn part(
    options: &MultiMarginLoss,
    part: Part,
    inputs: &Inputs<DoubleDouble>,
) -> Result<ValueAndGradients<DoubleDouble>, Error> {
    // An index that is no class is refused here.
    options.evaluate(&inputs.to_f64(), Outputs::Value.into())?;
    let (input, target) = (inputs.required("input")?, classes::indices(inputs)?);
    let margin = DoubleDouble::from_f64(inputs.option(options.margin));
    let weight =
        |class: usize| inputs.float("weight").map_or(DoubleDouble::ONE, |weight| weight[[class].as_slice()].abs());
    let scores: Vec<DoubleDouble> = input.iter().copied().collect();
    let (count, epsilon) = (*input.shape().last().unwrap_or(&1), inputs.epsilon());
    let terms = |class: i64, row: &[DoubleDouble]| {
        let class = class as usize;
        let share = weight(class) / DoubleDouble::from_f64(count as f64);
        let (mut value, mut slopes) = (DoubleDouble::ZERO, Vec::with_capacity(row.len()));
        for (i, &x) in row.iter().enumerate() {
            let (z, terms) = ((margin - row[class]) + x, margin.abs() + row[class].abs() + x.abs());
            let side = Side::of(epsilon, z, terms);
            let (of_value, of_slope) = if options.p == 2 {
                let off = z.abs() + DoubleDouble::from_f64(epsilon) * terms;
                // The slope 2 z is 0 at the kink and does not jump.
                (off * (off + terms + terms), side.hinge(part, z.abs() + terms + z.abs() + terms))
            } else {
                (terms, side.hinge_slope(part))
            };
            value = if i == class { value } else { value + side.hinge(part, of_value) * share };
            slopes.push(if i == class { DoubleDouble::ZERO } else { of_slope * share });
        }
        // A hinge that is NaN has slope 0.
        let defined = slopes.iter().filter(|slope| !slope.is_nan());
        slopes[class] = defined.fold(DoubleDouble::ZERO, |sum, &slope| sum + slope);
        (value, slopes)
    };
    let rows = target.iter().zip(scores.chunks(count.max(1))).map(|(&class, row)| terms(class, row)).collect();
    let shape = if target.ndim() == 0 { Vec::new() } else { target.shape().to_vec() };
    Ok(classes::of_rows(rows, &shape, input.shape(), options.reduction, inputs.cotangent()))
}

impl LossSpec for MultiMarginLoss {
    const DTYPES: &'static [DType] = &[DType::F32, DType::F64];

    fn evaluate<R: Real>(&self, inputs: &Inputs<R>, request: Request<R>) -> Result<ValueAndGradients<R>, Error> {
        let loss = Self { margin: inputs.option(self.margin), ..*self };
        let tensors = (inputs.required("input")?, classes::indices(inputs)?, inputs.optional("weight")?);
        ValueAndGradients::of(&loss, tensors, inputs, ["input"], request)
    }

    fn error_scale(&self, inputs: &Inputs<DoubleDouble>) -> Result<ValueAndGradients<DoubleDouble>, Error> {
        part(self, Part::Scale, inputs)
    }

    fn jumps(&self, inputs: &Inputs<DoubleDouble>) -> Result<Option<ValueAndGradients<DoubleDouble>>, Error> {
        part(self, Part::Jump, inputs).map(Some)
    }

    fn generate(dtype: DType) -> BoxedStrategy<(Self, Tensors)> {
        let p = prop_oneof![6 => Just(1), 6 => Just(2), 1 => Just(3)];
        let options = (p, generate::margin(), generate::reduction()).prop_map(|(p, margin, reduction)| Self {
            p,
            margin,
            reduction,
        });
        let inputs = classes::matrices().prop_flat_map(move |(shape, classes)| {
            let rows = if shape.len() > 1 { vec![shape[0]] } else { Vec::new() };
            let index = prop_oneof![40 => 0..classes as i64, 1 => Just(-1), 1 => Just(classes as i64)];
            let target = proptest::collection::vec(index, rows.iter().product::<usize>()).prop_map(move |indices| {
                Tensor::new(rows.clone(), Data::I64(indices)).expect("as many indices as rows")
            });
            let weight = generate::optional(generate::tensor(dtype, vec![classes], generate::weight()));
            (generate::tensor(dtype, shape, generate::any_float(dtype)), target, weight).prop_map(
                |(input, target, weight)| {
                    generate::tensors([("input", Some(input)), ("target", Some(target)), ("weight", weight)])
                },
            )
        });
        (options, inputs).boxed()
    }
}
