//! Metamorphic relations on every backend, from random cases.

use losscheck::backend::Backend;
use losscheck::fuzz::{Plan, cases};
use losscheck::loss::LossKind;
use losscheck::metamorphic::{Claim, Holds, RELATIONS, claims, run};
use losscheck::runner::without_panic_messages;
use losscheck::suite::DataFolder;
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
    let backends = losscheck_cli::backends();
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    let report = without_panic_messages(|| run(&plan, &backends, &DataFolder::shipped(), || {}));
    let report = report.expect("the record can be read");
    for column in &report.columns {
        for ((relation, loss), broken) in &column.broken {
            eprintln!("{}, {}: {relation}, {}", column.name, loss.name(), broken.worst.message);
        }
    }
    assert!(report.passed(), "repeat with `losscheck metamorphic --cases {} --seed {SEED}`", plan.cases);
    for column in report.columns.iter().filter(|column| column.name != "candle-nn") {
        for relation in RELATIONS {
            let held = column.tallies[relation.name].agree;
            assert!(held >= LEAST, "{}: `{}` held {held} times", column.name, relation.name);
        }
    }
    assert!(report.columns[0].excuses.is_empty(), "the reference needs no excuse: {:?}", report.columns[0].excuses);
}

/// A relation that no wrong loss breaks would say nothing.
#[test]
fn each_relation_is_broken_by_some_mutant() {
    let suites: Vec<(Vec<Mutant>, Vec<Claim>)> = LossKind::ALL
        .iter()
        .map(|&loss| {
            let plan = Plan { seed: SEED, cases: 100 * loss.dtypes().len(), losses: vec![loss] };
            (catalogue(loss), cases(&plan).iter().flat_map(claims).collect())
        })
        .collect();
    without_panic_messages(|| {
        for relation in RELATIONS {
            let is_broken = suites.iter().any(|(mutants, claims)| {
                let mut of_relation = claims.iter().filter(|claim| claim.relation == relation.name);
                of_relation.any(|claim| mutants.iter().any(|mutant| matches!(claim.holds(mutant), Holds::No(_))))
            });
            assert!(is_broken, "no mutant breaks `{}`", relation.name);
        }
    });
}
