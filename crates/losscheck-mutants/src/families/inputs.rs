//! Tensors that are ignored, or read wrongly.

use losscheck::case::Case;
use losscheck::loss::LossKind;
use losscheck::tensor::Tensor;

use crate::Mutant;
use crate::mutant::{Part, with_input};

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    let signature = loss.signature();
    let mut mutants = Vec::new();
    for &name in signature.optional.iter().filter(|name| is_factor(name)) {
        for part in Part::EACH {
            let rewrite = move |case: &Case| {
                let mut case = case.clone();
                case.inputs.remove(name).map(|_| case)
            };
            mutants.push(Mutant::of_another_case(loss, format!("`{name}` is ignored"), part, rewrite));
        }
        let absolute = move |case: &Case| with_input(case, name, |weight| weight.map(f64::abs));
        let mistake = format!("the sign of `{name}` is ignored");
        mutants.push(Mutant::of_another_case(loss, mistake, Part::All, absolute));
    }
    // No gradient of these depends on the numbers.
    let is_linear = matches!(loss, LossKind::NllLoss | LossKind::NllLoss2d);
    let is_index = |name: &str| signature.integers.contains(&name) && !signature.numbers.contains(&name);
    let floats = signature.required.iter().filter(|name| !is_linear && !is_index(name));
    for &name in floats {
        for (direction, change) in [("left", -1), ("right", 1)] {
            let rewrite = move |case: &Case| with_input(case, name, |tensor| rotated(tensor, change));
            let mistake = format!("`{name}` is read one element too far to the {direction}");
            mutants.push(Mutant::of_another_case(loss, mistake, Part::Gradients, rewrite));
        }
    }
    mutants
}

/// Whether it is a factor; the parameters of a layer have gradients of their own, which would be missing.
fn is_factor(name: &str) -> bool {
    name.ends_with("weight") && !name.contains('.')
}

/// The elements moved by one place.
fn rotated(tensor: &Tensor, by: isize) -> Tensor {
    let numbers = tensor.to_f64();
    let length = numbers.len();
    let at = |i: usize| numbers[(i + length).wrapping_add_signed(by) % length];
    tensor.with_elements((0..length).map(at)).expect("as many elements as before")
}
