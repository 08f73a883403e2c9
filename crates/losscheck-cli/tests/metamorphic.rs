//! Metamorphic relations on every backend, from random cases.

use losscheck::backend::call::without_panic_messages;
use losscheck::backend::{Backend, Coverage};
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::judge::verdict::Verdict;
use losscheck::loss::{LossKind, LossKindExt};
use losscheck::run::metamorphic::{Claim, RELATIONS, broken, claims, run};
use losscheck_mutants::{Mutant, catalogue};

const SEED: u64 = 4_711;
/// Of each loss in each dtype.
const CASES: usize = 600;
/// Each relation says something about so many of them at least.
const LEAST: usize = 20;

#[test]
fn relations_hold() {
    let streams: usize = LossKind::ALL.iter().map(|loss| loss.dtypes().len()).sum();
    let random = RandomCases { seed: SEED, count: CASES * streams, losses: LossKind::ALL.to_vec() };
    let backends = losscheck_cli::backends();
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    let found = without_panic_messages(|| run(&random, &backends, &DataFolder::shipped(), || {}));
    let found = found.expect("the deviations can be read");
    for column in &found.columns {
        for ((relation, loss), broken) in broken(&found, column) {
            eprintln!("{}, {}: {relation}, {}", column.name(), loss.name(), broken.worst.message);
        }
    }
    assert!(found.all_known(), "repeat with `losscheck metamorphic --cases {} --seed {SEED}`", random.count);
    let is_complete =
        |backend: &dyn Backend| LossKind::ALL.iter().all(|&loss| backend.coverage(loss) != Coverage::Missing);
    for (column, _) in found.columns.iter().zip(&backends).filter(|(_, backend)| is_complete(**backend)) {
        let tallies = found.tallies(column, |row| row.relation.name);
        for relation in RELATIONS {
            let held = tallies[relation.name].agree;
            assert!(held >= LEAST, "{}: `{}` held {held} times", column.name(), relation.name);
        }
    }
    let of_reference = found.known(&found.columns[0]);
    assert!(of_reference.is_empty(), "the reference has no known deviation: {of_reference:?}");
}

/// A relation that no wrong loss breaks would say nothing.
#[test]
fn each_relation_is_broken_by_some_mutant() {
    let suites: Vec<(Vec<Mutant>, Vec<Claim>)> = LossKind::ALL
        .iter()
        .map(|&loss| {
            let random = RandomCases { seed: SEED, count: 100 * loss.dtypes().len(), losses: vec![loss] };
            (catalogue(loss), random.draws().iter().flat_map(|draw| claims(&draw.case())).collect())
        })
        .collect();
    without_panic_messages(|| {
        for relation in RELATIONS {
            let is_broken = suites.iter().any(|(mutants, claims)| {
                let mut of_relation = claims.iter().filter(|claim| claim.relation.name == relation.name);
                of_relation
                    .any(|claim| mutants.iter().any(|mutant| matches!(claim.judge(mutant), Verdict::Differs { .. })))
            });
            assert!(is_broken, "no mutant breaks `{}`", relation.name);
        }
    });
}
