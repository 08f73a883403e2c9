//! The suite's own teeth: the goldens alone catch every wrong loss of the catalogue.

use std::collections::BTreeMap;

use losscheck::backend::call::without_panic_messages;
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::deviations::{Policy, Scope};
use losscheck::loss::LossKind;
use losscheck_mutants::random::{MOST_BY_RULE, Power, limits, power};
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

#[test]
fn known_deviations_excuse_nothing_but_what_they_state() {
    let data = DataFolder::shipped();
    let names = data.records().expect("the folder of the records can be read");
    let policy = |name: &String| data.policy(name, Scope::Others).expect("the record can be read");
    let policies: Vec<Policy> = names.iter().map(policy).collect();
    let count = SPOILED * LossKind::ALL.len();
    let powers = power(&RandomCases { seed: 1, count, losses: LossKind::ALL.to_vec() }, &policies, || ());
    let limits = limits();
    assert_eq!(powers.len(), policies.len() * LossKind::ALL.len(), "a loss has no power");
    for ((backend, loss), power) in &powers {
        let Power { spoiled, caught, known, by_rule, otherwise } = *power;
        assert_eq!(otherwise, 0, "{backend} {loss}: excused by no statement");
        assert_eq!(spoiled, caught + known + by_rule, "{backend} {loss}");
        let limit = limits.iter().find(|limit| limit.loss == *loss).map_or(MOST_BY_RULE, |limit| limit.percent);
        let percent = 100.0 * by_rule as f64 / spoiled as f64;
        assert!(percent <= limit, "{backend} {loss}: rules let {percent} % pass");
    }
}
