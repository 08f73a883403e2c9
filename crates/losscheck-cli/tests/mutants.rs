//! The suite's own teeth: the goldens alone catch every wrong loss of the catalogue.

use std::collections::BTreeMap;

use losscheck::backend::call::without_panic_messages;
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::deviations::{Policy, Scope};
use losscheck::loss::LossKind;
use losscheck_mutants::random::{Power, power};
use losscheck_mutants::{Check, Score, Suite, score};

/// Of each loss.
const LEAST: usize = 10;
const LEAST_IN_ALL: usize = 300;

/// What the goldens cannot catch, and why.
const MISSED: [(LossKind, &str, &str); 1] =
    [(LossKind::KlDiv, "the gradient of a target of 0 is NaN", "PyTorch does so too; the exact gradient tells")];

#[test]
fn the_goldens_catch_every_mutant() {
    let suites = Suite::all(&DataFolder::shipped(), LossKind::ALL, 0, 0).expect("the goldens can be read");
    let scores: Vec<Score> = without_panic_messages(|| suites.iter().flat_map(|suite| score(suite, || {})).collect());

    let mut counts: BTreeMap<LossKind, usize> = BTreeMap::new();
    for score in &scores {
        *counts.entry(score.loss).or_default() += 1;
        let is_listed = MISSED.iter().any(|&(loss, mistake, _)| (loss, mistake) == (score.loss, &score.mistake));
        let by_goldens = score.caught_by(Check::Goldens).is_some();
        assert_eq!(by_goldens, !is_listed, "{}: {}", score.loss.name(), score.mistake);
        assert!(score.caught_by(Check::Oracle).is_some(), "{}: {}", score.loss.name(), score.mistake);
    }
    for &loss in LossKind::ALL {
        assert!(counts.get(&loss).is_some_and(|&count| count >= LEAST), "{}: {counts:?}", loss.name());
    }
    assert!(scores.len() >= LEAST_IN_ALL, "{} mutants", scores.len());
}

/// How many random cases of each loss, whose answers are spoiled.
const SPOILED: usize = 400;

/// A rule may let pass so many of the spoiled answers to the cases of a loss.
const MOST_BY_RULE: f64 = 0.01;

/// The losses of which a rule lets more pass, with how many, and what stands in the way of less.
const MORE_BY_RULE: [(LossKind, f64, &str); 9] = [
    (LossKind::AdaptiveLogSoftmaxWithLoss, 0.09, "an index may be any one of those whose scores overflow"),
    (LossKind::TripletMarginLoss, 0.05, "of infinity less infinity not even the sign is known"),
    (LossKind::TripletMarginWithDistanceLoss, 0.04, "of infinity less infinity not even the sign is known"),
    (LossKind::LinearCrossEntropy, 0.05, "scores are sums of products, of which one that overflows takes part in all"),
    (LossKind::CosineEmbeddingLoss, 0.02, "a product of vectors that overflows takes part in all of their elements"),
    (LossKind::CrossEntropy, 0.02, "a class weight near the end of the range takes part in every row"),
    (LossKind::NllLoss, 0.02, "a class weight near the end of the range takes part in every row"),
    (LossKind::NllLoss2d, 0.02, "a class weight near the end of the range takes part in every row"),
    (LossKind::CtcLoss, 0.02, "a log-probability near the end of the range takes part in the whole sample"),
];

/// Losses of elements in which an overflow of one element is most of what the small cases hold.
const OF_SMALL_CASES: [LossKind; 4] =
    [LossKind::GaussianNllLoss, LossKind::MseLoss, LossKind::MultiMarginLoss, LossKind::MarginRankingLoss];

#[test]
fn known_deviations_excuse_nothing_but_what_they_state() {
    let data = DataFolder::shipped();
    let names = data.records().expect("the folder of the records can be read");
    let policy = |name: &String| data.policy(name, Scope::Others).expect("the record can be read");
    let policies: Vec<Policy> = names.iter().map(policy).collect();
    let count = SPOILED * LossKind::ALL.len();
    let powers = power(&RandomCases { seed: 1, count, losses: LossKind::ALL.to_vec() }, &policies, || ());
    assert_eq!(powers.len(), policies.len() * LossKind::ALL.len(), "a loss has no power");
    for ((backend, loss), power) in &powers {
        let Power { spoiled, caught, known, by_rule, otherwise } = *power;
        assert_eq!(otherwise, 0, "{backend} {loss}: excused by no statement");
        assert_eq!(spoiled, caught + known + by_rule, "{backend} {loss}");
        let of_small_cases = if OF_SMALL_CASES.contains(loss) { 0.02 } else { MOST_BY_RULE };
        let more = MORE_BY_RULE.iter().find(|(own, ..)| own == loss).map(|&(_, most, _)| most);
        let share = by_rule as f64 / spoiled as f64;
        assert!(share <= more.unwrap_or(of_small_cases), "{backend} {loss}: a rule lets {share} pass");
    }
}
