//! Mistakes that one loss, or a few, can have: many of them have been made.

mod classes;
mod ctc;
mod formulas;

use losscheck::case::{Answer, Case};
use losscheck::loss::LossKind;
use serde_json::json;

use super::formula;
use crate::Mutant;
use crate::mutant::{Part, is_reduced_by, with_input, with_option};

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    use LossKind as Kind;
    match loss {
        Kind::AdaptiveLogSoftmaxWithLoss => {
            vec![of_input(loss, "a target is taken for the class before", "target", |t| (t - 1.0).max(0.0))]
        }
        Kind::BinaryCrossEntropy => vec![
            formula::mutant(loss, "the logarithm is not clamped at -100", |_| Some(formulas::UnclampedBce))
                .known("https://github.com/tinygrad/tinygrad/blob/master/tinygrad/tensor.py"),
            Mutant::of_another_case(loss, "the input is taken for logits", Part::All, |case| {
                let options = json!({ "reduction": case.loss.reduction() });
                Some(Case { loss: Kind::BinaryCrossEntropyWithLogits.read_options(options).ok()?, ..case.clone() })
            }),
        ],
        Kind::BinaryCrossEntropyWithLogits => {
            let is_plain = |case: &Case| !case.inputs.contains_key("pos_weight");
            vec![
                formula::mutant(loss, "it is ln sigmoid, and ln of 1 less that", move |case| {
                    is_plain(case).then_some(formulas::LogOfSigmoid)
                })
                .known("https://github.com/huggingface/candle/issues/2561"),
                formula::mutant(loss, "ln(1 + e^-x) overflows", move |case| {
                    is_plain(case).then_some(formulas::NaiveSoftplus)
                })
                .known("https://github.com/borgwang/tinynn/pull/7"),
                Mutant::of_answer(loss, "the gradient at a logit of 0 is 0", |case, answer| {
                    set_where(case, answer, "input", |x| x == 0.0, 0.0);
                })
                .known("https://github.com/pytorch/pytorch/issues/2298"),
                Mutant::of_answer(loss, "the logit -inf gives NaN", |case, answer| {
                    if case.inputs["input"].to_f64().contains(&f64::NEG_INFINITY) {
                        answer.value = answer.value.map(|_| f64::NAN);
                    }
                })
                .known("https://github.com/pytorch/pytorch/issues/135359"),
            ]
        }
        Kind::CosineEmbeddingLoss => vec![negated(loss, "target")],
        Kind::CrossEntropy => [classes::indices(loss), classes::of_logits(loss), classes::without_softmax()]
            .into_iter()
            .flatten()
            .collect(),
        Kind::LinearCrossEntropy => [classes::indices(loss), classes::of_logits(loss)].into_iter().flatten().collect(),
        Kind::CtcLoss => ctc::of(),
        Kind::GaussianNllLoss => vec![
            Mutant::of_another_case(loss, "`eps` is added to the variance", Part::All, |case| {
                let eps = option(case, "eps");
                with_input(case, "var", |var| var.map(|v| v + eps))
            }),
            Mutant::of_answer(loss, "a variance that is clamped has the gradient 0", |case, answer| {
                let eps = option(case, "eps");
                set_where(case, answer, "var", |v| v < eps, 0.0);
            }),
            scaled(loss, "the half is left out", |_| 2.0),
        ],
        Kind::HingeEmbeddingLoss => vec![negated(loss, "target"), nudged(loss, "input", -1.0)],
        Kind::HuberLoss => vec![
            scaled(loss, "it is smooth L1 of beta = delta", |case| 1.0 / option(case, "delta")),
            widened(loss, "delta"),
        ],
        Kind::KlDiv => kl_div(),
        Kind::L1Loss => vec![
            formula::mutant(loss, "the difference keeps its sign", |_| Some(formulas::Signed)),
            nudged(loss, "input", 1.0),
            nudged(loss, "input", -1.0),
        ],
        Kind::MarginRankingLoss => {
            vec![negated(loss, "target"), nudged(loss, "input1", 1.0), nudged(loss, "input1", -1.0)]
        }
        Kind::MseLoss => vec![scaled(loss, "it is halved", |_| 0.5)],
        Kind::MultiMarginLoss => vec![
            scaled(loss, "it is not divided by the number of classes", |case| classes::number(case).unwrap_or(1.0)),
            scaled(loss, "it is divided by the number of the other classes", |case| {
                let classes = classes::number(case).unwrap_or(1.0);
                classes / (classes - 1.0).max(1.0)
            }),
        ],
        Kind::MultilabelMarginLoss => vec![
            scaled(loss, "it is not divided by the number of classes", |case| classes::number(case).unwrap_or(1.0)),
            of_input(loss, "the list of labels has no end", "target", |t| t.max(0.0)),
        ],
        Kind::MultilabelSoftMarginLoss => vec![
            scaled(loss, "it is not divided by the number of classes", |case| classes::number(case).unwrap_or(1.0)),
            of_input(loss, "`target` is taken for 1 - target", "target", |t| 1.0 - t),
        ],
        Kind::NllLoss | Kind::NllLoss2d => {
            let mut mutants = classes::indices(loss);
            mutants.extend([classes::with_softmax(loss), negated(loss, "input")]);
            mutants
        }
        Kind::PoissonNllLoss => {
            let stirling = |mistake, counts: fn(f64, f64) -> bool| {
                formula::mutant(loss, mistake, move |case| {
                    let options = case.loss.write_options();
                    let is_full = options["full"] == json!(true) && options["log_input"] == json!(true);
                    is_full.then_some(formulas::StirlingWhere(counts))
                })
            };
            vec![
                stirling("Stirling's term counts where it is above 1, not the target", |_, term| term > 1.0)
                    .known("https://github.com/PaddlePaddle/Paddle/issues/56733"),
                stirling("Stirling's term counts at a target of 1 too", |target, _| target >= 1.0),
                stirling("Stirling's term counts at every positive target", |target, _| target > 0.0),
            ]
        }
        Kind::SmoothL1Loss => vec![
            scaled(loss, "it is Huber of delta = beta", |case| option(case, "beta")),
            widened(loss, "beta"),
            Mutant::of_answer(loss, "beta 0 divides 0 by 0 in the gradients", |case, answer| {
                if option(case, "beta") == 0.0 {
                    let zero_or_nan = |x: f64| if x == 0.0 { f64::NAN } else { x };
                    answer.gradients.values_mut().for_each(|gradient| *gradient = gradient.map(zero_or_nan));
                }
            })
            .known("https://github.com/pytorch/pytorch/issues/96813"),
        ],
        Kind::SoftMarginLoss => {
            vec![negated(loss, "target"), of_input(loss, "`target` is taken for 1 - target", "target", |t| 1.0 - t)]
        }
        Kind::TripletMarginLoss => {
            let mut mutants = triplets(loss);
            mutants.push(Mutant::of_another_case(loss, "`eps` is left out", Part::All, |case| {
                with_option(case, "eps", json!(0.0))
            }));
            mutants
        }
        Kind::TripletMarginWithDistanceLoss => triplets(loss),
    }
}

