//! What a loss of logits cannot do without: the same loop over e^x, or e^x and ln(1 + x), alone.
//!
//! The loop is that of the reference's losses of elements, over tensors of the same numbers, and allocates and writes results
//! of the same size. For cross-entropy it goes through the scores alone, without rows and classes.

use std::hint::black_box;

use losscheck::backend::Pass;
use losscheck::case::Case;
use losscheck::loss::LossKind;
use losscheck::tensor::{DType, Tensor};
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

/// What a loss of logits is made of.
enum Functions {
    Exponential,
    Logistic,
}

fn functions(loss: LossKind) -> Option<Functions> {
    match loss {
        LossKind::CrossEntropy | LossKind::PoissonNllLoss => Some(Functions::Exponential),
        LossKind::BinaryCrossEntropyWithLogits | LossKind::SoftMarginLoss => Some(Functions::Logistic),
        _ => None,
    }
}

/// Whether there is such a loop for a loss.
pub fn is_for(loss: LossKind) -> bool {
    functions(loss).is_some()
}

/// The loop for a case.
pub fn workload<'a>(case: &Case, pass: Pass) -> Option<Work<'a>> {
    match case.dtype() {
        DType::F64 => of_case::<f64>(case, pass),
        _ => of_case::<f32>(case, pass),
    }
}

fn of_case<'a, R: Real>(case: &Case, pass: Pass) -> Option<Work<'a>> {
    let both = ["input", "target"];
    match (functions(case.loss.kind())?, case.loss.kind()) {
        // A class for each row is next to nothing beside the scores.
        (Functions::Exponential, LossKind::CrossEntropy) => work::<R, _, 1>(case, pass, Exponential, ["input"]),
        (Functions::Exponential, _) => work::<R, _, 2>(case, pass, Exponential, both),
        (Functions::Logistic, _) => work::<R, _, 2>(case, pass, Logistic, both),
    }
}

/// A mean over tensors of one shape, with the gradient of the first if the pass has one.
fn work<'a, R: Real, F: Pointwise<N> + 'a, const N: usize>(
    case: &Case,
    pass: Pass,
    formula: F,
    names: [&'static str; N],
) -> Option<Work<'a>> {
    let tensors = names.map(|name| case.inputs.get(name).map(Tensor::to_array::<R>));
    let shape = tensors[0].as_ref()?.raw_dim();
    let tensors: Vec<ArrayD<R>> = tensors.into_iter().flatten().filter(|tensor| tensor.raw_dim() == shape).collect();
    let tensors: [ArrayD<R>; N] = tensors.try_into().ok()?;
    Some(Box::new(move || {
        let operands = black_box(&tensors).each_ref().map(|tensor| tensor.view());
        let elements = Elements::unweighted(operands, Reduction::Mean);
        let zeros = |shape: IxDyn| ArrayD::from_elem(shape, R::ZERO);
        let (mut value, mut gradient) = (zeros(IxDyn(&[])), None);
        let backward = (pass == Pass::ForwardAndGradient).then(|| {
            let gradient = gradient.insert(zeros(shape.clone()));
            Backward { cotangent: None, gradients: [Some(gradient.view_mut())] }
        });
        let done = elements.evaluate_into(black_box(&formula), names, value.view_mut(), backward);
        black_box((done.is_ok(), value, gradient));
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::PASSES;
    use crate::workloads;

    #[test]
    fn the_losses_of_logits_have_one() {
        let small = workloads::all().filter(|workload| workload.size == workloads::Size::Small);
        for (workload, (pass, _)) in small.flat_map(|workload| PASSES.map(|pass| (workload, pass))) {
            let work = super::workload(&workload.case(), pass);
            assert_eq!(work.is_some(), is_for(workload.loss), "{workload}");
            work.into_iter().for_each(|mut work| work());
        }
    }
}
