//! Conditions for integers in tensors of numbers.

use super::{About, Condition};
use crate::case::Case;
use crate::case::parts::Part;
use crate::loss::Loss;
use crate::tensor::DType;

pub(super) const CONDITIONS: &[Condition] = &[
    Condition {
        name: "wrapped_bytes",
        about: About::Part,
        describes: "numbers as u8 are subtracted, negated or squared, and the result is none that u8 holds",
        holds: wraps,
    },
    Condition {
        name: "integers_in_f32",
        about: About::Case,
        describes: "integers, of which a logarithm, an exponential, a norm or a distance is taken, beside floats that are not f32",
        holds: |part| part.case.dtype() != DType::F32 && takes_functions_of_integers(&part.case),
    },
    Condition {
        name: "integer_target",
        about: About::Case,
        describes: "the target holds integers",
        holds: |part| holds_integers(&part.case, &["target"]),
    },
];

/// Returns whether all tensors of these names hold integers.
fn holds_integers(case: &Case, names: &[&str]) -> bool {
    names.iter().all(|name| case.input(name).is_some_and(|tensor| !tensor.dtype().is_float()))
}

fn wraps(part: &Part) -> bool {
    let holds_bytes = |name: &str| part.case.input(name).is_some_and(|tensor| tensor.dtype() == DType::U8);
    let differences = |a: &str, b: &str| -> Vec<f64> {
        if holds_bytes(a) && holds_bytes(b) {
            part.numbers(a).into_iter().zip(part.numbers(b)).map(|(a, b)| a - b).collect()
        } else {
            Vec::new()
        }
    };
    let is_negative = |a: &str, b: &str| differences(a, b).into_iter().any(|difference| difference < 0.0);
    let is_any_not_zero = |name: &str| holds_bytes(name) && part.numbers(name).into_iter().any(|x| x != 0.0);
    match &part.case.loss {
        Loss::BinaryCrossEntropyWithLogits(_) => holds_bytes("pos_weight") && part.numbers("pos_weight").contains(&0.0),
        Loss::MarginRankingLoss(_) => is_any_not_zero("target") || is_negative("input1", "input2"),
        Loss::SoftMarginLoss(_) => is_any_not_zero("target"),
        Loss::L1Loss(_) => is_negative("input", "target"),
        // The square of a difference that has wrapped is right if u8 holds it.
        Loss::MseLoss(_) | Loss::GaussianNllLoss(_) => {
            differences("input", "target").into_iter().any(|difference| difference * difference > f64::from(u8::MAX))
        }
        Loss::TripletMarginLoss(_) | Loss::TripletMarginWithDistanceLoss(_) => {
            let is_swapped = swaps(&part.case.loss) && is_negative("positive", "negative");
            is_swapped || is_negative("anchor", "positive") || is_negative("anchor", "negative")
        }
        _ => false,
    }
}

fn takes_functions_of_integers(case: &Case) -> bool {
    let holds_integers = |names: &[&str]| holds_integers(case, names);
    match &case.loss {
        Loss::CosineEmbeddingLoss(_) => holds_integers(&["input1"]) || holds_integers(&["input2"]),
        Loss::PoissonNllLoss(options) => holds_integers(&["input"]) || options.full && holds_integers(&["target"]),
        Loss::TripletMarginLoss(_) | Loss::TripletMarginWithDistanceLoss(_) => {
            let is_swapped = swaps(&case.loss) && holds_integers(&["positive", "negative"]);
            is_swapped || holds_integers(&["anchor", "positive"]) || holds_integers(&["anchor", "negative"])
        }
        _ => false,
    }
}

fn swaps(loss: &Loss) -> bool {
    match loss {
        Loss::TripletMarginLoss(options) => options.swap,
        Loss::TripletMarginWithDistanceLoss(options) => options.swap,
        _ => false,
    }
}
