//! The power of random testing: right answers to random cases, spoiled, and judged as if a backend had given them.

use std::collections::BTreeMap;

use losscheck::backend::Outcome;
use losscheck::case::random::{Draw, RandomCases};
use losscheck::case::{Answer, Case};
use losscheck::deviations::{Explained, Gives, Policy, Statement};
use losscheck::judge::judge;
use losscheck::judge::oracle::{self, ExactAnswer};
use losscheck::judge::ulp::distance;
use losscheck::judge::verdict::{DifferenceKind, Verdict};
use losscheck::loss::LossKind;
use losscheck::tensor::{Tensor, TensorExt};
use rayon::prelude::*;

/// A way to spoil an answer.
struct Spoiler {
    name: &'static str,
    spoil: fn(&Case, &mut Answer),
}

const SPOILERS: [Spoiler; 14] = [
    Spoiler { name: "every sign is wrong", spoil: |_, answer| each(answer, |x| -x) },
    Spoiler { name: "every number is 1 % too large", spoil: |_, answer| each(answer, |x| 1.01 * x) },
    Spoiler { name: "every number is 1.5 x + 1", spoil: |_, answer| each(answer, |x| 1.5 * x + 1.0) },
    Spoiler { name: "every number is 0", spoil: |_, answer| each(answer, |_| 0.0) },
    Spoiler { name: "every number is NaN", spoil: |_, answer| each(answer, |_| f64::NAN) },
    Spoiler { name: "every number is infinite", spoil: |_, answer| each(answer, |_| f64::INFINITY) },
    Spoiler { name: "the value is 1.5 x + 1", spoil: |_, answer| answer.value = answer.value.map(|x| 1.5 * x + 1.0) },
    Spoiler { name: "the value is NaN", spoil: |_, answer| answer.value = answer.value.map(|_| f64::NAN) },
    Spoiler { name: "the first gradient has the wrong sign", spoil: |_, answer| first_gradient(answer, |_, x| -x) },
    Spoiler { name: "the last gradient is 0", spoil: |_, answer| last_gradient(answer, |_| 0.0) },
    Spoiler {
        name: "the first element of a gradient is 1.5 x + 1",
        spoil: |_, answer| first_gradient(answer, |index, x| if index == 0 { 1.5 * x + 1.0 } else { x }),
    },
    Spoiler {
        name: "the last row of a gradient is twice as large",
        spoil: |case, answer| {
            let first = case.differentiable().next().and_then(|name| case.input(name));
            let (length, rows) =
                first.map_or((0, 1), |tensor| (tensor.len(), tensor.shape().first().copied().unwrap_or(1)));
            let row = length / rows.max(1);
            first_gradient(answer, |index, x| if index + row >= length { 2.0 * x } else { x });
        },
    },
    Spoiler { name: "the mean is a sum", spoil: |case, answer| not_divided(case, answer) },
    Spoiler { name: "the value is that of the first gradient", spoil: |_, answer| of_gradient(answer) },
];

fn each(answer: &mut Answer, change: impl Fn(f64) -> f64) {
    answer.value = answer.value.map(&change);
    answer.gradients.values_mut().for_each(|gradient| *gradient = gradient.map(&change));
}

fn first_gradient(answer: &mut Answer, change: impl Fn(usize, f64) -> f64) {
    if let Some(gradient) = answer.gradients.values_mut().next() {
        let changed = gradient.to_f64().into_iter().enumerate().map(|(index, x)| change(index, x));
        *gradient = gradient.with_elements(changed).expect("as many elements as before");
    }
}

fn last_gradient(answer: &mut Answer, change: impl Fn(f64) -> f64) {
    if let Some(gradient) = answer.gradients.values_mut().last() {
        *gradient = gradient.map(change);
    }
}

/// Undoes the division of a mean by the number of elements of the first input.
fn not_divided(case: &Case, answer: &mut Answer) {
    let number = case.input(case.loss.kind().signature().first()).map_or(1, Tensor::len);
    if case.loss.reduction() == Some("mean") {
        each(answer, |x| x * number as f64);
    }
}

/// Replaces the value by the first number of a gradient.
fn of_gradient(answer: &mut Answer) {
    if let Some(first) = answer.gradients.values().next().and_then(|gradient| gradient.to_f64().first().copied()) {
        answer.value = answer.value.map(|_| first);
    }
}

