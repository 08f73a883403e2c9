//! Every relation on every backend, starting from random cases.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Claim, Relation, claims};
use crate::backend::Backend;
use crate::case::Case;
use crate::case::random::{Draw, RandomCases};
use crate::data::DataFolder;
use crate::deviations::{Policy, Scope};
use crate::error::DataError;
use crate::judge::verdict::Difference;
use crate::loss::LossKind;
use crate::run::table::{Cell, Column, Finding, Table, policies};

/// A random case to which a relation was applied.
#[derive(Clone, Copy, Debug)]
pub struct Related {
    /// The random case.
    pub draw: Draw,
    /// The relation.
    pub relation: &'static Relation,
}

/// A relation that a loss breaks.
#[derive(Debug)]
pub struct Broken {
    /// The number of pairs of cases that break it.
    pub pairs: usize,
    /// The two cases with the worst error.
    pub worst_pair: [Case; 2],
    /// The worst error.
    pub worst: Difference,
}

impl Related {
    /// Returns the two cases.
    pub fn pair(&self) -> Option<[Case; 2]> {
        let pair = self.relation.pair(&self.draw.case())?;
        Some([pair.case, pair.other])
    }
}

/// Draws the cases and holds every backend to what the relations say about them. `progress` is called after each case.
///
/// # Errors
///
/// Returns an error if a file of deviations cannot be read.
pub fn run(
    cases: &RandomCases,
    backends: &[&dyn Backend],
    data: &DataFolder,
    progress: impl Fn() + Sync,
) -> Result<Table<Related>, DataError> {
    let policies = policies(backends, Scope::Others, data)?;
    let judge = |draw: Draw, policies: &[Policy]| {
        let judge_claim = |claim: Claim| {
            let cell = |(&backend, policy): (&&dyn Backend, &Policy)| {
                let verdict = claim.judge(backend);
                Cell { explained: claim.explain(backend, policy, &verdict), verdict }
            };
            let cells = backends.iter().zip(policies).map(cell).collect();
            (Related { draw, relation: claim.relation }, cells)
        };
        claims(&draw.case()).map(judge_claim).collect()
    };
    Ok(Table::new(cases.draws(), policies, judge, progress))
}

/// Returns what a column breaks in ways that are not known, by relation and loss.
pub fn broken(table: &Table<Related>, column: &Column) -> BTreeMap<(&'static str, LossKind), Broken> {
    let mut worst: BTreeMap<(&'static str, LossKind), (usize, Finding<'_, Related>)> = BTreeMap::new();
    let mut last: Option<*const Related> = None;
    for finding in table.findings(column).filter(|finding| finding.known.is_none()) {
        let is_new = last.replace(finding.row) != Some(finding.row);
        match worst.entry((finding.row.relation.name, finding.row.draw.loss)) {
            Entry::Vacant(entry) => {
                entry.insert((1, finding));
            }
            Entry::Occupied(mut entry) => {
                let (pairs, known) = entry.get_mut();
                *pairs += usize::from(is_new);
                // The first of those that are equally bad.
                if finding.difference.ulps > known.difference.ulps {
                    *known = finding;
                }
            }
        }
    }
    let broken = |(key, (pairs, finding)): (_, (usize, Finding<'_, Related>))| {
        let worst_pair = finding.row.pair()?;
        Some((key, Broken { pairs, worst_pair, worst: finding.difference.clone() }))
    };
    worst.into_iter().filter_map(broken).collect()
}
