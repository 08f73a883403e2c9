//! Mutants that have a formula of their own, of input and target.

use losscheck::backend::Outcome;
use losscheck::case::{Answer, Case};
use losscheck::loss::{Inputs, LossKind};
use losscheck::tensor::{DType, Tensor, TensorExt};
use losscheck_reference::pointwise::{Denominator, Elements, Pointwise};
use losscheck_reference::{Backward, Error, Real, Reduction};
use ndarray::{ArrayD, IxDyn};

use crate::Mutant;

const NAMES: [&str; 2] = ["input", "target"];

/// The mutant whose elements are those of a formula, where there is one for the case.
pub(super) fn mutant<F: Pointwise<2>>(
    loss: LossKind,
    mistake: &str,
    formula: impl Fn(&Case) -> Option<F> + Send + Sync + 'static,
) -> Mutant {
    Mutant::of_outcome(loss, mistake, move |case, own| match (&own, formula(case)) {
        (Outcome::Answer(_), Some(formula)) => {
            let answer = match case.dtype() {
                DType::F64 => run::<f64, F>(case, &formula),
                _ => run::<f32, F>(case, &formula),
            };
            answer.map_or(own, Outcome::Answer)
        }
        _ => own,
    })
}

fn run<R: Real, F: Pointwise<2>>(case: &Case, formula: &F) -> Result<Answer, Error> {
    let inputs = Inputs::<R>::from(case);
    let elements = Elements {
        operands: [inputs.required(NAMES[0])?, inputs.required(NAMES[1])?],
        weight: inputs.float("weight"),
        reduction: case.loss.reduction().unwrap_or_default().parse().unwrap_or(Reduction::Mean),
        denominator: if case.loss.kind() == LossKind::L1Loss { Denominator::Weights } else { Denominator::Elements },
    };
    let shapes = elements.shapes::<2>(NAMES)?;
    let zeros = |shape: &Vec<usize>| ArrayD::from_elem(IxDyn(shape), R::ZERO);
    let (mut value, mut gradients) = (zeros(&shapes.value), shapes.gradients.each_ref().map(zeros));
    let backward = Backward {
        cotangent: inputs.cotangent(),
        gradients: gradients.each_mut().map(|gradient| Some(gradient.view_mut())),
    };
    elements.evaluate_into(formula, NAMES, value.view_mut(), Some(backward))?;
    let tensor = |array: &ArrayD<R>| Tensor::from_array(case.dtype(), array);
    let gradients = NAMES.iter().zip(&gradients).map(|(name, gradient)| ((*name).to_owned(), tensor(gradient)));
    let asked: Vec<&str> = case.differentiable().collect();
    let gradients = gradients.filter(|(name, _)| asked.contains(&name.as_str())).collect();
    Ok(Answer { value: tensor(&value), gradients })
}