/// An answer counts as spoiled if a number has moved by more than that, in ULPs at the error scale.
pub const LEAST_ULPS: f64 = 16.0;

/// Rules may let pass so many of the spoiled answers to the cases of a loss, in per cent, unless a [`Limit`] says otherwise.
pub const MOST_BY_RULE: f64 = 1.0;

/// How many spoiled answers to the cases of a loss rules may let pass, if it is more than [`MOST_BY_RULE`].
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The loss.
    pub loss: LossKind,
    /// In per cent.
    pub percent: f64,
    /// What stands in the way of less.
    pub reason: &'static str,
}

const LIMITS: &[(&[LossKind], f64, &str)] = &[
    (&[LossKind::AdaptiveLogSoftmaxWithLoss], 9.0, "an index may be any one of those whose scores overflow"),
    (
        &[LossKind::TripletMarginLoss, LossKind::TripletMarginWithDistanceLoss],
        6.0,
        "of infinity less infinity not even the sign is known",
    ),
    (
        &[LossKind::LinearCrossEntropy],
        5.0,
        "scores are sums of products, of which one that overflows takes part in all",
    ),
    (&[LossKind::CosineEmbeddingLoss], 2.0, "a product of vectors that overflows takes part in all of their elements"),
    (
        &[LossKind::CrossEntropy, LossKind::NllLoss, LossKind::NllLoss2d],
        2.0,
        "a class weight near the end of the range takes part in every row",
    ),
    (&[LossKind::CtcLoss], 2.0, "a log-probability near the end of the range takes part in the whole sample"),
    (
        &[LossKind::GaussianNllLoss, LossKind::MarginRankingLoss, LossKind::MseLoss, LossKind::MultiMarginLoss],
        2.0,
        "random cases are so small that the one element that overflows is most of a case",
    ),
];

/// Returns the losses of which rules may let pass more than [`MOST_BY_RULE`].
pub fn limits() -> Vec<Limit> {
    let of_losses = |&(losses, percent, reason): &(&'static [LossKind], f64, &'static str)| {
        losses.iter().map(move |&loss| Limit { loss, percent, reason })
    };
    LIMITS.iter().flat_map(of_losses).collect()
}

/// What became of the spoiled answers to the cases of one loss, as one record judges them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    /// The number of spoiled answers.
    pub spoiled: usize,
    /// How many of them differ in a way that is not known.
    pub caught: usize,
    /// How many a known deviation excuses, whose statement they fulfil.
    pub known: usize,
    /// How many a rule lets pass: next to an overflow, an underflow or a jump.
    pub by_rule: usize,
    /// How many a known deviation excuses although they do not fulfil its statement.
    pub otherwise: usize,
}

impl std::ops::AddAssign for Power {
    fn add_assign(&mut self, other: Self) {
        self.spoiled += other.spoiled;
        self.caught += other.caught;
        self.known += other.known;
        self.by_rule += other.by_rule;
        self.otherwise += other.otherwise;
    }
}

/// Spoils the right answers to random cases of each loss, and judges them by each policy. Returns the power by the name of the
/// policy and the loss. `progress` is called after each case.
pub fn power(
    cases: &RandomCases,
    policies: &[Policy],
    progress: impl Fn() + Sync,
) -> BTreeMap<(String, LossKind), Power> {
    let of_draw = |draw: Draw| {
        let powers = power_of(&draw.case(), policies);
        progress();
        (draw.loss, powers)
    };
    let all: Vec<(LossKind, Vec<Power>)> = cases.draws().into_par_iter().map(of_draw).collect();
    let mut powers: BTreeMap<(String, LossKind), Power> = BTreeMap::new();
    for (loss, of_policies) in all {
        for (policy, power) in policies.iter().zip(of_policies) {
            *powers.entry((policy.name.clone(), loss)).or_default() += power;
        }
    }
    powers
}

