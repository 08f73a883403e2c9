//! Answers that differ from those of the current PyTorch and agree with those of an older one.

use std::borrow::Cow;

use losscheck_backend::pytorch::PytorchVersion;

use crate::backend::Outcome;
use crate::case::Case;
use crate::case::versions::Answers;
use crate::judge::bounds::Bounds;
use crate::judge::verdict::Verdict;
use crate::judge::{Judge, oracle};

/// The version to name where a slope of 1 at a kink is all that an answer has of older versions: the last that had it.
pub const LAST_WITH_SLOPE_ONE: PytorchVersion = PytorchVersion::new(2, 13, 0);

/// Returns the newest of some versions of PyTorch that an outcome agrees with, out of those that differ from the current one on
/// the case. The newest comes first in `versions`.
pub fn agrees_with(case: &Case, outcome: &Outcome, versions: &[Answers]) -> Option<PytorchVersion> {
    let agrees = |answers: &&Answers| {
        let (slope, own) = (answers.version.slope_at_kink(), answers.case(case));
        let is_other = matches!(own, Cow::Owned(_)) || oracle::matters(slope, case);
        let verdict = is_other.then(|| Judge::new(own, &Bounds::default()).with_slope(slope).judge(outcome));
        matches!(verdict, Some(Verdict::Agrees | Verdict::LikePyTorch(_)))
    };
    versions.iter().find(agrees).map(|answers| answers.version)
}

/// Returns the versions for [`agrees_with`] if the cases are not the goldens, so that no answers of older versions are known.
pub fn of_slope() -> Vec<Answers> {
    vec![Answers::unchanged(LAST_WITH_SLOPE_ONE)]
}
