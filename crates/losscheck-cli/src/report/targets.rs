//! The section on what the reference aims at, and the rows in which it misses.

use losscheck::judge::verdict::count;
use losscheck::loss::LossKind;
use losscheck::markdown::table;
use losscheck::run::accuracy::{InputSet, Line, Results, Row};
use losscheck::tensor::DType;

use crate::accuracy::both;

const REFERENCE: &str = "reference";
const PYTORCH: &str = "tch";

const HEAD: &str = "
## Targets

What `losscheck-reference` aims at, in f32 and f64:

- over every number, errors of at most 2 plain ULPs;
- without reduction, at most 1 ULP at scale in f32 and 2 in f64;
- reductions, at most 2 ULPs at scale;
- and in no row a greater error than libtorch's, be it plain or at scale.

";

/// Why a loss misses most; one that is not named does by few roundings, at scale.
const REASONS: &[(&[LossKind], &str)] = &[
    (
        &[LossKind::TripletMarginLoss, LossKind::TripletMarginWithDistanceLoss],
        "two distances, each rounded, are so much longer than the margin that it is lost in their difference: the hinge is \
         taken for open or shut, and value and gradient are those of the other side",
    ),
    (
        &[LossKind::AdaptiveLogSoftmaxWithLoss, LossKind::LinearCrossEntropy],
        "scores are rounded before the softmax, and the gradients of the rows of a batch, or of the classes of a row, cancel; \
         the scale does not see it, for it is summed over the predictions and not over the terms",
    ),
    (
        &[LossKind::CosineEmbeddingLoss],
        "one element makes up nearly all of a vector, or two vectors are all but parallel: f64 has no wider type to sum in, \
         and twice its digits are not enough where elements are more than 1e32 apart",
    ),
    (
        &[LossKind::CrossEntropy],
        "with smoothing or probabilities as target, weighted terms of either sign cancel; a gradient that is the difference \
         of two equal probabilities is 0",
    ),
    (
        &[LossKind::CtcLoss],
        "the gradient is the difference of a probability and of a sum over alignments that are all but equal to it, both from \
         logarithms rounded once a step",
    ),
    (
        &[LossKind::BinaryCrossEntropyWithLogits, LossKind::KlDiv, LossKind::PoissonNllLoss, LossKind::GaussianNllLoss],
        "terms of the target and of the prediction cancel, and the target does not count in the scale",
    ),
    (
        &[LossKind::MultilabelSoftMarginLoss],
        "a mean over classes whose terms cancel where their weights are of either sign",
    ),
];

/// The section.
pub(super) fn section(results: &Results) -> String {
    let rows: Vec<(Line, &Row)> = results
        .rows
        .lines()
        .into_iter()
        .filter(|(.., dtype)| matches!(dtype, DType::F32 | DType::F64))
        .filter_map(|line| Some((line, results.rows.row(line, REFERENCE)?)))
        .collect();
    let pytorch = |line| results.rows.row(line, PYTORCH);
    let missed: Vec<_> =
        rows.iter().filter_map(|&(line, row)| Some((line, row, missed(line, row, pytorch(line))?))).collect();
    let mut text = HEAD.to_owned();
    text += &format!(
        "{} of {} rows meet them all. These do not, plain / at scale, the lower bounds being the worst that a search towards \
         the worst has found:\n\n",
        rows.len() - missed.len(),
        rows.len()
    );
    let cells = missed.iter().map(|((loss, inputs, output, dtype), row, target)| {
        let library = pytorch((*loss, *inputs, *output, *dtype)).map_or_else(|| "–".to_owned(), both);
        let inputs = inputs.to_string();
        vec![format!("`{loss}`"), inputs, output.to_string(), dtype.to_string(), target.clone(), both(row), library]
    });
    text += &table(&["loss", "inputs", "output", "dtype", "target", REFERENCE, PYTORCH], 5, cells);
    text += "\nWhy:\n\n";
    for (losses, reason) in
        REASONS.iter().filter(|(losses, _)| missed.iter().any(|((loss, ..), ..)| losses.contains(loss)))
    {
        let names: Vec<_> = losses.iter().map(|loss| format!("`{loss}`")).collect();
        text += &format!("- {}: {reason}.\n", names.join(", "));
    }
    text += "- all others, and the smaller misses of these: a few roundings of the last digit, at scale.\n";
    text
}

/// The target that a row misses; `None` where it meets them all.
fn missed((_, inputs, _, dtype): Line, row: &Row, pytorch: Option<&Row>) -> Option<String> {
    let at_scale = row.scaled.as_ref().map(|measure| measure.worst);
    let (error, most) = match inputs {
        InputSet::Every(_) => (Some(row.plain.worst), 2.0),
        InputSet::Elements(_) => (at_scale, 2.0),
        InputSet::Searched => (at_scale, if dtype == DType::F32 { 1.0 } else { 2.0 }),
    };
    if error.is_some_and(|error| error > most) {
        return Some(count(most));
    }
    let exceeds = |ours: f64, theirs: f64| ours > theirs && count(ours) != count(theirs);
    let pytorch = pytorch?;
    let scaled = at_scale.zip(pytorch.scaled.as_ref().map(|measure| measure.worst));
    (exceeds(row.plain.worst, pytorch.plain.worst) || scaled.is_some_and(|(ours, theirs)| exceeds(ours, theirs)))
        .then(|| format!("`{PYTORCH}`"))
}