/// Judges all spoiled answers to one case by each policy.
fn power_of(case: &Case, policies: &[Policy]) -> Vec<Power> {
    let mut powers = vec![Power::default(); policies.len()];
    let exact = oracle::evaluate(case);
    let Ok(known) = &exact else { return powers };
    let right = answer(case, known);
    for Spoiler { spoil, .. } in SPOILERS {
        let mut spoiled = right.clone();
        spoil(case, &mut spoiled);
        if !is_spoiled(case, known, &spoiled) {
            continue;
        }
        let verdict = judge(case, &exact, &Outcome::Answer(spoiled));
        for (power, policy) in powers.iter_mut().zip(policies) {
            power.spoiled += 1;
            *count(case, &verdict, policy, power) += 1;
        }
    }
    powers
}

/// Returns the count to which a verdict belongs.
fn count<'p>(case: &Case, verdict: &Verdict, policy: &Policy, power: &'p mut Power) -> &'p mut usize {
    if !matches!(verdict, Verdict::Differs { .. }) {
        // A number has moved by more than the tolerance, so that a rule must have let it pass.
        return &mut power.by_rule;
    }
    let explained = policy.explain(case, verdict);
    if explained.iter().any(|explained| explained.known.is_none()) {
        return &mut power.caught;
    }
    if explained.iter().all(is_stated) { &mut power.known } else { &mut power.otherwise }
}

/// Returns whether the deviation that covers a difference speaks of its output, and of what is given there.
fn is_stated(Explained { difference, known }: &Explained) -> bool {
    let Some(known) = known else { return false };
    let signature = match known.deviation.loss.parse::<LossKind>() {
        Ok(loss) => loss.signature(),
        Err(_) => return false,
    };
    let statements = known.deviation.gives.iter().filter_map(|text| Statement::parse(text, signature).ok());
    statements.into_iter().any(|statement| match statement {
        Statement::Outcome(kind) => kind == difference.kind,
        Statement::Numbers { output, gives } => {
            Some(output) == difference.output && gives.iter().any(|gives| states(gives, difference.kind))
        }
    })
}

/// Returns whether a difference of that kind can be what a library gives. A sum that lacks some of its terms is off; a sum of
/// infinities may be NaN.
fn states(gives: &Gives, kind: DifferenceKind) -> bool {
    match (gives, kind) {
        (Gives::Special(given), _) if *given == kind => true,
        (Gives::Special(DifferenceKind::Zero), DifferenceKind::Off) => true,
        (Gives::Special(DifferenceKind::Infinity), DifferenceKind::Nan) => true,
        (Gives::Off { .. }, DifferenceKind::Off | DifferenceKind::Zero) => true,
        (Gives::Special(_) | Gives::Off { .. }, _) => false,
    }
}

/// Returns the exact answer, rounded to the dtype of the case.
fn answer(case: &Case, exact: &ExactAnswer) -> Answer {
    let is_index = case.loss.argmax_candidates().is_some();
    let tensor = |array| if is_index { integers(array) } else { Tensor::from_array(case.dtype(), array) };
    let wanted: Vec<&str> = case.differentiable().collect();
    let gradients = exact.results.gradients.iter().filter(|(name, _)| wanted.contains(name));
    let gradients = gradients.map(|(name, array)| ((*name).to_owned(), Tensor::from_array(case.dtype(), array)));
    Answer { value: tensor(&exact.results.value), gradients: gradients.collect() }
}

fn integers<R: losscheck_reference::Real>(array: &ndarray::ArrayD<R>) -> Tensor {
    Tensor::from_index_array(array.mapv(|x| x.to_f64() as i64))
}

/// Returns whether a number of an answer is off by more than [`LEAST_ULPS`].
fn is_spoiled(case: &Case, exact: &ExactAnswer, answer: &Answer) -> bool {
    let outputs = exact.results.outputs().zip(exact.error_scale().outputs());
    outputs.into_iter().any(|((output, exact), (_, scales))| {
        let Some(tensor) = answer.output(output).filter(|_| case.wants(output)) else { return false };
        let numbers = exact.iter().zip(scales).zip(tensor.to_f64());
        let is_off = |((&exact, &scale), actual)| {
            distance(tensor.dtype(), exact, scale, actual).is_none_or(|ulps| ulps > LEAST_ULPS)
        };
        numbers.into_iter().any(is_off)
    })
}

/// Returns the names of the ways in which answers are spoiled.
pub fn spoilers() -> impl Iterator<Item = &'static str> {
    SPOILERS.iter().map(|spoiler| spoiler.name)
}
