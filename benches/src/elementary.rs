//! What a loss of logits cannot do without: the same loop over e^x, or e^x and ln(1 + x), alone.
//!
//! The loop is that of the reference's losses of elements, over tensors of the same numbers, and allocates and writes results
//! of the same size. For cross-entropy it goes through the scores alone, without rows and classes.

use std::hint::black_box;

use losscheck::backend::Pass;
use losscheck::case::Case;
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, TensorExt};
use losscheck_reference::pointwise::{Elements, Pointwise};
use losscheck_reference::{Backward, Real, Reduction};
use ndarray::{ArrayD, IxDyn};

use crate::alternate::Work;

/// e^x, with its derivative.
struct Exponential;

/// ln(1 + e^-|x|), with e^-|x| in the place of a derivative.
struct Logistic;

impl<const N: usize> Pointwise<N> for Exponential {
    #[inline(always)]
    fn value<R: Real>(&self, operands: [R; N]) -> R {
        operands[1..].iter().fold(operands[0].exp(), |sum, &other| sum + other)
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N] {
        [cotangent * operands[0].exp(); N]
    }
}

impl<const N: usize> Pointwise<N> for Logistic {
    #[inline(always)]
    fn value<R: Real>(&self, operands: [R; N]) -> R {
        operands[1..].iter().fold((-operands[0].abs()).exp().ln_1p(), |sum, &other| sum + other)
    }

    #[inline(always)]
    fn pullback<R: Real>(&self, cotangent: R, operands: [R; N]) -> [R; N] {
        [cotangent * (-operands[0].abs()).exp(); N]
    }
}

/// Returns true if there is such a loop for a loss.
pub fn is_for(loss: LossKind) -> bool {
    use LossKind::{BinaryCrossEntropyWithLogits, CrossEntropy, PoissonNllLoss, SoftMarginLoss};
    matches!(loss, BinaryCrossEntropyWithLogits | CrossEntropy | PoissonNllLoss | SoftMarginLoss)
}

/// Returns the loop for a case.
pub fn workload<'a>(case: &Case, pass: Pass) -> Option<Work<'a>> {
    match case.dtype() {
        DType::F64 => of_case::<f64>(case, pass),
        _ => of_case::<f32>(case, pass),
    }
}

fn of_case<'a, R: Real>(case: &Case, pass: Pass) -> Option<Work<'a>> {
    let both = ["input", "target"];
    match case.loss.kind() {
        // A class for each row is next to nothing beside the scores.
        LossKind::CrossEntropy => Some(work::<R, _, 1>(case, pass, Exponential, ["input"])),
        LossKind::PoissonNllLoss => Some(work::<R, _, 2>(case, pass, Exponential, both)),
        LossKind::BinaryCrossEntropyWithLogits | LossKind::SoftMarginLoss => {
            Some(work::<R, _, 2>(case, pass, Logistic, both))
        }
        _ => None,
    }
}

/// Returns a mean over tensors of one shape, with the gradient of the first if the pass has one.
fn work<'a, R: Real, F: Pointwise<N> + 'a, const N: usize>(
    case: &Case,
    pass: Pass,
    formula: F,
    names: [&'static str; N],
) -> Work<'a> {
    let tensors = names.map(|name| case.inputs[name].to_array::<R>());
    Box::new(move || {
        let operands = black_box(&tensors).each_ref().map(|tensor| tensor.view());
        let elements = Elements::unweighted(operands, Reduction::Mean);
        let zeros = |shape: IxDyn| ArrayD::from_elem(shape, R::ZERO);
        let (mut value, mut gradient) = (zeros(IxDyn(&[])), None);
        let backward = (pass == Pass::ForwardAndGradient).then(|| {
            let gradient = gradient.insert(zeros(tensors[0].raw_dim()));
            Backward { cotangent: None, gradients: [Some(gradient.view_mut())] }
        });
        let done = elements.evaluate_into(black_box(&formula), names, value.view_mut(), backward);
        done.expect("tensors of one shape, and buffers for them");
        black_box((value, gradient));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Size;
    use crate::workloads;

    #[test]
    fn every_loss_that_has_one_runs_it() {
        let small = workloads::all().filter(|workload| workload.size() == Size::Small);
        for (workload, pass) in small.flat_map(|workload| Pass::ALL.map(|pass| (workload, pass))) {
            let work = super::workload(&workload.case(), pass);
            assert_eq!(work.is_some(), is_for(workload.loss), "{workload}");
            work.into_iter().for_each(|mut work| work());
        }
    }
}
