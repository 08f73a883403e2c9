//! The alignments of one target as paths through a trellis of states, and the sums over all of them: the forward-backward
//! algorithm of A. Graves et al., "Connectionist Temporal Classification", 2006, section 4.1.

use std::ops::Range;

use crate::{Real, Sum, fold};

/// The states and how they follow each other.
///
/// Beside the labels there is a blank before each and one after the last. At every step an alignment is in one state,
/// whose class it emits; a blank leads to itself and the next label, a label to itself, the next blank and, if that is
/// another class, the next label.
pub(super) struct Trellis {
    labels: Vec<usize>,
    blank: usize,
    steps: usize,
    /// Whether a label may follow the one before it without a blank in between, with `false` after the last.
    skips: Vec<bool>,
    /// The first step at which an alignment may be in a label.
    earliest: Vec<usize>,
    /// How many steps later the last such step is, the same for every label.
    slack: usize,
    /// The classes that are emitted, each once.
    classes: Vec<usize>,
    /// Where among these is that of each label.
    places: Vec<usize>,
    place_of_blank: usize,
}

/// The numbers of one step: a blank more than there are labels, and the labels between two that do not exist.
///
/// States that no alignment is in at that step hold minus infinity.
struct Row<S> {
    blanks: S,
    labels: S,
}

/// Space for the sums over one trellis after the other.
pub(super) struct Workspace<R: Real> {
    forward: Vec<R>,
    backward: Vec<R>,
    emitted: Vec<R>,
    weights: Vec<R::Sum>,
}

impl<R: Real> Workspace<R> {
    pub(super) fn new() -> Self {
        Self { forward: Vec::new(), backward: Vec::new(), emitted: Vec::new(), weights: Vec::new() }
    }
}

impl Trellis {
    /// `None` where the steps are too few for any alignment.
    pub(super) fn new(labels: &[usize], blank: usize, steps: usize) -> Option<Self> {
        let follows = |k: usize| k > 0 && labels.get(k).is_some_and(|&label| label != labels[k - 1]);
        let skips: Vec<bool> = (0..=labels.len()).map(follows).collect();
        let earliest: Vec<usize> = (0..labels.len())
            .scan(0, |repeats, k| {
                *repeats += usize::from(k > 0 && !skips[k]);
                Some(k + *repeats)
            })
            .collect();
        let slack = steps.checked_sub(earliest.last().map_or(0, |last| last + 1))?;

        let mut classes = [labels, &[blank]].concat();
        classes.sort_unstable();
        classes.dedup();
        let place = |class| classes.partition_point(|&smaller| smaller < class);
        let (places, place_of_blank) = (labels.iter().map(|&label| place(label)).collect(), place(blank));
        Some(Self { labels: labels.to_vec(), blank, steps, skips, earliest, slack, classes, places, place_of_blank })
    }

    /// The classes that are emitted, each once.
    pub(super) fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn width(&self) -> usize {
        2 * self.labels.len() + 3
    }

