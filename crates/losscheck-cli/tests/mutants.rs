//! The suite's own teeth: the goldens alone catch every wrong loss of the catalogue.

use std::collections::BTreeMap;

use losscheck::backend::call::without_panic_messages;
use losscheck::data::DataFolder;
use losscheck::loss::LossKind;
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
