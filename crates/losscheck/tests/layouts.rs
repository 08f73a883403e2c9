//! That the reference's results do not depend on how a tensor lies in memory.

use losscheck::case::{Case, random};
use losscheck::loss::{Inputs, LossExt, LossKind, Outputs};
use losscheck::tensor::DType;
use ndarray::ArrayD;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Of each loss.
const CASES: usize = 200;

fn random_cases(kind: LossKind) -> Vec<Case> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[13; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = random::cases(kind, DType::F32);
    let tree = |_| strategy.new_tree(&mut runner).expect("the strategies filter nothing");
    (0..CASES).map(tree).map(|tree| tree.current()).collect()
}

/// The same array, its first dimension the one that lies together.
fn columns_first(array: &ArrayD<f32>) -> ArrayD<f32> {
    array.t().as_standard_layout().into_owned().reversed_axes()
}

/// Debug output, for NaN and the sign of zero.
fn outcome(case: &Case, inputs: &Inputs<f32>) -> String {
    match case.loss.evaluate(inputs, Outputs::Gradients) {
        Ok(evaluation) => evaluation.outputs().map(|(output, array)| format!("{output}: {array:?}\n")).collect(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn layout_does_not_matter() {
    for &kind in LossKind::ALL {
        let mut strided = 0;
        for case in random_cases(kind) {
            let inputs = Inputs::<f32>::from(&case);
            let expected = outcome(&case, &inputs);
            for name in case.inputs.keys() {
                let mut inputs = inputs.clone();
                let Some(array) = inputs.float_mut(name) else { continue };
                *array = columns_first(array);
                strided += usize::from(!array.is_standard_layout());
                assert_eq!(outcome(&case, &inputs), expected, "{} with another layout of `{name}`", kind.name());
            }
        }
        assert!(strided >= 20, "{}: only {strided} tensors lie in another order", kind.name());
    }
}
