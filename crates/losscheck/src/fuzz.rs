//! Random testing: cases from each loss's generator, every backend against the oracle, and the smallest case that shows
//! each difference.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rayon::prelude::*;

use crate::backend::Backend;
use crate::case::Case;
use crate::excuses::{Excuse, Subject};
use crate::golden::{self, DataError};
use crate::loss::LossKind;
use crate::oracle;
use crate::runner::evaluate;
use crate::suite::{DataFolder, Tally};
use crate::tensor::DType;
use crate::verdict::{Difference, Kind, Verdict, judge};

/// How many witnesses to shrink for one backend, loss and kind.
pub const WITNESSES: usize = 3;

/// How many smaller cases to try for one witness.
const SHRINKS: usize = 2000;

/// What to draw.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the cases come from: the same seed, the same cases.
    pub seed: u64,
    /// How many in all.
    pub cases: usize,
    /// The losses, to share the cases evenly with their dtypes.
    pub losses: Vec<LossKind>,
}

/// What a run of [`fuzz`] found.
#[derive(Debug)]
pub struct Report {
    /// A column for each backend.
    pub columns: Vec<Column>,
    /// The smallest cases that show what nobody has explained, at most a few for each backend, loss and kind.
    pub witnesses: Vec<Witness>,
}

/// What the run found of one backend.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// How many cases of each loss went which way.
    pub tallies: BTreeMap<LossKind, Tally>,
    /// The deviations that excused something.
    pub excuses: Vec<Excuse>,
    /// How many cases differ without an excuse, by loss and kind.
    pub unexplained: BTreeMap<(LossKind, Kind), usize>,
}

/// A case on which a backend differs, as small as it gets.
#[derive(Debug)]
pub struct Witness {
    /// The backend.
    pub backend: &'static str,
    /// The case; its id names the seed and the draw that it came from.
    pub case: Case,
    /// How the backend differs on it.
    pub difference: Difference,
}

impl Report {
    /// Whether every difference is on record.
    pub fn passed(&self) -> bool {
        self.columns.iter().all(|column| column.unexplained.is_empty())
    }
}

/// Draws the cases and holds every backend against the oracle; `progress` hears of each case that is done.
///
/// A difference is on record if a deviation of the backend, or one of PyTorch, has a condition that the case meets: what
/// goes wrong as PyTorch does is PyTorch's defect.
///
/// # Errors
///
/// Where a file of deviations cannot be read.
pub fn fuzz(
    plan: &Plan,
    backends: &[&dyn Backend],
    data: &DataFolder,
    progress: impl Fn() + Sync,
) -> Result<Report, DataError> {
    let subjects = Subject::all(backends, data)?;
    let streams = Stream::all(plan);
    let verdicts: Vec<(Draw<'_>, Vec<Verdict>)> = Draw::all(plan, &streams)
        .map(|draw| {
            let case = draw.tree().current();
            let truth = oracle::truth(&case);
            let verdict = |subject: &Subject<'_>| judge(&case, &truth, &evaluate(subject.backend, &case));
            let verdicts = subjects.iter().map(verdict).collect();
            progress();
            (draw, verdicts)
        })
        .collect();

    let mut columns: Vec<Column> = subjects.iter().map(Subject::column).collect();
    let mut found = Vec::new();
    for (draw, verdicts) in &verdicts {
        for ((subject, column), verdict) in subjects.iter().zip(&mut columns).zip(verdicts) {
            for kind in subject.record(column, draw, verdict) {
                // Those beyond the first few would most likely shrink to the same.
                if column.unexplained[&(draw.stream.loss, kind)] <= WITNESSES {
                    found.push((subject, draw, kind));
                }
            }
        }
    }
    let witnesses: Vec<Witness> =
        found.into_par_iter().filter_map(|(subject, draw, kind)| subject.shrink(draw, kind)).collect();
    Ok(Report { columns, witnesses: distinct(witnesses) })
}

/// The cases that [`fuzz`] draws for a plan.
pub fn cases(plan: &Plan) -> Vec<Case> {
    let streams = Stream::all(plan);
    Draw::all(plan, &streams).map(|draw| draw.tree().current()).collect()
}

/// The case of that number of a loss in a dtype.
pub(crate) fn case(seed: u64, loss: LossKind, dtype: DType, number: usize) -> Case {
    Draw { stream: &Stream { seed, loss, dtype }, number }.tree().current()
}

/// Adds cases to the regressions in `folder`, a file per loss, and gives the files.
///
/// # Errors
///
/// Where a file that is there already cannot be read or explains flags, which the regressions do not have; or where one
/// cannot be written.
pub fn save<'a>(cases: impl IntoIterator<Item = &'a Case>, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut losses: BTreeMap<LossKind, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        losses.entry(case.loss.kind()).or_default().push(case);
    }
    if !losses.is_empty() {
        let failed = |error| DataError::new(folder, format!("cannot be created: {error}"));
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut files = Vec::new();
    for (loss, new) in losses {
        let file = folder.join(format!("{}.json", loss.name()));
        let old = if file.exists() { golden::read(&file)? } else { golden::Goldens::default() };
        if !old.flags.is_empty() {
            return Err(DataError::new(&file, "`flags`: expected none in a file of regressions"));
        }
        let mut cases = old.cases;
        let mut ids: HashSet<String> = cases.iter().map(|case| case.id.clone()).collect();
        cases.extend(new.into_iter().filter(|case| ids.insert(case.id.clone())).cloned());
        golden::write(&file, &cases)?;
        files.push(file);
    }
    Ok(files)
}

