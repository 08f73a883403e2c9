//! What libtorch does not check of `ctc_loss`.

use losscheck_backend::tensor::{Tensor, Tensors};

/// Returns whether a label that counts is no class, as far as anybody can tell. libtorch would read and write out of bounds.
pub(crate) fn has_label_out_of_range(inputs: &Tensors) -> bool {
    let [log_probs, targets] = ["log_probs", "targets"].map(|name| inputs.get(name));
    let classes = log_probs.and_then(|tensor| tensor.shape().last()).map_or(0.0, |&classes| classes as f64);
    let Some(targets) = targets else { return false };
    let labels = targets.to_f64();
    // PyTorch truncates floats.
    let is_class = |label: &f64| *label > -1.0 && *label < classes;
    let lengths = inputs.get("target_lengths").map_or_else(Vec::new, Tensor::to_f64);
    match *targets.shape() {
        [_, columns] if columns > 0 => labels.chunks(columns).enumerate().any(|(row, labels)| {
            let count = lengths.get(row).map_or(columns, |&length| columns.min(length.max(0.0) as usize));
            !labels[..count].iter().all(is_class)
        }),
        _ => !labels.iter().all(is_class),
    }
}
