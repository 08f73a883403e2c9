//! The scale that accuracy is measured at.

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::Case;
use losscheck::loss::{LossKind, generate};
use losscheck::run::accuracy::Exact;
use losscheck::tensor::DType;
use losscheck_reference::{DoubleDouble, Real, Reduction};
use ndarray::ArrayD;

fn case(loss: LossKind, input: &[f64], target: &[f64]) -> Case {
    let tensor = |numbers: &[f64]| generate::floats(DType::F32, vec![numbers.len()], numbers.to_vec());
    let inputs = generate::tensors([("input", Some(tensor(input))), ("target", Some(tensor(target)))]);
    let loss = loss.defaults().unreduced();
    Case::new("", loss, inputs)
}

fn numbers(array: &ArrayD<DoubleDouble>) -> Vec<f64> {
    array.iter().map(|x| x.to_f64()).collect()
}

#[test]
fn the_scale_of_a_square_and_of_its_slope() {
    // f = (x - t)^2, so |f| + |2 x (x - t)|; and 2 (x - t), so |2 (x - t)| + |2 x|. The target counts as exact.
    let case = case(LossKind::MseLoss, &[3.0, -1.0], &[1.0, 1.0]);
    for exact in [Exact::of(&case).unwrap(), Exact::of_elements(&case).unwrap()] {
        assert_eq!(numbers(&exact.scales.value), [4.0 + 12.0, 4.0 + 4.0]);
        assert_eq!(numbers(&exact.scales.gradients[0].1), [4.0 + 6.0, 4.0 + 2.0]);
    }
    let sum = Exact::of_value(&case.reduced(Reduction::Sum).unwrap()).unwrap();
    assert_eq!(numbers(&sum.scales.value), [8.0 + 12.0 + 4.0]);
}

#[test]
fn beside_a_kink_the_slope_alone_is_left_out() {
    // A hinge of 1 - x, by a rounding of 1 and well away from it.
    let case = case(LossKind::HingeEmbeddingLoss, &[1.0 - f64::from(f32::EPSILON), 0.5], &[-1.0, -1.0]);
    let exact = Exact::of(&case).unwrap();
    assert_eq!(exact.jumps.value.iter().copied().collect::<Vec<_>>(), [false, false]);
    assert_eq!(exact.jumps.gradients[0].1.iter().copied().collect::<Vec<_>>(), [true, false]);
    let Outcome::Answer(answer) = Reference.evaluate(&case) else { panic!("accepted") };
    assert_eq!(exact.errors(&answer).len(), 3);
}
