//! Mistakes that one loss, or a few, can have: most of them have been made.

use losscheck::backend::Outcome;
use losscheck::case::{Answer, Case};
use losscheck::loss::{Loss, LossKind};
use losscheck::losses;
use losscheck::tensor::{Data, Tensor};
use losscheck::ulp::{largest, ulp};
use losscheck_reference::Real;
use losscheck_reference::pointwise::Pointwise;
use serde_json::json;

use super::formula;
use crate::Mutant;
use crate::mutant::{Part, map, reduction, with_data, with_input, with_other_option};

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    use LossKind as Kind;
    match loss {
        Kind::BinaryCrossEntropy => vec![
            formula::mutant(loss, "the logarithm is not clamped at -100", |_| Some(UnclampedBce))
                .known("https://github.com/tinygrad/tinygrad/blob/master/tinygrad/tensor.py"),
            Mutant::of_another_case(loss, "the input is taken for logits", Part::All, |case| {
                Some(Case {
                    loss: Kind::BinaryCrossEntropyWithLogits.read_options(reduced(case)).ok()?,
                    ..case.clone()
                })
            })
            .known("https://github.com/tracel-ai/burn/pull/4829"),
        ],
        Kind::BinaryCrossEntropyWithLogits => vec![
            formula::mutant(loss, "ln(1 + e^-x) overflows", |case| {
                (!case.inputs.contains_key("pos_weight")).then_some(NaiveSoftplus)
            })
            .known("https://github.com/tracel-ai/burn/issues/5373"),
            Mutant::of_answer(loss, "the gradient at a logit of 0 is 0", |case, answer| {
                zero_where(case, answer, "input")
            })
            .known("https://github.com/pytorch/pytorch/issues/2298"),
            Mutant::of_answer(loss, "the logit -inf gives NaN", |case, answer| {
                if case.inputs["input"].to_f64().contains(&f64::NEG_INFINITY) {
                    answer.value = map(&answer.value, |_| f64::NAN);
                }
            })
            .known("https://github.com/pytorch/pytorch/issues/135359"),
        ],
        Kind::CosineEmbeddingLoss => vec![negated(loss, "target")],
        Kind::CrossEntropy | Kind::LinearCrossEntropy => {
            let mut mutants = class_targets(loss);
            mutants.push(Mutant::of_another_case(
                loss,
                "the labels are smoothed over the other classes alone",
                Part::All,
                |case| {
                    let options = case.loss.write_options();
                    let (smoothing, classes) = (options["label_smoothing"].as_f64()?, classes(case)? as f64);
                    let spread = smoothing * classes / (classes - 1.0);
                    if classes > 1.0 {
                        with_other_option(case, "label_smoothing", json!(spread.min(1.0)))
                    } else {
                        None
                    }
                },
            ));
            mutants.push(Mutant::of_answer(
                loss,
                "a logit beyond the range of the exponential overflows",
                |case, answer| {
                    let limit = largest(case.dtype()).ln();
                    let scores = case.inputs["input"].to_f64();
                    if scores.iter().any(|x| *x > limit && x.is_finite()) {
                        answer.value = map(&answer.value, |_| f64::INFINITY);
                    }
                },
            ));
            if loss == Kind::CrossEntropy {
                mutants.push(Mutant::of_another_case(loss, "the softmax is left out", Part::All, |case| {
                    let options = json!({ "ignore_index": case.loss.write_options()["ignore_index"],
                                          "reduction": reduction(case)? });
                    let is_of_classes = !case.inputs["target"].dtype().is_float();
                    let loss = is_of_classes.then(|| Kind::NllLoss.read_options(options).ok())??;
                    Some(Case { loss, ..case.clone() })
                }));
            }
            mutants
        }
        Kind::CtcLoss => ctc(),
        Kind::GaussianNllLoss => vec![
            Mutant::of_another_case(loss, "`eps` is added to the variance", Part::All, |case| {
                let eps = case.loss.write_options()["eps"].as_f64()?;
                with_input(case, "var", |var| map(var, |v| v + eps))
            }),
            Mutant::of_answer(loss, "a variance that is clamped has the gradient 0", |case, answer| {
                let eps = case.loss.write_options()["eps"].as_f64().unwrap_or_default();
                set_where(case, answer, "var", |v| v < eps, 0.0);
            }),
            scaled(loss, "the half is left out", |_| 2.0),
        ],
        Kind::HingeEmbeddingLoss => vec![negated(loss, "target"), nudged(loss, "input", 1.0)],
        Kind::HuberLoss => vec![
            scaled(loss, "it is smooth L1 of beta = delta", |case| 1.0 / option(case, "delta")),
            nudged_delta(loss, "delta"),
        ],
        Kind::KlDiv => vec![
            Mutant::of_answer(loss, "0 ln 0 is NaN", |case, answer| {
                let is_plain = case.loss.write_options()["log_target"] == json!(false);
                if is_plain && case.inputs["target"].to_f64().contains(&0.0) {
                    answer.value = map(&answer.value, |_| f64::NAN);
                }
            })
            .known("https://github.com/google-deepmind/optax/pull/1786"),
            Mutant::of_answer(loss, "the gradient of a target of 0 is NaN", |case, answer| {
                if case.loss.write_options()["log_target"] == json!(false) {
                    set_where(case, answer, "target", |t| t == 0.0, f64::NAN);
                }
            })
            .known("https://github.com/pytorch/pytorch/issues/89558"),
            Mutant::of_another_case(loss, "`batchmean` is taken for `mean`", Part::All, |case| {
                (reduction(case)? == "batchmean").then(|| with_other_option(case, "reduction", json!("mean")))?
            }),
            Mutant::of_another_case(loss, "`mean` is taken for `batchmean`", Part::All, |case| {
                (reduction(case)? == "mean").then(|| with_other_option(case, "reduction", json!("batchmean")))?
            }),
        ],
        Kind::L1Loss => vec![
            formula::mutant(loss, "the difference keeps its sign", |_| Some(Signed))
                .known("https://github.com/BobMcDear/attorch/issues/13"),
            nudged(loss, "input", 1.0),
            nudged(loss, "input", -1.0),
        ],
        Kind::MarginRankingLoss => {
            vec![negated(loss, "target"), nudged(loss, "input1", 1.0), nudged(loss, "input1", -1.0)]
        }
        Kind::MseLoss => vec![scaled(loss, "it is halved", |_| 0.5)],
        Kind::MultiMarginLoss => vec![
            scaled(loss, "it is not divided by the number of classes", |case| classes(case).unwrap_or(1) as f64),
            scaled(loss, "it is divided by the number of the other classes", |case| {
                let classes = classes(case).unwrap_or(1) as f64;
                classes / (classes - 1.0).max(1.0)
            }),
        ],
        Kind::MultilabelMarginLoss => vec![
            scaled(loss, "it is not divided by the number of classes", |case| classes(case).unwrap_or(1) as f64),
            Mutant::of_another_case(loss, "the list of labels has no end", Part::All, |case| {
                with_input(case, "target", |target| {
                    with_data(target, Data::rounded(target.dtype(), target.to_f64().into_iter().map(|t| t.max(0.0))))
                })
            }),
        ],
        Kind::MultilabelSoftMarginLoss => vec![
            scaled(loss, "it is not divided by the number of classes", |case| classes(case).unwrap_or(1) as f64),
            negated_probability(loss),
        ],
        Kind::NllLoss | Kind::NllLoss2d => {
            let mut mutants = class_targets(loss);
            mutants.push(
                Mutant::of_another_case(loss, "the input is taken for logits", Part::All, |case| {
                    let options = json!({ "ignore_index": case.loss.write_options()["ignore_index"],
                                          "reduction": reduction(case)? });
                    Some(Case { loss: Kind::CrossEntropy.read_options(options).ok()?, ..case.clone() })
                })
                .known("https://github.com/tracel-ai/burn/pull/4829"),
            );
            mutants.push(negated(loss, "input"));
            mutants
        }
        Kind::PoissonNllLoss => vec![
            formula::mutant(loss, "Stirling's term counts at a target of 1 too", |case| poisson(case, 1.0))
                .known("https://github.com/PaddlePaddle/Paddle/pull/56733"),
            formula::mutant(loss, "Stirling's term counts at every positive target", |case| {
                poisson(case, f64::MIN_POSITIVE)
            })
            .known("https://github.com/pytorch/pytorch/issues/28575"),
        ],
        Kind::SmoothL1Loss => vec![
            scaled(loss, "it is Huber of delta = beta", |case| option(case, "beta")),
            nudged_delta(loss, "beta"),
            Mutant::of_answer(loss, "beta 0 divides by 0", |case, answer| {
                if option(case, "beta") == 0.0 {
                    answer.value = map(&answer.value, |x| if x == 0.0 { f64::NAN } else { x });
                }
            })
            .known("https://github.com/pytorch/pytorch/issues/96813"),
        ],
        Kind::SoftMarginLoss => vec![negated(loss, "target"), negated_probability(loss)],
        Kind::TripletMarginLoss => {
            let mut mutants = triplets(loss);
            mutants.push(Mutant::of_another_case(loss, "`eps` is left out", Part::All, |case| {
                with_other_option(case, "eps", json!(0.0))
            }));
            mutants
        }
        Kind::TripletMarginWithDistanceLoss => triplets(loss),
        Kind::AdaptiveLogSoftmaxWithLoss => {
            vec![Mutant::of_another_case(loss, "a target is the next class", Part::All, |case| {
                with_input(case, "target", |target| {
                    with_data(
                        target,
                        Data::rounded(target.dtype(), target.to_f64().into_iter().map(|t| (t - 1.0).max(0.0))),
                    )
                })
            })]
        }
    }
}