    #[inline(always)]
    fn row<'a, R>(&self, row: &'a [R]) -> Row<&'a [R]> {
        let (blanks, labels) = row.split_at(self.labels.len() + 1);
        Row { blanks, labels }
    }

    #[inline(always)]
    fn row_mut<'a, R>(&self, row: &'a mut [R]) -> Row<&'a mut [R]> {
        let (blanks, labels) = row.split_at_mut(self.labels.len() + 1);
        Row { blanks, labels }
    }

    /// The number of labels whose first step is before this one.
    #[inline(always)]
    fn begun(&self, step: usize) -> usize {
        self.earliest.partition_point(|&first| first < step)
    }

    /// The labels that an alignment may be in.
    #[inline(always)]
    fn labels_at(&self, step: usize) -> Range<usize> {
        self.begun(step.saturating_sub(self.slack))..self.begun(step + 1)
    }

    /// The blanks that an alignment may be in.
    #[inline(always)]
    fn blanks_at(&self, step: usize) -> Range<usize> {
        self.begun((step + 1).saturating_sub(self.slack))..self.begun(step) + 1
    }

    /// Fills in the scores of the labels.
    #[inline(always)]
    fn emit<R: Real>(&self, scores: &[R], emitted: &mut Vec<R>) {
        emitted.resize(self.labels.len(), R::ZERO);
        for (to, &label) in emitted.iter_mut().zip(&self.labels) {
            *to = scores[label];
        }
    }

    /// The logarithm of the sum over all alignments of the exponential of the alignment's scores, those of a step being
    /// `scores(step)`; minus infinity or NaN where that is what the scores make of it. With `keep` everything that
    /// [`Trellis::backward`] needs stays in the workspace.
    ///
    /// What each step adds to the logarithm of its most likely state goes into a sum of its own. So the states that count
    /// stay near 0, and what is rounded is as large as the scores of a few steps, not as their sum so far.
    #[inline(always)]
    pub(super) fn forward<'s, R: Real>(
        &self,
        scores: impl Fn(usize) -> &'s [R],
        keep: bool,
        Workspace { forward, emitted, .. }: &mut Workspace<R>,
    ) -> R {
        let (width, lowest) = (self.width(), lowest());
        // After the row of each step that of the next, or only two in turn. The first is before all steps: in a blank.
        let rows = if keep { self.steps + 1 } else { 2 };
        forward.clear();
        // Not the double of what the sample before took.
        forward.reserve_exact(rows * width);
        forward.resize(rows * width, lowest);
        forward[0] = R::ZERO;
        let mut sum = R::Sum::ZERO;
        for step in 0..self.steps {
            let (before, now) = two(forward, width, step % rows, (step + 1) % rows);
            now.fill(lowest);
            let (before, next) = (self.row(before), self.row_mut(now));
            let scores = scores(step);
            self.emit(scores, emitted);

            let (blanks, score) = (self.blanks_at(step), scores[self.blank]);
            let from = before.blanks[blanks.clone()].iter().zip(&before.labels[blanks.clone()]);
            for (to, (&blank, &label)) in next.blanks[blanks].iter_mut().zip(from) {
                *to = ln_sum_exp(blank, label) + score;
            }
            let labels = self.labels_at(step);
            let from = before.labels[1..][labels.clone()].iter().zip(&before.blanks[labels.clone()]);
            let from = from.zip(before.labels[labels.clone()].iter().zip(&self.skips[labels.clone()]));
            let from = from.zip(&emitted[labels.clone()]);
            for (to, (((&label, &blank), (&last, &skips)), &score)) in next.labels[1..][labels].iter_mut().zip(from) {
                *to = ln_sum_exp_of_3(label, blank, if skips { last } else { lowest }) + score;
            }

            let largest = fold::largest(now);
            if largest == lowest {
                // Nothing to scale. The scores that follow may still be infinite or NaN.
                continue;
            }
            if !is_finite(largest) {
                return R::from_f64(f64::NAN);
            }
            let offset = offset(sum, largest);
            sum = sum.plus(offset);
            subtract(now, offset);
        }
        let last = self.row(&forward[self.steps % rows * width..][..width]);
        let (blank, label) = (last.blanks[self.labels.len()], last.labels[self.labels.len()]);
        sum.plus(ln_sum_exp(blank, label)).total()
    }

    /// Gives `found`, from the last step to the first, the step and for each of the [`Trellis::classes`] the sum over the
    /// alignments that emit it then, in a unit that differs from step to step. What [`Trellis::forward`] left in the
    /// workspace must be that of the same scores, and finite.
    #[inline(always)]
    pub(super) fn backward<'s, R: Real>(
        &self,
        scores: impl Fn(usize) -> &'s [R],
        Workspace { forward, backward, emitted, weights }: &mut Workspace<R>,
        mut found: impl FnMut(usize, &[R::Sum]),
    ) {
        let (width, lowest, end) = (self.width(), lowest(), self.labels.len());
        backward.clear();
        backward.resize(3 * width, lowest);
        let (next, rest) = backward.split_at_mut(width);
        let (now, paths) = rest.split_at_mut(width);
        // What follows the last step: the end of a blank.
        next[end] = R::ZERO;
        let mut sum = R::Sum::ZERO;
        for step in (0..self.steps).rev() {
            let scores = scores(step);
            self.emit(scores, emitted);
            let before = self.row(&forward[(step + 1) * width..][..width]);
            now.fill(lowest);
            paths.fill(lowest);
            {
                let (after, now, paths) = (self.row(next), self.row_mut(now), self.row_mut(paths));
                let (blanks, score) = (self.blanks_at(step), scores[self.blank]);
                let from = after.blanks[blanks.clone()].iter().zip(&after.labels[1..][blanks.clone()]);
                let from = from.zip(&before.blanks[blanks.clone()]);
                let to = now.blanks[blanks.clone()].iter_mut().zip(&mut paths.blanks[blanks]);
                for ((now, path), ((&blank, &label), &before)) in to.zip(from) {
                    let rest = ln_sum_exp(blank, label);
                    *path = before + rest;
                    *now = rest + score;
                }
                let labels = self.labels_at(step);
                let from = after.labels[1..][labels.clone()].iter().zip(&after.blanks[1..][labels.clone()]);
                let from = from.zip(after.labels[2..][labels.clone()].iter().zip(&self.skips[1..][labels.clone()]));
                let from = from.zip(before.labels[1..][labels.clone()].iter().zip(&emitted[labels.clone()]));
                let to = now.labels[1..][labels.clone()].iter_mut().zip(&mut paths.labels[1..][labels]);
                for ((now, path), (((&label, &blank), (&second, &skips)), (&before, &score))) in to.zip(from) {
                    let rest = ln_sum_exp_of_3(label, blank, if skips { second } else { lowest });
                    *path = before + rest;
                    *now = rest + score;
                }
            }
            let offset = offset(sum, fold::largest(now));
            sum = sum.plus(offset);
            subtract(now, offset);
            next.copy_from_slice(now);

            let largest = fold::largest(paths);
            for path in paths.iter_mut() {
                *path = (*path - largest).exp();
            }
            let paths = self.row(paths);
            weights.clear();
            weights.resize(self.classes.len(), R::Sum::ZERO);
            weights[self.place_of_blank] = fold::sum(end + 1, |k| paths.blanks[k]);
            for (&place, &path) in self.places.iter().zip(&paths.labels[1..]) {
                weights[place] = weights[place].plus(path);
            }
            found(step, weights);
        }
    }
}

