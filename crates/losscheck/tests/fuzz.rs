//! Random testing finds what is wrong, shrinks it and keeps it.

use losscheck::backend::call::without_panic_messages;
use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Outcome};
use losscheck::case::random::RandomCases;
use losscheck::case::{Case, format};
use losscheck::data::DataFolder;
use losscheck::judge::verdict::DifferenceKind;
use losscheck::loss::{LossKind, generate};
use losscheck::run::fuzz::{Report, WITNESSES, fuzz, save};

/// The reference with a wrong sign in every value, and a panic on empty tensors.
struct Broken;

impl Backend for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn version(&self) -> String {
        String::new()
    }

    fn coverage(&self, _: LossKind) -> Coverage {
        Coverage::Native
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        assert!(!case.inputs["input"].is_empty(), "nothing here");
        match Reference.evaluate(case) {
            Outcome::Answer(mut answer) => {
                let negated = answer.value.to_f64().into_iter().map(|x| -x).collect();
                let shape = answer.value.shape().to_vec();
                answer.value = generate::floats(case.dtype(), shape, negated);
                Outcome::Answer(answer)
            }
            outcome => outcome,
        }
    }
}

fn random_cases() -> RandomCases {
    RandomCases { seed: 1, count: 200, losses: vec![LossKind::MseLoss, LossKind::L1Loss] }
}

fn run(backend: &dyn Backend) -> (tempfile::TempDir, Report) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder(folder.path().to_owned());
    let report = without_panic_messages(|| fuzz(&random_cases(), &[backend], &data, || ()).unwrap());
    (folder, report)
}

#[test]
fn a_wrong_sign_shrinks_to_a_small_case() {
    let (_folder, report) = run(&Broken);
    assert!(!report.table.all_known());
    let witness = report.witnesses.iter().find(|witness| witness.difference.kind == DifferenceKind::Off).unwrap();
    assert!(witness.case.inputs["input"].len() <= 1, "{:?}", witness.case);
    assert!(report.witnesses.iter().any(|witness| witness.difference.kind == DifferenceKind::Failed));
    let of_kind = |kind| report.witnesses.iter().filter(move |witness| witness.difference.kind == kind).count();
    assert!(of_kind(DifferenceKind::Off) <= 2 * WITNESSES);
}

#[test]
fn a_seed_is_a_run() {
    let text = |report: &Report| format!("{report:?}");
    assert_eq!(text(&run(&Broken).1), text(&run(&Broken).1));
}

#[test]
fn without_a_loss_nothing_is_drawn() {
    assert!(RandomCases { losses: Vec::new(), ..random_cases() }.draws().is_empty());
}

#[test]
fn regressions_are_merged() {
    let (folder, report) = run(&Broken);
    let found = || report.witnesses.iter().map(|witness| &witness.case);
    let files = save(found(), folder.path()).unwrap();
    let once = format::read(folder.path()).unwrap().cases.len();
    assert_eq!(save(found(), folder.path()).unwrap(), files);
    assert_eq!(format::read(folder.path()).unwrap().cases.len(), once);
    assert!(once >= 2 && files.len() == 2);
}

#[test]
fn hooks_do_not_pile_up() {
    // Hooks that wrapped one another overflowed the stack when the last was dropped.
    for _ in 0..1_000_000 {
        without_panic_messages(|| ());
    }
    drop(std::panic::take_hook());
}