fn option(case: &Case, name: &str) -> f64 {
    case.loss.write_options()[name].as_f64().unwrap_or(1.0)
}

fn reduced(case: &Case) -> serde_json::Value {
    json!({ "reduction": reduction(case) })
}

/// The number of classes of scores: of a layer's outputs, where there is a layer.
fn classes(case: &Case) -> Option<usize> {
    let (scores, axis) = match case.input("linear_weight") {
        Some(weight) => (weight, 0),
        None => (case.input("input")?, 1),
    };
    let shape = scores.shape();
    shape.get(if shape.len() == 1 { 0 } else { axis }).copied()
}

/// The tensor with the other sign.
fn negated(loss: LossKind, name: &'static str) -> Mutant {
    Mutant::of_another_case(loss, format!("the sign of `{name}` is reversed"), Part::All, move |case| {
        with_input(case, name, |tensor| map(tensor, |x| -x))
    })
}

/// Labels of 0 and 1 that are taken the other way round.
fn negated_probability(loss: LossKind) -> Mutant {
    Mutant::of_another_case(loss, "`target` is taken for 1 - target", Part::All, |case| {
        with_input(case, "target", |tensor| map(tensor, |t| 1.0 - t))
    })
}

/// Everything times a factor.
fn scaled(loss: LossKind, mistake: &'static str, factor: fn(&Case) -> f64) -> Mutant {
    Mutant::of_answer(loss, mistake, move |case, answer| {
        let factor = factor(case);
        for tensor in answer.gradients.values_mut().chain([&mut answer.value]) {
            *tensor = map(tensor, |x| x * factor);
        }
    })
}

