//! The catalogue: a file for each sort of mistake.

mod formula;
mod gradients;
mod inputs;
mod numbers;
mod options;
mod particular;
mod reductions;
mod refusals;

use losscheck::loss::LossKind;

use crate::Mutant;

/// Every mutant of a loss.
pub fn catalogue(loss: LossKind) -> Vec<Mutant> {
    let families = [options::of, inputs::of, reductions::of, gradients::of, numbers::of, refusals::of, particular::of];
    families.into_iter().flat_map(|family: fn(LossKind) -> Vec<Mutant>| family(loss)).collect()
}
