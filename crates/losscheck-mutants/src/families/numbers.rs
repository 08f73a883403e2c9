//! NaN and infinities that are swallowed, and digits that are lost.

use half::{bf16, f16};
use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::{Answer, Case};
use losscheck::loss::{LossKind, LossKindExt};
use losscheck::tensor::DType;

use crate::Mutant;
use crate::mutant::Part;

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    let each_output = |answer: &mut Answer, change: &dyn Fn(f64) -> f64| {
        for tensor in answer.gradients.values_mut().chain([&mut answer.value]) {
            if tensor.dtype().is_float() {
                *tensor = tensor.map(change);
            }
        }
    };
    // All that is computed with is of that dtype or of those.
    let each_input = |dtypes: &'static [DType], change: fn(f64) -> f64| {
        move |case: &Case| {
            let mut case = case.clone();
            for tensor in case.inputs.values_mut().chain(&mut case.cotangent) {
                if dtypes.contains(&tensor.dtype()) {
                    *tensor = tensor.map(change);
                }
            }
            Some(case)
        }
    };
    let number_or_0: fn(f64) -> f64 = |x| if x.is_nan() { 0.0 } else { x };
    let mut mutants = vec![
        Mutant::of_another_case(
            loss,
            "NaN in the inputs counts as 0",
            Part::All,
            each_input(&DType::FLOATS, number_or_0),
        ),
        Mutant::of_answer(loss, "NaN in the results becomes 0", move |_, answer| each_output(answer, &number_or_0)),
        Mutant::of_answer(loss, "infinite results become the largest number", move |case, answer| {
            let largest = case.dtype().format().largest;
            each_output(answer, &|x| x.clamp(-largest, largest));
        }),
        Mutant::of_another_case(
            loss,
            "f64 is computed in f32",
            Part::All,
            each_input(&[DType::F64], |x| f64::from(x as f32)),
        ),
    ];
    // Whatever comes in, no gradient of these is NaN.
    if !matches!(loss, LossKind::HingeEmbeddingLoss | LossKind::MultilabelMarginLoss) {
        mutants.push(Mutant::of_answer(loss, "NaN in the gradients becomes 0", move |_, answer| {
            answer.gradients.values_mut().for_each(|gradient| *gradient = gradient.map(number_or_0));
        }));
    }
    if loss.dtypes().contains(&DType::F16) {
        let as_bf16 = each_input(&[DType::F16], |x| f64::from(bf16::from_f64(x)));
        mutants.push(Mutant::of_another_case(loss, "f16 is computed as bf16", Part::All, as_bf16));
    }
    if loss.defaults().reduction().is_some() {
        if loss.dtypes().contains(&DType::F16) {
            mutants.push(summed_one_by_one(loss, "16 bits are summed up one by one", &[DType::F16, DType::BF16]));
        }
        mutants.push(summed_one_by_one(loss, "f32 is summed up one by one", &[DType::F32]));
    }
    mutants
}

/// Adds the losses up in their own dtype, each sum rounded.
fn summed_one_by_one(loss: LossKind, mistake: &str, dtypes: &'static [DType]) -> Mutant {
    Mutant::of_answer(loss, mistake, move |case, answer| {
        let dtype = case.dtype();
        if !dtypes.contains(&dtype) || matches!(case.loss.reduction(), None | Some("none")) {
            return;
        }
        let Outcome::Answer(losses) = Reference.evaluate(&case.unreduced()) else { return };
        let losses = losses.value.to_f64();
        let rounded = |x: f64| match dtype {
            DType::F16 => f64::from(f16::from_f64(x)),
            DType::BF16 => f64::from(bf16::from_f64(x)),
            _ => f64::from(x as f32),
        };
        let exact: f64 = losses.iter().sum();
        let one_by_one = losses.iter().fold(0.0, |sum, x| rounded(sum + x));
        if exact != 0.0 && exact.is_finite() {
            answer.value = answer.value.map(|x| x * (one_by_one / exact));
        }
    })
}
