//! Which of the suite's checks catches which mutant.

use losscheck::backend::Backend;
use losscheck::backend::call::evaluate;
use losscheck::backend::reference::Reference;
use losscheck::case::Case;
use losscheck::case::random::RandomCases;
use losscheck::data::DataFolder;
use losscheck::error::DataError;
use losscheck::judge::Judge;
use losscheck::judge::verdict::Verdict;
use losscheck::loss::LossKind;
use losscheck::run::metamorphic::{Claim, claims};
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

/// The cases of one loss for each check, with what is true of them. Where the reference does as PyTorch does and not as is
/// exact, every mutant differs, so that only the goldens have such cases.
pub struct Suite {
    loss: LossKind,
    goldens: Vec<Golden>,
    random: Vec<Judge<Case>>,
    claims: Vec<Claim>,
}

struct Golden {
    judge: Judge<Case>,
    /// Whether the reference's answer is exact.
    is_exact: bool,
}

impl Suite {
    /// The goldens of each loss, and so many random cases.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or is not in its format.
    pub fn all(data: &DataFolder, losses: &[LossKind], random: usize, seed: u64) -> Result<Vec<Self>, DataError> {
        let (goldens, bounds) = (data.goldens_of(losses)?.cases, data.bounds()?);
        let golden = |case: &Case| {
            let judge = Judge::new(case.clone(), &bounds);
            let is_exact = !differs(&judge.judge_by_oracle(&evaluate(&Reference, case)));
            Golden { judge, is_exact }
        };
        let suite = |&loss: &LossKind| {
            // Small cases first: most mutants are caught by the first few.
            let mut of_loss: Vec<&Case> = goldens.iter().filter(|case| case.loss.kind() == loss).collect();
            of_loss.sort_by_key(|case| case.inputs.values().map(losscheck::tensor::Tensor::len).sum::<usize>());
            let goldens = of_loss.into_par_iter().map(golden).collect();
            let drawn = RandomCases { seed, count: random, losses: vec![loss] }.draws();
            let random = drawn.into_par_iter().map(|draw| golden(&draw.case())).filter(|golden| golden.is_exact);
            let random: Vec<_> = random.map(|golden| golden.judge).collect();
            let is_true = |claim: &Claim| !is_broken(&Reference, claim);
            let claims = random.par_iter().flat_map_iter(|judge| claims(judge.case())).filter(is_true).collect();
            Self { loss, goldens, random, claims }
        };
        Ok(losses.iter().map(suite).collect())
    }

    /// The ids of the first goldens that catch a mutant, by PyTorch's answers and by the exact ones alone.
    fn goldens_that_catch(&self, mutant: &Mutant) -> [Option<String>; 2] {
        let (mut by_pytorch, mut by_oracle) = (None, None);
        for Golden { judge, is_exact } in &self.goldens {
            let outcome = evaluate(mutant, judge.case());
            let id = || judge.case().id.clone();
            if by_pytorch.is_none() && differs(&judge.judge(&outcome)) {
                by_pytorch = Some(id());
            }
            if by_oracle.is_none() && *is_exact && differs(&judge.judge_by_oracle(&outcome)) {
                by_oracle = Some(id());
            }
            if by_pytorch.is_some() && by_oracle.is_some() {
                break;
            }
        }
        [by_pytorch, by_oracle]
    }
}

/// What the checks say of every mutant of the suite's loss; `progress` hears of each that is done.
pub fn score(suite: &Suite, progress: impl Fn() + Sync) -> Vec<Score> {
    let score = |mutant: Mutant| {
        let [by_pytorch, by_oracle] = suite.goldens_that_catch(&mutant);
        let mut random = suite.random.iter();
        let random = random.find(|judge| differs(&judge.judge(&evaluate(&mutant, judge.case()))));
        let broken = suite.claims.iter().find(|claim| is_broken(&mutant, claim));
        let caught = [
            (Check::Goldens, by_pytorch),
            (Check::Oracle, by_oracle),
            (Check::Fuzz, random.map(|judge| judge.case().id.clone())),
            (Check::Metamorphic, broken.map(|claim| claim.id().to_owned())),
        ];
        let caught = caught.into_iter().filter_map(|(check, case)| Some((check, case?))).collect();
        progress();
        Score { loss: mutant.loss, mistake: mutant.mistake, source: mutant.source, caught }
    };
    catalogue(suite.loss).into_par_iter().map(score).collect()
}

fn differs(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Differs { .. })
}

fn is_broken(backend: &dyn Backend, claim: &Claim) -> bool {
    differs(&claim.judge(backend))
}