/// An option that is a number.
fn option(case: &Case, name: &str) -> f64 {
    case.loss.write_options()[name].as_f64().expect("the option is a number")
}

/// A tensor whose elements are taken for others.
fn of_input(loss: LossKind, mistake: &str, name: &'static str, change: fn(f64) -> f64) -> Mutant {
    Mutant::of_another_case(loss, mistake, Part::All, move |case| with_input(case, name, |tensor| tensor.map(change)))
}

fn negated(loss: LossKind, name: &'static str) -> Mutant {
    of_input(loss, &format!("the sign of `{name}` is reversed"), name, |x| -x)
}

/// Everything times a factor.
fn scaled(loss: LossKind, mistake: &'static str, factor: fn(&Case) -> f64) -> Mutant {
    Mutant::of_answer(loss, mistake, move |case, answer| {
        let factor = factor(case);
        for tensor in answer.gradients.values_mut().chain([&mut answer.value]) {
            *tensor = tensor.map(|x| x * factor);
        }
    })
}

/// A kink that is on the other side: the slope a ULP further.
fn nudged(loss: LossKind, name: &'static str, ulps: f64) -> Mutant {
    let side = if ulps > 0.0 { "above" } else { "below" };
    Mutant::of_another_case(loss, format!("at a kink the slope is that {side}"), Part::Gradients, move |case| {
        with_input(case, name, |tensor| {
            let step = |x: f64| if x.is_finite() { ulps * tensor.dtype().format().ulp(x.abs()) } else { 0.0 };
            tensor.map(|x| x + step(x))
        })
    })
}