/// A kink that is on the other side: the slope a ULP further.
fn nudged(loss: LossKind, name: &'static str, ulps: f64) -> Mutant {
    let side = if ulps > 0.0 { "above" } else { "below" };
    Mutant::of_another_case(loss, format!("at a kink the slope is that {side}"), Part::Gradients, move |case| {
        with_input(case, name, |tensor| {
            let step = |x: f64| if x.is_finite() { ulps * ulp(tensor.dtype(), x.abs()) } else { 0.0 };
            map(tensor, |x| x + step(x))
        })
    })
}

/// The width of the parabola, off by a tenth.
fn nudged_delta(loss: LossKind, name: &'static str) -> Mutant {
    Mutant::of_another_case(loss, format!("`{name}` is a tenth too large"), Part::Value, move |case| {
        with_other_option(case, name, json!(option(case, name) * 1.1))
    })
}

/// Sets the gradient of a tensor to a number where its elements are such.
fn set_where(case: &Case, answer: &mut Answer, name: &str, is_such: impl Fn(f64) -> bool, number: f64) {
    let elements = case.inputs[name].to_f64();
    if let Some(gradient) = answer.gradients.get_mut(name) {
        let numbers = gradient.to_f64().into_iter().zip(elements).map(|(x, of)| if is_such(of) { number } else { x });
        let data = Data::rounded(gradient.dtype(), numbers);
        *gradient = with_data(gradient, data);
    }
}

