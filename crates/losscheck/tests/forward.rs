//! The value alone is the value that comes with gradients, and leaving out the cotangent is giving one of all ones: to the bit.

use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::loss::{Arithmetic, Inputs, LossExt, Outputs};
use losscheck::tensor::{DType, Tensor, TensorExt};
use ndarray::ArrayD;

fn assert_same<R: Arithmetic>(what: &str, one: &ArrayD<R>, other: &ArrayD<R>) {
    assert_eq!(one.shape(), other.shape(), "{what}");
    for (one, other) in one.iter().zip(other) {
        let same = one.to_f64().to_bits() == other.to_f64().to_bits() || one.is_nan() && other.is_nan();
        assert!(same, "{what}: {one:?}, {other:?}");
    }
}

/// Whether the case is accepted.
fn check<R: Arithmetic>(case: &Case) -> bool {
    let inputs = Inputs::<R>::from(case);
    let Ok(whole) = case.loss.evaluate(&inputs, Outputs::Gradients) else { return false };
    let alone = case.loss.evaluate(&inputs, Outputs::Value).expect("an accepted case");
    assert!(alone.gradients.is_empty(), "{}", case.id);
    assert_same(&case.id, &alone.value, &whole.value);

    let evaluated = |cotangent: Option<Tensor>| {
        let case = Case { cotangent, ..case.clone() };
        case.loss.evaluate(&Inputs::<R>::from(&case), Outputs::Gradients).expect("an accepted case")
    };
    let ones = Tensor::from_array(case.dtype(), &whole.value.mapv(|_| R::ONE));
    for ((output, plain), (_, by_ones)) in evaluated(None).outputs().zip(evaluated(Some(ones)).outputs()) {
        assert_same(&format!("{}, {output}", case.id), plain, by_ones);
    }
    true
}

#[test]
fn the_value_alone_and_the_cotangent_of_ones() {
    let goldens = DataFolder::shipped().goldens().expect("readable data");
    let accepted = goldens.cases.iter().filter(|case| match case.dtype() {
        DType::F16 | DType::BF16 => false,
        DType::F32 => check::<f32>(case),
        DType::F64 | DType::I64 | DType::U8 => check::<f64>(case),
    });
    assert!(accepted.count() > 10_000);
}
