//! Which of the suite's checks catches which mutant.

use losscheck::backend::Backend;
use losscheck::backends::Reference;
use losscheck::case::Case;
use losscheck::fuzz::{Plan, cases};
use losscheck::golden::DataError;
use losscheck::loss::LossKind;
use losscheck::metamorphic::{Claim, Holds, claims};
use losscheck::oracle::{Truth, truth};
use losscheck::runner::evaluate;
use losscheck::suite::DataFolder;
use losscheck::verdict::{Verdict, judge};
use losscheck_reference::Error;
use rayon::prelude::*;

use crate::{Mutant, Source, catalogue};

/// One of the suite's ways to find a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// The goldens, with PyTorch's answers.
    Goldens,
    /// The goldens' inputs, judged by exact arithmetic alone.
    Oracle,
    /// Random cases.
    Fuzz,
    /// What the relations say of those, without the exact answer.
    Metamorphic,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 4] = [Self::Goldens, Self::Oracle, Self::Fuzz, Self::Metamorphic];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Goldens => "goldens",
            Self::Oracle => "oracle",
            Self::Fuzz => "fuzz",
            Self::Metamorphic => "metamorphic",
        }
    }
}

/// What became of a mutant.
#[derive(Clone, Debug)]
pub struct Score {
    /// The loss.
    pub loss: LossKind,
    /// What is wrong.
    pub mistake: String,
    /// Where the mistake comes from.
    pub source: Source,
    /// For each check that caught it the id of the first case that did.
    pub caught: Vec<(Check, String)>,
}

impl Score {
    /// The case by which a check caught it.
    pub fn caught_by(&self, check: Check) -> Option<&str> {
        self.caught.iter().find(|(by, _)| *by == check).map(|(_, case)| case.as_str())
    }
}

type Judged = (Case, Result<Truth, Error>);

/// The cases of one loss for each check, with what is true of them. Where the reference does as PyTorch does and not as is
/// exact, every mutant differs, so that only the goldens have such cases.
pub struct Suite {
    loss: LossKind,
    goldens: Vec<Judged>,
    /// Those without PyTorch's answer.
    inputs: Vec<Judged>,
    random: Vec<Judged>,
    claims: Vec<Claim>,
}

impl Suite {
    /// The goldens of each loss, and so many random cases.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or is not in the golden format.
    pub fn all(data: &DataFolder, losses: &[LossKind], random: usize, seed: u64) -> Result<Vec<Self>, DataError> {
        let goldens = data.goldens_of(losses)?.cases;
        let judged = |cases: Vec<Case>| -> Vec<Judged> {
            let judged = |case: Case| {
                let truth = truth(&case);
                (case, truth)
            };
            cases.into_par_iter().map(judged).collect()
        };
        let suite = |&loss: &LossKind| {
            let plan = Plan { seed, cases: random, losses: vec![loss] };
            // Small cases first: most mutants are caught by the first few.
            let mut of_loss: Vec<Case> = goldens.iter().filter(|case| case.loss.kind() == loss).cloned().collect();
            of_loss.sort_by_key(|case| case.inputs.values().map(losscheck::tensor::Tensor::len).sum::<usize>());
            let goldens = judged(of_loss);
            let unanswered = |(case, truth): &Judged| (Case { expected: None, ..case.clone() }, truth.clone());
            let is_exact = |(case, truth): &Judged| !is_caught(&Reference, case, truth);
            let inputs = goldens.par_iter().map(unanswered).filter(is_exact).collect();
            let random: Vec<Judged> = judged(cases(&plan)).into_iter().filter(is_exact).collect();
            let is_true = |claim: &Claim| !is_broken(&Reference, claim);
            let claims = random.par_iter().flat_map_iter(|(case, _)| claims(case)).filter(is_true).collect();
            Self { loss, goldens, inputs, random, claims }
        };
        Ok(losses.iter().map(suite).collect())
    }
}

/// What the checks say of every mutant of the suite's loss; `progress` hears of each that is done.
pub fn score(suite: &Suite, progress: impl Fn() + Sync) -> Vec<Score> {
    let score = |mutant: Mutant| {
        let first_of = |judged: &[Judged]| {
            let caught = judged.iter().find(|(case, truth)| is_caught(&mutant, case, truth));
            caught.map(|(case, _)| case.id.clone())
        };
        let of_check = |check| -> Option<(Check, String)> {
            let case = match check {
                Check::Goldens => first_of(&suite.goldens),
                Check::Oracle => first_of(&suite.inputs),
                Check::Fuzz => first_of(&suite.random),
                Check::Metamorphic => {
                    let broken = suite.claims.iter().find(|claim| is_broken(&mutant, claim));
                    broken.map(|claim| claim.id().to_owned())
                }
            };
            Some((check, case?))
        };
        let caught = Check::ALL.into_iter().filter_map(of_check).collect();
        progress();
        Score { loss: mutant.loss, mistake: mutant.mistake, source: mutant.source, caught }
    };
    catalogue(suite.loss).into_par_iter().map(score).collect()
}

fn is_caught(backend: &dyn Backend, case: &Case, truth: &Result<Truth, Error>) -> bool {
    matches!(judge(case, truth, &evaluate(backend, case)), Verdict::Differs(_))
}

fn is_broken(backend: &dyn Backend, claim: &Claim) -> bool {
    matches!(claim.holds(backend), Holds::No(_))
}