fn zero_where(case: &Case, answer: &mut Answer, name: &str) {
    set_where(case, answer, name, |x| x == 0.0, 0.0);
}

/// Whether a target is of classes, and some are to be ignored.
fn ignored(case: &Case) -> Option<(Vec<i64>, i64)> {
    let ignore_index = case.loss.write_options()["ignore_index"].as_i64().unwrap_or(-100);
    let classes: Vec<i64> = case.inputs["target"].to_indices()?.into_iter().collect();
    classes.contains(&ignore_index).then_some((classes, ignore_index))
}

/// Mistakes with class indices.
fn class_targets(loss: LossKind) -> Vec<Mutant> {
    let counted = |case: &Case| {
        let (classes, ignore_index) = ignored(case)?;
        let counted = classes.iter().map(|&class| if class == ignore_index { 0 } else { class });
        let target = &case.inputs["target"];
        let data = Data::rounded(target.dtype(), counted.map(|class| class as f64));
        let other = with_input(case, "target", |target| with_data(target, data.clone()))?;
        with_other_option(&other, "ignore_index", json!(-100)).or(Some(other))
    };
    let clamped = |case: &Case| {
        let last = classes(case)?.checked_sub(1)? as f64;
        let is_of_classes = !case.inputs["target"].dtype().is_float();
        let clamp = |target: &Tensor| {
            let numbers = target.to_f64().into_iter().map(|class| class.clamp(0.0, last));
            with_data(target, Data::rounded(target.dtype(), numbers))
        };
        is_of_classes.then(|| with_input(case, "target", clamp))?
    };
    let of_part = |part| Mutant::of_another_case(loss, "ignored rows count as of the first class", part, counted);
    let mut mutants: Vec<Mutant> = Part::EACH.into_iter().map(of_part).collect();
    mutants.push(
        Mutant::of_answer(loss, "the mean is 0 where all rows are ignored", |case, answer| {
            let all = ignored(case).is_some_and(|(classes, index)| classes.iter().all(|&class| class == index));
            if all && reduction(case).as_deref() == Some("mean") {
                answer.value = map(&answer.value, |_| 0.0);
            }
        })
        .known("https://github.com/huggingface/candle/pull/3161"),
    );
    mutants.push(Mutant::of_outcome(loss, "indices are clamped to the classes", move |case, own| match own {
        Outcome::Rejection(_) => {
            use losscheck::backend::Backend;
            clamped(case).map_or(own, |case| losscheck::backends::Reference.evaluate(&case))
        }
        own => own,
    }));
    mutants
}

/// Mistakes with lengths and the blank.
fn ctc() -> Vec<Mutant> {
    let loss = LossKind::CtcLoss;
    let shorter = |name: &'static str, by: f64| {
        move |case: &Case| with_input(case, name, |lengths| map(lengths, |length| (length - by).max(0.0)))
    };
    let is_length = |case: &Case, name: &str, is: fn(f64) -> bool| case.inputs[name].to_f64().into_iter().any(is);
    vec![
        Mutant::of_another_case(loss, "the blank is the next class", Part::All, |case| {
            let classes = case.inputs["log_probs"].shape().last().copied()? as i64;
            let blank = case.loss.write_options()["blank"].as_i64()?;
            with_other_option(case, "blank", json!((blank + 1).checked_rem(classes)?))
        }),
        Mutant::of_another_case(loss, "the blank is the last class", Part::All, |case| {
            let classes = case.inputs["log_probs"].shape().last().copied()? as i64;
            with_other_option(case, "blank", json!(classes - 1))
        }),
        Mutant::of_another_case(loss, "a target is one label short", Part::All, shorter("target_lengths", 1.0)),
        Mutant::of_another_case(loss, "an input is one step short", Part::All, shorter("input_lengths", 1.0)),
        Mutant::of_another_case(loss, "an input is one step short", Part::Gradients, shorter("input_lengths", 1.0)),
        Mutant::of_another_case(loss, "all steps count, whatever `input_lengths` says", Part::All, |case| {
            let steps = case.inputs["log_probs"].shape().first().copied()? as f64;
            with_input(case, "input_lengths", |lengths| map(lengths, |_| steps))
        }),
        Mutant::of_answer(loss, "the mean divides by the length 0 of an empty target", move |case, answer| {
            if reduction(case).as_deref() == Some("mean") && is_length(case, "target_lengths", |length| length == 0.0) {
                answer.value = map(&answer.value, |x| x / 0.0);
            }
        })
        .known("https://github.com/pytorch/pytorch/issues/18215"),
        Mutant::of_answer(loss, "an empty target has the loss 0", move |case, answer| {
            let lengths = case.inputs["target_lengths"].to_f64();
            if lengths.iter().all(|&length| length == 0.0) {
                answer.value = map(&answer.value, |_| 0.0);
            }
        })
        .known("https://github.com/pytorch/pytorch/issues/84827"),
    ]
}

