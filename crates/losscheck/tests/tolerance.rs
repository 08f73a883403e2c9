//! The table of tolerances.

use std::collections::BTreeSet;

use losscheck::data::DataFolder;
use losscheck::judge::tolerance::{ABOVE_DEFAULT, tolerance};
use losscheck::loss::{LossKind, Output};
use losscheck::tensor::DType;

fn outputs(loss: LossKind) -> impl Iterator<Item = Output> {
    let gradients = loss.signature().differentiable.iter().map(|&name| Output::Gradient(name));
    [Output::Value].into_iter().chain(gradients)
}

#[test]
fn tolerances_are_4_or_8_ulps() {
    for &loss in LossKind::ALL {
        for output in outputs(loss) {
            for dtype in DType::FLOATS {
                assert!([4.0, 8.0].contains(&tolerance(loss, output, dtype)), "{loss}, {output} in {dtype}");
            }
        }
    }
}

#[test]
fn a_tolerance_above_that_of_most_names_a_case_of_its_loss_and_dtype() {
    let data = DataFolder::shipped();
    let regressions = data.regressions().expect("readable regressions");
    let goldens = data.goldens().expect("readable goldens").cases;
    let ids: BTreeSet<(LossKind, DType, &str)> =
        goldens.iter().chain(&regressions).map(|case| (case.loss.kind(), case.dtype(), case.id.as_str())).collect();
    for &(loss, output, dtype, id) in ABOVE_DEFAULT {
        assert!(ids.contains(&(loss, dtype, id)), "{loss}, {output} in {dtype}: there is no case {id}");
    }
    for &loss in LossKind::ALL {
        let named = outputs(loss).map(|output| (output, output.to_string().replace("gradient of ", "")));
        let named: Vec<_> = named.collect();
        for dtype in DType::FLOATS {
            for (output, name) in &named {
                let is_named = |own: &str| {
                    ABOVE_DEFAULT.iter().any(|&(of, output, in_dtype, _)| (of, output, in_dtype) == (loss, own, dtype))
                };
                let default = if matches!(dtype, DType::F16 | DType::BF16) { 4.0 } else { 8.0 };
                assert_eq!(tolerance(loss, *output, dtype) > default, is_named(name), "{loss}, {name} in {dtype}");
            }
        }
    }
}
