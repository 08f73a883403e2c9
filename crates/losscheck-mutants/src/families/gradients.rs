//! Gradients that are missing, of the wrong sign or size, or do not start from the cotangent.

use losscheck::case::Case;
use losscheck::loss::LossKind;

use crate::Mutant;
use crate::mutant::Part;

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for &name in loss.signature().differentiable {
        let mut add = |mistake: &str, change: fn(f64) -> f64| {
            let mistake = format!("the gradient of `{name}` {mistake}");
            mutants.push(Mutant::of_answer(loss, mistake, move |_, answer| {
                if let Some(gradient) = answer.gradients.get_mut(name) {
                    *gradient = gradient.map(change);
                }
            }));
        };
        add("is 0", |_| 0.0);
        add("has the wrong sign", |x| -x);
        add("is twice as large", |x| 2.0 * x);
        add("is positive", f64::abs);
    }
    let without_cotangent = |case: &Case| Some(Case { cotangent: None, ..case.clone() });
    mutants.push(Mutant::of_another_case(loss, "the cotangent is ignored", Part::Gradients, without_cotangent));
    let positive = |case: &Case| {
        let cotangent = case.cotangent.as_ref().map(|cotangent| cotangent.map(f64::abs));
        Some(Case { cotangent, ..case.clone() })
    };
    mutants.push(Mutant::of_another_case(loss, "the cotangent's sign is ignored", Part::Gradients, positive));
    mutants
}
