//! Options that have no effect, or have it always.

use losscheck::case::Case;
use losscheck::loss::LossKind;
use serde_json::{Value, json};

use crate::Mutant;
use crate::mutant::{Part, with_option};

/// Options that say what the tensors are, without which there is nothing to compute; and what other families change.
const STRUCTURAL: [&str; 9] = [
    "reduction",
    "in_features",
    "n_classes",
    "cutoffs",
    "div_value",
    "head_bias",
    "result",
    "distance_function",
    // How the work is cut up, which the result does not show.
    "batch_chunk_size",
];

pub(super) fn of(loss: LossKind) -> Vec<Mutant> {
    let Value::Object(options) = loss.defaults().write_options() else { return Vec::new() };
    let mut mutants = Vec::new();
    for (name, default) in options.into_iter().filter(|(name, _)| !STRUCTURAL.contains(&name.as_str())) {
        for part in Part::EACH {
            // A constant, which no gradient shows.
            if part == Part::Gradients && (loss, name.as_str()) == (LossKind::GaussianNllLoss, "full") {
                continue;
            }
            let mut add = |mistake: String, value: Value| {
                let name = name.clone();
                let rewrite = move |case: &Case| with_option(case, &name, value.clone());
                mutants.push(Mutant::of_another_case(loss, mistake, part, rewrite));
            };
            add(format!("`{name}` is ignored"), default.clone());
            if default.is_boolean() {
                add(format!("`{name}` is always set"), json!(true));
            }
        }
    }
    mutants
}