/// The cases of one loss in one dtype: those of a seed do not depend on what else is drawn.
struct Stream {
    seed: u64,
    loss: LossKind,
    dtype: DType,
}

impl Stream {
    fn all(plan: &Plan) -> Vec<Self> {
        let of_loss = |&loss: &LossKind| loss.dtypes().iter().map(move |&dtype| Self { seed: plan.seed, loss, dtype });
        plan.losses.iter().flat_map(of_loss).collect()
    }
}

/// One case of a stream.
#[derive(Clone, Copy)]
struct Draw<'a> {
    stream: &'a Stream,
    number: usize,
}

impl<'a> Draw<'a> {
    /// All draws of a plan: the streams take turns. Without a loss there is nothing to draw.
    fn all(plan: &Plan, streams: &'a [Stream]) -> impl ParallelIterator<Item = Self> {
        let cases = if streams.is_empty() { 0 } else { plan.cases };
        let draw = move |number| Self { stream: &streams[number % streams.len()], number: number / streams.len() };
        (0..cases).into_par_iter().map(draw)
    }

    fn id(&self) -> String {
        let Stream { seed, loss, dtype } = self.stream;
        format!("{}/{}/fuzz-{seed}-{}", loss.name(), dtype.name(), self.number)
    }

    /// The case, ready to shrink.
    fn tree(&self) -> Box<dyn ValueTree<Value = Case>> {
        let Stream { loss, dtype, .. } = *self.stream;
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &self.seed()));
        let id = self.id();
        let named = loss.cases(dtype).prop_map(move |case| Case { id: id.clone(), ..case });
        Box::new(named.new_tree(&mut runner).expect("the generators of cases reject nothing"))
    }

    fn seed(&self) -> [u8; 32] {
        let Stream { seed, loss, dtype } = self.stream;
        let stream = fnv(&format!("{}/{}", loss.name(), dtype.name()));
        let words = [*seed, stream, self.number as u64, 0];
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// The FNV-1a hash: the same in every build.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Subject<'_> {
    fn column(&self) -> Column {
        Column {
            name: self.backend.name(),
            tallies: BTreeMap::new(),
            excuses: Vec::new(),
            unexplained: BTreeMap::new(),
        }
    }

    /// Counts a verdict; gives the kinds of difference that nothing excuses.
    fn record(&self, column: &mut Column, draw: &Draw<'_>, verdict: &Verdict) -> Vec<Kind> {
        let loss = draw.stream.loss;
        let tally = column.tallies.entry(loss).or_default();
        let differences = match verdict {
            Verdict::Agrees => {
                tally.agree += 1;
                return Vec::new();
            }
            Verdict::NotProvided(_) => {
                tally.not_provided += 1;
                return Vec::new();
            }
            Verdict::Differs(differences) => differences,
        };
        let case = draw.tree().current();
        let mut kinds: Vec<Kind> = differences.iter().map(|difference| difference.kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds.retain(|&kind| match self.excuse(&case, kind) {
            None => true,
            Some((on_record_of, record)) => {
                Excuse::count(&mut column.excuses, on_record_of, record);
                false
            }
        });
        *if kinds.is_empty() { &mut tally.on_record } else { &mut tally.differ } += 1;
        for &kind in &kinds {
            *column.unexplained.entry((loss, kind)).or_default() += 1;
        }
        kinds
    }

    /// The unexplained difference of that kind on a case, the worst of them.
    fn unexplained(&self, case: &Case, kind: Kind) -> Option<Difference> {
        if self.excuse(case, kind).is_some() {
            return None;
        }
        match judge(case, &oracle::truth(case), &evaluate(self.backend, case)) {
            Verdict::Differs(differences) => {
                let of_kind = differences.into_iter().filter(|difference| difference.kind == kind);
                of_kind.max_by(|a, b| a.ulps.total_cmp(&b.ulps))
            }
            _ => None,
        }
    }

    /// The smallest case that still differs so; `None` if the backend answers otherwise when it is asked again.
    fn shrink(&self, draw: &Draw<'_>, kind: Kind) -> Option<Witness> {
        let mut tree = draw.tree();
        let witness = |case: Case| {
            let difference = self.unexplained(&case, kind)?;
            Some(Witness { backend: self.backend.name(), case, difference })
        };
        let mut smallest = witness(tree.current())?;
        let mut smaller = tree.simplify();
        for _ in 0..SHRINKS {
            if !smaller {
                break;
            }
            smaller = match witness(tree.current()) {
                Some(found) => {
                    smallest = found;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        Some(smallest)
    }
}

/// Drops witnesses that have shrunk to the same case for the same backend and kind, and gives each of a kind its own id.
fn distinct(mut witnesses: Vec<Witness>) -> Vec<Witness> {
    let mut seen = HashSet::new();
    witnesses.retain(|Witness { backend, case, difference }| {
        let nameless = Case { id: String::new(), ..case.clone() };
        seen.insert((*backend, difference.kind, golden::write_case(&nameless).to_string()))
    });
    let mut contents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Witness { case, .. } in &mut witnesses {
        // One draw may shrink to different cases for different backends or kinds.
        let content = golden::write_case(case).to_string();
        let variants = contents.entry(case.id.clone()).or_default();
        let variant = variants.iter().position(|known| *known == content).unwrap_or_else(|| {
            variants.push(content);
            variants.len() - 1
        });
        if variant > 0 {
            case.id = format!("{}-{}", case.id, variant + 1);
        }
    }
    witnesses
}
