//! What the oracle says of many numbers, which it does not work out in wide arithmetic, and what it allows rounded scores.

use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::judge::oracle::{self, LARGE};
use losscheck::judge::ulp::distance;
use losscheck::loss::{Inputs, LossExt, LossKind, Outputs, ValueAndGradients};
use losscheck::tensor::{DType, Tensor};
use losscheck_reference::{DoubleDouble, Real};

/// In ULPs of the dtype, at the scale of the terms: what a backend is allowed.
const ALLOWED: f64 = 8.0;

fn floats(case: &Case) -> usize {
    case.inputs.values().filter(|tensor| tensor.dtype().is_float()).map(Tensor::len).sum()
}

#[test]
fn the_truth_of_many_narrow_numbers_is_that_of_wide_arithmetic() {
    let goldens = DataFolder::shipped().goldens().expect("readable data").cases;
    let mut in_f64 = 0;
    for kind in LossKind::ALL {
        let is_meant = |case: &&Case| case.loss.kind() == *kind && case.dtype() == DType::F32 && floats(case) >= LARGE;
        let case =
            goldens.iter().filter(is_meant).min_by_key(|case| floats(case)).expect("a large golden of each loss");
        let truth = oracle::evaluate(case).expect("a case that the loss accepts");
        let wide = case.loss.evaluate(&Inputs::<DoubleDouble>::from(case), Outputs::Gradients).expect("the same case");
        let (mut differ, mut worst) = (false, 0.0_f64);
        let outputs = wide.outputs().zip(truth.results.outputs()).zip(truth.error_scale().outputs());
        for (((output, wide), (_, narrow)), (_, scales)) in outputs {
            assert_eq!(wide.shape(), narrow.shape(), "{}: {output}", case.id);
            for ((&wide, &narrow), &scale) in wide.iter().zip(narrow).zip(scales) {
                differ |= wide != narrow;
                worst = worst.max(distance(DType::F64, wide, scale, narrow.to_f64()).unwrap_or(f64::INFINITY));
            }
        }
        assert!(worst <= ALLOWED, "{}: {worst} ULPs of f64", case.id);
        in_f64 += usize::from(differ);
    }
    assert!(in_f64 >= LossKind::ALL.len() / 2, "only {in_f64} losses are another number in f64");
}

#[test]
fn an_unlikely_class_may_be_as_likely_as_the_rounding_of_the_likely_ones_score_makes_it() {
    // What libtorch's kernels for AVX2 answer, of a class that its rounded scores put 12 behind the other instead of 35.
    const ANSWER: f64 = -2.393_722_534_179_687_5e-4;
    let regressions = DataFolder::shipped().regressions().expect("readable data");
    let is_meant = |case: &&Case| case.id == "adaptive_log_softmax_with_loss/bf16/fuzz-407-10666";
    let truth = oracle::evaluate(regressions.iter().find(is_meant).expect("a case kept"))
        .expect("a case that the loss accepts");
    let of_weight = |evaluation: &ValueAndGradients<DoubleDouble>| {
        let gradient = evaluation.gradients.iter().find(|(name, _)| *name == "tail.2.1.weight");
        gradient.and_then(|(_, array)| array.iter().nth(6).copied()).expect("two classes of four features")
    };
    let ulps = distance(DType::BF16, of_weight(&truth.results), of_weight(truth.error_scale()), ANSWER);
    assert!(ulps.is_some_and(|ulps| ulps <= ALLOWED), "{ulps:?}");
}