/// Mistakes with triplets.
fn triplets(loss: LossKind) -> Vec<Mutant> {
    let exchanged = |a: &'static str, b: &'static str| {
        move |case: &Case| {
            let mut case = case.clone();
            let (first, second) = (case.inputs.remove(a)?, case.inputs.remove(b)?);
            case.inputs.extend([(a.to_owned(), second), (b.to_owned(), first)]);
            Some(case)
        }
    };
    vec![
        Mutant::of_another_case(
            loss,
            "positive and negative are exchanged",
            Part::All,
            exchanged("positive", "negative"),
        ),
        Mutant::of_another_case(loss, "anchor and positive are exchanged", Part::All, exchanged("anchor", "positive")),
        Mutant::of_another_case(loss, "the distance is always the squared one", Part::All, |case| {
            let options = case.loss.write_options();
            let kept = json!({ "margin": options["margin"], "swap": options["swap"], "reduction": options["reduction"],
                               "distance_function": "squared_euclidean" });
            let squared: losses::triplet_margin_with_distance_loss::Options = serde_json::from_value(kept).ok()?;
            Some(Case { loss: Loss::TripletMarginWithDistanceLoss(squared), ..case.clone() })
        }),
    ]
}

/// -(t ln p + (1 - t) ln(1 - p)), as it stands.
struct UnclampedBce;

impl Pointwise<2> for UnclampedBce {
    fn value<R: Real>(&self, [p, t]: [R; 2]) -> R {
        -(t * p.ln() + (R::ONE - t) * (R::ONE - p).ln())
    }

    fn pullback<R: Real>(&self, cotangent: R, [p, t]: [R; 2]) -> [R; 2] {
        [cotangent * ((p - t) / (p * (R::ONE - p))), cotangent * ((R::ONE - p).ln() - p.ln())]
    }
}

/// (1 - t) x + ln(1 + e^-x), as it stands.
struct NaiveSoftplus;

impl Pointwise<2> for NaiveSoftplus {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        (R::ONE - t) * x + (R::ONE + (-x).exp()).ln()
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        [cotangent * (R::ONE / (R::ONE + (-x).exp()) - t), -(cotangent * x)]
    }
}

/// x - t.
struct Signed;

impl Pointwise<2> for Signed {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        x - t
    }

    fn pullback<R: Real>(&self, cotangent: R, _: [R; 2]) -> [R; 2] {
        [cotangent, -cotangent]
    }
}

/// e^x - t x, and Stirling's term from a target on.
struct StirlingFrom(f64);

fn poisson(case: &Case, from: f64) -> Option<StirlingFrom> {
    let options = case.loss.write_options();
    (options["full"] == json!(true) && options["log_input"] == json!(true)).then_some(StirlingFrom(from))
}

impl Pointwise<2> for StirlingFrom {
    fn value<R: Real>(&self, [x, t]: [R; 2]) -> R {
        let stirling = t * t.ln() - t + R::from_f64(0.5) * (R::from_f64(std::f64::consts::TAU) * t).ln();
        let loss = x.exp() - t * x;
        if t >= R::from_f64(self.0) { loss + stirling } else { loss }
    }

    fn pullback<R: Real>(&self, cotangent: R, [x, t]: [R; 2]) -> [R; 2] {
        let slope = if t >= R::from_f64(self.0) { t.ln() + R::from_f64(0.5) / t } else { R::ZERO };
        [cotangent * (x.exp() - t), cotangent * (slope - x)]
    }
}