/// A parabola that is a tenth too wide.
fn widened(loss: LossKind, name: &'static str) -> Mutant {
    Mutant::of_another_case(loss, format!("`{name}` is a tenth too large"), Part::Value, move |case| {
        with_option(case, name, json!(option(case, name) * 1.1))
    })
}

/// Sets the gradient of a tensor to a number where its elements are such.
fn set_where(case: &Case, answer: &mut Answer, name: &str, is_such: impl Fn(f64) -> bool, number: f64) {
    let elements = case.inputs[name].to_f64();
    if let Some(gradient) = answer.gradients.get_mut(name) {
        let numbers = gradient.to_f64().into_iter().zip(elements).map(|(x, of)| if is_such(of) { number } else { x });
        *gradient = gradient.with_elements(numbers).expect("a gradient has the shape of its tensor");
    }
}

fn kl_div() -> Vec<Mutant> {
    let loss = LossKind::KlDiv;
    let is_plain = |case: &Case| case.loss.write_options()["log_target"] == json!(false);
    let exchanged = |given: &'static str, taken: &'static str| {
        Mutant::of_another_case(loss, format!("`{given}` is taken for `{taken}`"), Part::All, move |case| {
            is_reduced_by(case, given).then(|| with_option(case, "reduction", json!(taken)))?
        })
    };
    vec![
        Mutant::of_answer(loss, "0 ln 0 is NaN", move |case, answer| {
            if is_plain(case) && case.inputs["target"].to_f64().contains(&0.0) {
                answer.value = answer.value.map(|_| f64::NAN);
            }
        })
        .known("https://github.com/coreylowman/dfdx/blob/main/src/losses.rs"),
        Mutant::of_answer(loss, "the gradient of a target of 0 is NaN", move |case, answer| {
            if is_plain(case) {
                set_where(case, answer, "target", |t| t == 0.0, f64::NAN);
            }
        })
        .known("https://github.com/pytorch/pytorch/issues/89558"),
        exchanged("batchmean", "mean"),
        exchanged("mean", "batchmean"),
    ]
}

fn triplets(loss: LossKind) -> Vec<Mutant> {
    let exchanged = |a: &'static str, b: &'static str| {
        Mutant::of_another_case(loss, format!("{a} and {b} are exchanged"), Part::All, move |case| {
            Some(case.with_input(a, case.inputs[b].clone()).with_input(b, case.inputs[a].clone()))
        })
    };
    vec![
        exchanged("positive", "negative"),
        exchanged("anchor", "positive"),
        Mutant::of_another_case(loss, "the distance is always the squared one", Part::All, |case| {
            let options = case.loss.write_options();
            let squared = json!({
                "margin": options["margin"],
                "swap": options["swap"],
                "reduction": options["reduction"],
                "distance_function": "squared_euclidean",
            });
            Some(Case { loss: LossKind::TripletMarginWithDistanceLoss.read_options(squared).ok()?, ..case.clone() })
        }),
    ]
}
