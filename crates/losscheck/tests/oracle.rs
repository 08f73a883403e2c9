//! What the oracle says of many numbers, which it does not work out in wide arithmetic.

use losscheck::case::Case;
use losscheck::definition::{Arrays, Wanted};
use losscheck::loss::LossKind;
use losscheck::oracle::{MANY, truth};
use losscheck::suite::DataFolder;
use losscheck::tensor::{DType, Tensor};
use losscheck::ulp::distance;
use losscheck_reference::{Real, Wide};

/// In ULPs of f64, at the scale of the terms: what a backend in f64 is allowed.
const ALLOWED: f64 = 8.0;

fn floats(case: &Case) -> usize {
    case.inputs.values().filter(|tensor| tensor.dtype().is_float()).map(Tensor::len).sum()
}

#[test]
fn the_truth_of_many_narrow_numbers_is_that_of_wide_arithmetic() {
    let goldens = DataFolder::shipped().goldens().expect("readable data").cases;
    let mut in_f64 = 0;
    for kind in LossKind::ALL {
        let is_meant = |case: &&Case| case.loss.kind() == *kind && case.dtype() == DType::F32 && floats(case) >= MANY;
        let case =
            goldens.iter().filter(is_meant).min_by_key(|case| floats(case)).expect("a large golden of each loss");
        let truth = truth(case).expect("a case that the loss accepts");
        let wide = case.loss.evaluate(&Arrays::<Wide>::new(case), Wanted::Gradients).expect("the same case");
        let (mut differ, mut worst) = (false, 0.0_f64);
        let outputs = wide.outputs().zip(truth.exact.outputs()).zip(truth.magnitudes().outputs());
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