/// The row to read and the row to write.
#[inline(always)]
fn two<R>(rows: &mut [R], width: usize, read: usize, write: usize) -> (&[R], &mut [R]) {
    if read < write {
        let (front, back) = rows.split_at_mut(write * width);
        (&front[read * width..][..width], &mut back[..width])
    } else {
        let (front, back) = rows.split_at_mut(read * width);
        (&back[..width], &mut front[write * width..][..width])
    }
}

/// What of the logarithms goes into the sum, given the largest of them: all of it, but so that the sum is not positive. That
/// of probabilities never is; with other scores what counts may be far below the largest.
///
/// It is a constant, which dual numbers are not to differentiate: derivatives added there and taken away here would cancel.
#[inline(always)]
fn offset<R: Real>(sum: R::Sum, largest: R) -> R {
    let offset = if sum.plus(largest).total() > R::ZERO { -sum.total() } else { largest };
    R::from_f64(offset.to_f64())
}

#[inline(always)]
fn subtract<R: Real>(row: &mut [R], amount: R) {
    for x in row {
        *x = *x - amount;
    }
}

#[inline(always)]
fn lowest<R: Real>() -> R {
    R::from_f64(f64::NEG_INFINITY)
}

#[inline(always)]
pub(super) fn is_finite<R: Real>(x: R) -> bool {
    x * R::ZERO == R::ZERO
}

/// The larger first; NaN is the larger, if it is one of the two.
#[inline(always)]
fn ordered<R: Real>(x: R, y: R) -> (R, R) {
    if x >= y { (x, y) } else { (y, x) }
}

/// What to subtract before an exponential: the largest number, but for minus infinity, which would leave NaN.
#[inline(always)]
fn base<R: Real>(largest: R) -> R {
    if largest == lowest() { R::ZERO } else { largest }
}

/// ln(e^x + e^y), with the digits of what the smaller adds.
#[inline(always)]
fn ln_sum_exp<R: Real>(x: R, y: R) -> R {
    let (larger, smaller) = ordered(x, y);
    larger + (smaller - base(larger)).exp().ln_1p()
}

/// ln(e^x + e^y + e^z), with the digits of what the smaller two add.
#[inline(always)]
fn ln_sum_exp_of_3<R: Real>(x: R, y: R, z: R) -> R {
    let (larger, smaller) = ordered(x, y);
    let (largest, middle) = ordered(larger, z);
    let base = base(largest);
    largest + ((middle - base).exp() + (smaller - base).exp()).ln_1p()
}
