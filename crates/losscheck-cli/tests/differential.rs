//! Random cases of every loss on every backend, held against the oracle.

use std::collections::BTreeSet;

use losscheck::backend::call::without_panic_messages;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::judge::verdict::{DifferenceKind, Verdict};
use losscheck::judge::{judge, oracle};
use losscheck::loss::{LossKind, LossKindExt};
use losscheck::run::fuzz::fuzz;

const SEED: u64 = 20_130;
/// Of each loss in each dtype.
const CASES: usize = 200;

fn random_cases() -> RandomCases {
    let losses = LossKind::ALL.to_vec();
    let streams: usize = losses.iter().map(|loss| loss.dtypes().len()).sum();
    RandomCases { seed: SEED, count: CASES * streams, losses }
}

#[test]
fn random_cases_differ_only_in_known_ways() {
    let random = random_cases();
    let backends = losscheck_cli::backends();
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    let report = without_panic_messages(|| fuzz(&random, &backends, &DataFolder::shipped(), || {}));
    let report = report.expect("the deviations can be read");
    for witness in &report.witnesses {
        eprintln!("{} on {}: {}", witness.backend, witness.case.id, witness.difference.message);
    }
    let table = &report.table;
    assert!(table.all_known(), "repeat with `losscheck fuzz --cases {} --seed {SEED}`", random.count);
    for column in &table.columns {
        let tallies = table.tallies(column, |draw| draw.loss);
        for &loss in LossKind::ALL {
            let drawn = tallies[&loss].total();
            assert_eq!(drawn, CASES * loss.dtypes().len(), "{} {}", column.name(), loss.name());
        }
    }
    let reference = table.columns.iter().find(|column| column.name() == "reference").expect("the backend has run");
    assert!(table.known(reference).is_empty(), "the reference has no known deviation");
}

/// A gradient that is not wanted is neither computed nor judged, and those that are wanted stay the same.
#[test]
fn an_answer_holds_the_gradients_that_are_wanted() {
    let backends = losscheck_cli::backends();
    let random = RandomCases { seed: SEED, count: 20 * LossKind::ALL.len(), losses: LossKind::ALL.to_vec() };
    let mut narrowed = 0;
    for case in random.draws().iter().map(|draw| draw.case()) {
        let names: Vec<_> = case.differentiable().collect();
        let exact = oracle::evaluate(&case);
        // Otherwise it is the answer itself that is wrong.
        if exact.is_err() {
            continue;
        }
        for backend in &backends {
            let Outcome::Answer(whole) = backend.evaluate(&case) else { continue };
            for wanted in [&[][..], &names[..1], &names[names.len() - 1..]] {
                let narrow = case.wanting(wanted);
                let outcome = backend.evaluate(&narrow);
                let Outcome::Answer(answer) = &outcome else { panic!("{}: {outcome:?}, {}", backend.name(), case.id) };
                let is_index = !whole.value.dtype().is_float();
                let expected: BTreeSet<_> = if is_index { BTreeSet::new() } else { wanted.iter().copied().collect() };
                let held: BTreeSet<_> = answer.gradients.keys().map(String::as_str).collect();
                assert_eq!(held, expected, "{}, {}", backend.name(), case.id);
                for (name, gradient) in &answer.gradients {
                    let (found, before) = (gradient.to_f64(), whole.gradients[name].to_f64());
                    let same = found.iter().zip(&before).all(|(x, y)| x == y || x.is_nan() && y.is_nan());
                    assert!(same, "{}, {}: {name}", backend.name(), case.id);
                }
                let of_whole = judge(&case, &exact, &outcome);
                let of_narrow = judge(&narrow, &oracle::evaluate(&narrow), &outcome);
                let is_missing =
                    |verdict: &Verdict| verdict.differences().iter().any(|it| it.kind == DifferenceKind::Shape);
                assert!(!is_missing(&of_narrow), "{}, {}: {of_narrow:?}", backend.name(), case.id);
                assert!(is_missing(&of_whole) || is_index || wanted.len() == names.len(), "{}", case.id);
                narrowed += 1;
            }
        }
    }
    assert!(narrowed > 1000, "only {narrowed} narrower answers");
}

/// Random cases have teeth: they find by themselves what is known to be wrong.
#[test]
fn random_cases_find_what_candle_nn_does_wrong() {
    let losses = [LossKind::BinaryCrossEntropyWithLogits, LossKind::CrossEntropy, LossKind::HuberLoss];
    let backends = losscheck_cli::backends();
    let candle_nn = backends.iter().find(|backend| backend.name() == "candle-nn").expect("the backend is built in");
    let random = RandomCases { seed: SEED, count: 2000 * losses.len(), losses: losses.to_vec() };
    let report = without_panic_messages(|| fuzz(&random, &[candle_nn.as_ref()], &DataFolder::shipped(), || {}));
    let report = report.expect("the deviations can be read");
    let known = report.table.known(&report.table.columns[0]);
    for loss in losses {
        let found = known.iter().any(|(known, _)| known.deviation.loss == loss.name());
        assert!(found, "candle-nn's {} deviates, and no random case shows it", loss.name());
    }
}
