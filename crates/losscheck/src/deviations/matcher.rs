//! Which goldens a deviation lists.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::judge::verdict::Verdict;
use crate::loss::LossKind;

/// A pattern for goldens.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// All cases of a flag.
    Flag(String),
    /// The parts of an id, with anything between two of them.
    Id(Vec<String>),
}

impl Matcher {
    pub(super) fn new(pattern: &str) -> Self {
        match pattern.strip_prefix("flag:") {
            Some(flag) => Self::Flag(flag.to_owned()),
            None => Self::Id(pattern.split('*').map(str::to_owned).collect()),
        }
    }

    pub(super) fn matches(&self, case: &Case) -> bool {
        match self {
            Self::Flag(flag) => case.flags.contains(flag),
            Self::Id(parts) => are_parts_of(&case.id, parts),
        }
    }
}

/// Whether a text consists of these parts, in this order, with anything between two of them.
fn are_parts_of<'t>(text: &'t str, parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else { return parts == [text] };
    let after = |rest: &'t str, part: &String| rest.split_once(part.as_str()).map(|(_, rest)| rest);
    let rest = text.strip_prefix(first.as_str());
    let rest = rest.and_then(|rest| between.iter().try_fold(rest, after));
    rest.is_some_and(|rest| rest.ends_with(last.as_str()))
}

/// The shortest list of patterns for just these cases: a flag or a parent where all that are provided are among them.
pub(super) fn patterns<'a>(
    ids: &BTreeSet<&str>,
    loss: LossKind,
    verdicts: impl Iterator<Item = (&'a Case, &'a Verdict)> + Clone,
) -> Vec<String> {
    let provided = || {
        verdicts
            .clone()
            .filter(|(case, verdict)| case.loss.kind() == loss && !matches!(verdict, Verdict::NotProvided(_)))
    };
    let mut left = ids.clone();
    let mut patterns = Vec::new();
    let flags: BTreeSet<&str> = provided().flat_map(|(case, _)| &case.flags).map(String::as_str).collect();
    for flag in flags {
        let flagged = || provided().filter(|(case, _)| case.flags.iter().any(|own| own == flag));
        if flagged().all(|(case, _)| ids.contains(case.id.as_str()))
            && flagged().any(|(case, _)| left.contains(case.id.as_str()))
        {
            let flagged: BTreeSet<&str> = flagged().map(|(case, _)| case.id.as_str()).collect();
            left.retain(|id| !flagged.contains(id));
            patterns.push(format!("flag:{flag}"));
        }
    }
    let parents: BTreeSet<&str> = left.iter().filter_map(|id| Some(id.rsplit_once('/')?.0)).collect();
    for parent in parents {
        let below = |id: &str| id.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
        let children = || provided().map(|(case, _)| case.id.as_str()).filter(|id| below(id));
        if children().count() > 1 && children().all(|id| ids.contains(id)) {
            left.retain(|id| !below(id));
            patterns.push(format!("{parent}/*"));
        }
    }
    patterns.extend(left.into_iter().map(str::to_owned));
    patterns
}
