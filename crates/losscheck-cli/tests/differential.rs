//! Random cases of every loss on every backend, held against the oracle.

use losscheck::backend::Backend;
use losscheck::fuzz::{Plan, Report, fuzz};
use losscheck::loss::LossKind;
use losscheck::runner::without_panic_messages;
use losscheck::suite::DataFolder;

const SEED: u64 = 20_130;
/// Of each loss in each dtype.
const CASES: usize = 200;

fn plan() -> Plan {
    let losses = LossKind::ALL.to_vec();
    let streams: usize = losses.iter().map(|loss| loss.dtypes().len()).sum();
    Plan { seed: SEED, cases: CASES * streams, losses }
}

fn run() -> Report {
    let backends = losscheck_cli::backends();
    let backends: Vec<&dyn Backend> = backends.iter().map(AsRef::as_ref).collect();
    without_panic_messages(|| fuzz(&plan(), &backends, &DataFolder::shipped(), || {})).expect("the record can be read")
}

#[test]
fn random_cases_differ_only_where_that_is_on_record() {
    let report = run();
    for witness in &report.witnesses {
        eprintln!("{} on {}: {}", witness.backend, witness.case.id, witness.difference.message);
    }
    assert!(report.passed(), "repeat with `losscheck fuzz --cases {} --seed {SEED}`", plan().cases);
    for column in &report.columns {
        for &loss in LossKind::ALL {
            let tally = column.tallies[&loss];
            let drawn = tally.agree + tally.on_record + tally.differ + tally.not_provided;
            assert_eq!(drawn, CASES * loss.dtypes().len(), "{} {}", column.name, loss.name());
        }
    }

    let column = |name| report.columns.iter().find(|column| column.name == name).expect("the backend has run");
    assert!(column("reference").excuses.is_empty(), "the reference needs no excuse");
}

/// Random cases have teeth: they find by themselves what is known to be wrong.
#[test]
fn random_cases_find_what_candle_nn_does_wrong() {
    let losses = [LossKind::BinaryCrossEntropyWithLogits, LossKind::CrossEntropy, LossKind::HuberLoss];
    let backends = losscheck_cli::backends();
    let candle_nn = backends.iter().find(|backend| backend.name() == "candle-nn").expect("the backend is built in");
    let plan = Plan { seed: SEED, cases: 2000 * losses.len(), losses: losses.to_vec() };
    let report = without_panic_messages(|| fuzz(&plan, &[candle_nn.as_ref()], &DataFolder::shipped(), || {}));
    let report = report.expect("the record can be read");
    for loss in losses {
        let found = report.columns[0].excuses.iter().any(|excuse| excuse.record.loss == loss.name());
        assert!(found, "candle-nn's {} deviates, and no random case shows it", loss.name());
    }
}
