//! One file per loss: its options, its tensors, its oracle, the magnitudes that its errors are measured by, and its
//! random cases.

pub mod binary_cross_entropy;
pub mod binary_cross_entropy_with_logits;
pub mod cross_entropy;
pub mod huber_loss;
pub mod l1_loss;
pub mod mse_loss;
pub mod nll_loss;
pub mod smooth_l1_loss;

mod classes;
mod elements;

/// Reductions by PyTorch's names, in the golden format.
pub(crate) mod reduction {
    use losscheck_reference::Reduction;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(reduction: &Reduction, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(reduction.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reduction, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
