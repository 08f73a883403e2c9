//! Every relation on every backend, from random cases on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rayon::prelude::*;

use super::{Breach, Claim, Holds, claims};
use crate::backend::Backend;
use crate::case::Case;
use crate::deviations::Record;
use crate::excuses::{Excuse, Subject};
use crate::fuzz::{Plan, cases};
use crate::golden::DataError;
use crate::loss::LossKind;
use crate::suite::{DataFolder, Tally};
use crate::verdict::Difference;

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// A column for each backend.
    pub columns: Vec<Column>,
}

/// What the run found of one backend.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// By relation, on how many cases the answers agree, or differ.
    pub tallies: BTreeMap<&'static str, Tally>,
    /// The deviations that excused something.
    pub excuses: Vec<Excuse>,
    /// What is broken without an excuse, by relation and loss.
    pub broken: BTreeMap<(&'static str, LossKind), Broken>,
}

/// A relation that a loss breaks.
#[derive(Debug)]
pub struct Broken {
    /// On how many cases.
    pub cases: usize,
    /// The two cases with the worst error.
    pub pair: [Case; 2],
    /// The worst error.
    pub worst: Difference,
}

impl Report {
    /// Whether every relation holds or what breaks it is on record.
    pub fn passed(&self) -> bool {
        self.columns.iter().all(|column| column.broken.is_empty())
    }
}

/// Draws the cases and holds every backend to what the relations say of them; `progress` hears of each case that is done.
///
/// What is on record of either case may break a relation.
///
/// # Errors
///
/// Where a file of deviations cannot be read.
pub fn run(
    plan: &Plan,
    backends: &[&dyn Backend],
    data: &DataFolder,
    progress: impl Fn() + Sync,
) -> Result<Report, DataError> {
    let subjects = Subject::all(backends, data)?;
    let of_claim = |claim: Claim| -> (&'static str, Vec<Holds>) {
        (claim.relation, subjects.iter().map(|subject| claim.holds(subject.backend)).collect())
    };
    let found: Vec<Vec<_>> = cases(plan)
        .par_iter()
        .map(|case| {
            let found = claims(case).map(of_claim).collect();
            progress();
            found
        })
        .collect();

    let mut columns: Vec<Column> = subjects.iter().map(|subject| Column::new(subject.backend.name())).collect();
    for (relation, holds) in found.into_iter().flatten() {
        for ((subject, column), holds) in subjects.iter().zip(&mut columns).zip(holds) {
            column.record(subject, relation, holds);
        }
    }
    Ok(Report { columns })
}

impl Column {
    fn new(name: &'static str) -> Self {
        Self { name, tallies: BTreeMap::new(), excuses: Vec::new(), broken: BTreeMap::new() }
    }

    fn record(&mut self, subject: &Subject<'_>, relation: &'static str, holds: Holds) {
        let tally = self.tallies.entry(relation).or_default();
        match holds {
            Holds::Yes => tally.agree += 1,
            Holds::Unknown => tally.not_provided += 1,
            Holds::No(breach) => match excuses(subject, &breach) {
                Some(excuses) => {
                    tally.on_record += 1;
                    for (on_record_of, record) in excuses {
                        Excuse::count(&mut self.excuses, on_record_of, record);
                    }
                }
                None => {
                    tally.differ += 1;
                    self.add(relation, *breach);
                }
            },
        }
    }

    fn add(&mut self, relation: &'static str, Breach { pair, differences }: Breach) {
        let Some(worst) = differences.into_iter().max_by(|a, b| a.ulps.total_cmp(&b.ulps)) else { return };
        match self.broken.entry((relation, pair[0].loss.kind())) {
            Entry::Vacant(entry) => {
                entry.insert(Broken { cases: 1, pair, worst });
            }
            Entry::Occupied(mut entry) => {
                let broken = entry.get_mut();
                broken.cases += 1;
                // The first of those that are equally bad.
                if worst.ulps > broken.worst.ulps {
                    *broken = Broken { pair, worst, ..*broken };
                }
            }
        }
    }
}

/// The deviations that excuse a breach; `None` if one of its differences has no excuse on either case.
fn excuses<'a>(subject: &'a Subject<'_>, breach: &Breach) -> Option<Vec<(&'static str, &'a Record)>> {
    let excuse = |difference: &Difference| breach.pair.iter().find_map(|case| subject.excuse(case, difference.kind));
    breach.differences.iter().map(excuse).collect()
}
