//! Metamorphic relations on every backend, from random cases.

use std::collections::BTreeMap;

use losscheck::case::Case;
use losscheck::fuzz::{Plan, cases};
use losscheck::loss::LossKind;
use losscheck::metamorphic::{Holds, RELATIONS};
use losscheck::runner::without_panic_messages;
use losscheck::suite::DataFolder;
use losscheck::verdict::Kind;
use losscheck_mutants::{Mutant, catalogue};

const SEED: u64 = 4_711;
/// Of each loss in each dtype.
const CASES: usize = 600;
/// Each relation says something about so many of them at least.
const LEAST: usize = 20;

#[test]
fn relations_hold() {
    let streams: usize = LossKind::ALL.iter().map(|loss| loss.dtypes().len()).sum();
    let plan = Plan { seed: SEED, cases: CASES * streams, losses: LossKind::ALL.to_vec() };
    let cases = cases(&plan);
    let data = DataFolder::shipped();
    let pytorch = data.deviations("pytorch").expect("the record can be read");
    let mut broken = Vec::new();
    for backend in losscheck_cli::backends() {
        let own = data.deviations(backend.name()).expect("the record can be read");
        // What a record excuses on either side may break the relation.
        let is_excused = |pair: &[Case; 2]| {
            pair.iter().any(|case| {
                [Kind::Nan, Kind::Value, Kind::Gradient, Kind::Rejected, Kind::Accepted]
                    .into_iter()
                    .any(|kind| [&own, &pytorch].into_iter().any(|record| record.excuse_other(case, kind).is_some()))
            })
        };
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (case, relation) in cases.iter().flat_map(|case| RELATIONS.iter().map(move |relation| (case, relation))) {
            match without_panic_messages(|| relation.holds(backend.as_ref(), case)) {
                Holds::Yes => *counts.entry(relation.name).or_default() += 1,
                Holds::No(pair, why) if !is_excused(&pair) => {
                    broken.push(format!("{}: {}, from {}: {why}", backend.name(), relation.name, case.id));
                }
                Holds::No(..) | Holds::Unknown => {}
            }
        }
        eprintln!("{}: {counts:#?}", backend.name());
        assert!(broken.is_empty(), "{} relations are broken:\n{}", broken.len(), broken.join("\n"));
        let expects_all = backend.name() != "candle-nn";
        for relation in RELATIONS.iter().filter(|_| expects_all) {
            let count = counts.get(relation.name).copied().unwrap_or_default();
            assert!(count >= LEAST, "{}: `{}` was tried {count} times", backend.name(), relation.name);
        }
    }
}

/// A relation that no wrong loss breaks would say nothing.
#[test]
fn each_relation_is_broken_by_some_mutant() {
    let suites: Vec<(Vec<Mutant>, Vec<Case>)> = LossKind::ALL
        .iter()
        .map(|&loss| {
            let plan = Plan { seed: SEED, cases: 100 * loss.dtypes().len(), losses: vec![loss] };
            (catalogue(loss), cases(&plan))
        })
        .collect();
    without_panic_messages(|| {
        for relation in RELATIONS {
            let is_broken = suites.iter().any(|(mutants, cases)| {
                let breaks = |mutant| cases.iter().any(|case| matches!(relation.holds(mutant, case), Holds::No(..)));
                mutants.iter().any(|mutant| breaks(mutant))
            });
            assert!(is_broken, "no mutant breaks `{}`", relation.name);
        }
    });
}
