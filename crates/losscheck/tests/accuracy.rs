//! Measuring accuracy: what is wrong is found, and a run in parts is the run.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use losscheck::backend::reference::Reference;
use losscheck::backend::{Backend, Coverage, Outcome, Pass};
use losscheck::case::Case;
use losscheck::loss::{LossKind, Output};
use losscheck::run::accuracy::{AccuracyRun, InputSet, Results, Row, SearchBudget, Shard};
use losscheck::tensor::DType;

/// The reference, whose gradients are off by a relative error where an input is above 100; it counts its evaluations.
struct Off {
    error: f64,
    evaluations: AtomicUsize,
}

impl Default for Off {
    fn default() -> Self {
        Self { error: 1.0 / 1024.0, evaluations: AtomicUsize::new(0) }
    }
}

impl Backend for Off {
    fn name(&self) -> &str {
        "off"
    }

    fn version(&self) -> String {
        "1".to_owned()
    }

    fn coverage(&self, _: LossKind) -> Coverage {
        Coverage::Native
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let Outcome::Answer(mut answer) = Reference.evaluate(case) else { panic!("every case is accepted") };
        if case.inputs["input"].to_f64().iter().any(|x| x.abs() > 100.0) {
            for gradient in answer.gradients.values_mut() {
                *gradient = gradient.map(|slope| slope * (1.0 + self.error));
            }
        }
        Outcome::Answer(answer)
    }

    fn workload<'a>(&'a self, _: &'a Case, _: Pass) -> Option<Box<dyn FnMut() + 'a>> {
        None
    }
}

fn plan(dtype: DType) -> AccuracyRun {
    AccuracyRun {
        losses: vec![LossKind::MseLoss],
        dtypes: vec![dtype],
        budget: SearchBudget { samples: 60, restarts: 2, steps: 20 },
        exhaustive: false,
        shard: Shard::ALL,
    }
}

#[test]
fn a_wrong_gradient_is_found_with_its_input() {
    let backend = Off::default();
    let results = plan(DType::F32).run(&[&backend, &Reference], None, |_| ()).expect("no file is touched");
    let row = |output, backend| -> &Row {
        let line = (LossKind::MseLoss, InputSet::Searched, output, DType::F32);
        results.rows.row(line, backend).expect("a row")
    };
    let gradient = row(Output::Gradient("input"), "off").judged();
    assert!(gradient.worst > 4000.0, "{}", gradient.worst);
    let case = gradient.witness.as_ref().and_then(|witness| witness.case.as_ref()).expect("a witness");
    assert!(case.inputs["input"].to_f64().iter().any(|x| x.abs() > 100.0));
    assert!(row(Output::Value, "off").judged().worst < 4.0);
    assert!(row(Output::Gradient("input"), "reference").judged().worst < 2.0);
    assert!(gradient.histogram.total() >= 60);
}

#[test]
fn a_run_in_parts_is_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let backend = Off::default();
    let whole = plan(DType::F16).run(&[&backend], None, |_| ()).expect("no file is touched");
    for number in 1..=2 {
        let plan = AccuracyRun { shard: Shard { number, of: 2 }, ..plan(DType::F16) };
        plan.run(&[&backend], Some(folder.path()), |_| ()).expect("a writable folder");
    }
    assert_eq!(Results::read_folder(folder.path()).expect("what was written").to_text(), whole.to_text());
    let before = backend.evaluations.load(Ordering::Relaxed);
    let again = plan(DType::F16).run(&[&backend], Some(folder.path()), |_| ()).expect("a readable folder");
    assert_eq!(again.to_text(), whole.to_text());
    assert_eq!(backend.evaluations.load(Ordering::Relaxed), before, "what is there has been measured again");

    // Another budget is another measurement.
    let more = AccuracyRun { budget: SearchBudget { samples: 61, restarts: 2, steps: 20 }, ..plan(DType::F16) };
    more.run(&[&backend], Some(folder.path()), |_| ()).expect("a writable folder");
    assert!(backend.evaluations.load(Ordering::Relaxed) > before);
}

#[test]
fn rows_that_were_not_measured_again_are_kept() {
    let measured =
        |plan: AccuracyRun, backends: &[&dyn Backend]| plan.run(backends, None, |_| ()).expect("no file is touched");
    let worse = Off { error: 1.0 / 64.0, ..Off::default() };
    let earlier = || measured(plan(DType::F16), &[&Off::default(), &Reference]);
    let mut later = measured(plan(DType::F16), &[&worse]);
    assert!(later.keep(earlier()));
    assert_eq!(later.to_text(), measured(plan(DType::F16), &[&worse, &Reference]).to_text());
    assert_ne!(later.to_text(), earlier().to_text());

    let budget = SearchBudget { samples: 61, restarts: 2, steps: 20 };
    let mut with_more_samples = measured(AccuracyRun { budget, ..plan(DType::F16) }, &[&worse]);
    let alone = with_more_samples.to_text();
    assert!(!with_more_samples.keep(earlier()));
    assert_eq!(with_more_samples.to_text(), alone);
}

#[test]
fn results_that_cannot_be_used_are_errors_that_name_the_file() {
    let refused = |text: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("part.json");
        fs::write(&file, text).expect("a writable folder");
        let error = Results::read_folder(folder.path()).expect_err("refused").to_string();
        assert!(error.contains(&*folder.path().to_string_lossy()), "{error}");
        error
    };
    let good = plan(DType::F16).run(&[&Reference], None, |_| ()).expect("no file is touched").to_text();
    assert!(refused("").contains("EOF"));
    assert!(refused(&good.replace("accuracy/1", "accuracy/2")).contains("`format`"));
    assert!(
        refused(&good.replace("\"mse_loss\",\"inputs\"", "\"mes_loss\",\"inputs\""))
            .contains("unknown loss `mes_loss`")
    );
    assert!(refused(&good.replace("\"output\":\"value\"", "\"output\":\"velue\"")).contains("`velue`"));
    // Those of 16 bits are not all that f32 has.
    let few = good.replace("\"dtype\":\"f16\",\"output\"", "\"dtype\":\"f32\",\"output\"");
    assert!(refused(&few).contains("pieces are missing"));
    let empty = tempfile::tempdir().expect("a folder");
    assert!(Results::read_folder(empty.path()).is_err());
}

#[test]
fn shards() {
    assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
    for wrong in ["", "1", "0/4", "5/4", "1/0", "a/b", "-1/2"] {
        assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
    }
    let of =
        |number| AccuracyRun { shard: Shard { number, of: 3 }, exhaustive: true, ..plan(DType::F32) }.parts().len();
    let all = AccuracyRun { exhaustive: true, ..plan(DType::F32) }.parts().len();
    assert_eq!(of(1) + of(2) + of(3), all);
    assert!(all > 64);
}
