//! What may have been meant by a name that is none: of another library, of a class, or misspelt.

use super::json::shortened;
use crate::loss::{LossKind, Signature};
use crate::tensor::DType;

/// Names of dtypes elsewhere: in Python, PyTorch, NumPy, JAX and safetensors.
const DTYPES: &[(&str, DType)] = &[
    ("float16", DType::F16),
    ("half", DType::F16),
    ("fp16", DType::F16),
    ("bfloat16", DType::BF16),
    ("float32", DType::F32),
    ("float", DType::F32),
    ("single", DType::F32),
    ("fp32", DType::F32),
    ("float64", DType::F64),
    ("double", DType::F64),
    ("fp64", DType::F64),
    ("int64", DType::I64),
    ("long", DType::I64),
    ("int", DType::I64),
    ("int32", DType::I64),
    ("i32", DType::I64),
    ("uint8", DType::U8),
    ("byte", DType::U8),
    ("bool", DType::U8),
];

/// Names of tensors elsewhere, and the names that PyTorch's losses may have for them.
const TENSORS: &[(&[&str], &[&str])] = &[
    (
        &[
            "logits",
            "logit",
            "log_probs",
            "logprobs",
            "log_prob",
            "predictions",
            "prediction",
            "preds",
            "pred",
            "y_pred",
            "y_hat",
            "yhat",
            "outputs",
            "output",
            "scores",
            "score",
            "probs",
            "probabilities",
            "x",
            "mean",
            "mu",
            "inputs",
        ],
        &["input", "log_probs", "input1", "anchor"],
    ),
    (
        &[
            "labels",
            "label",
            "targets",
            "target",
            "y",
            "y_true",
            "gt",
            "ground_truth",
            "truth",
            "classes",
            "class",
            "targets_probs",
        ],
        &["target", "targets"],
    ),
    (&["weights", "class_weight", "class_weights", "sample_weight"], &["weight"]),
    (&["variance", "sigma2"], &["var"]),
    (&["x1", "input_1", "a"], &["input1"]),
    (&["x2", "input_2", "b"], &["input2"]),
    (&["input_length", "logit_lengths", "input_lens"], &["input_lengths"]),
    (&["target_length", "label_lengths", "label_length", "target_lens"], &["target_lengths"]),
    (&["lm_head", "head", "linear", "weight"], &["linear_weight", "head.weight"]),
    (&["bias"], &["linear_bias", "head.bias"]),
];

/// Returns the message for an unknown loss.
pub(super) fn unknown_loss(name: &str) -> String {
    let shown = shortened(name).escape_debug().to_string();
    let plain = name.rsplit('.').next().unwrap_or(name);
    let essence = |name: &str| {
        let letters = letters(name);
        letters.strip_suffix("loss").map_or(letters.clone(), str::to_owned)
    };
    let named = |kind: &&LossKind| [kind.name(), kind.class()].iter().any(|known| essence(known) == essence(plain));
    let nearest = || nearest(plain, LossKind::ALL.iter().map(|kind| kind.name()));
    match LossKind::ALL.iter().find(named).map(|kind| kind.name()).or_else(nearest) {
        Some(meant) => format!("unknown loss `{shown}`, did you mean `{meant}`?"),
        None => {
            let names: Vec<_> = LossKind::ALL.iter().map(|loss| loss.name()).collect();
            format!("unknown loss `{shown}`, expected one of {}", names.join(", "))
        }
    }
}

/// Returns the message for an unknown dtype.
pub(super) fn unknown_dtype(name: &str) -> String {
    let shown = shortened(name).escape_debug().to_string();
    let plain = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let elsewhere = || DTYPES.iter().find(|(known, _)| *known == plain).map(|(_, dtype)| *dtype);
    let all = DType::ALL.map(DType::name).join(", ");
    match plain.parse().ok().or_else(elsewhere) {
        Some(meant) => format!("unknown dtype `{shown}`, did you mean `{meant}`? The dtypes are {all}"),
        None => format!("unknown dtype `{shown}`, expected one of {all}"),
    }
}

/// Returns the message for a tensor that the loss does not take. `taken` are the names of the other tensors of the case,
/// which cannot have been meant.
pub(super) fn unknown_tensor(name: &str, loss: LossKind, taken: &[&str]) -> String {
    let Signature { required, optional, .. } = loss.signature();
    let free: Vec<&str> = [required, optional].concat().into_iter().filter(|known| !taken.contains(known)).collect();
    let elsewhere = || {
        let plain = name.to_lowercase();
        let meant = TENSORS.iter().filter(|(names, _)| names.contains(&&*plain)).flat_map(|(_, meant)| *meant);
        meant.copied().find(|meant| free.contains(meant))
    };
    let alike = free.iter().copied().find(|known| letters(known) == letters(name));
    let meant = alike.or_else(elsewhere).or_else(|| nearest(name, free.iter().copied()));
    let question = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or(".".to_owned());
    format!("unknown tensor{question} {}", takes(loss))
}

/// Says which tensors a loss takes, as a sentence without its full stop.
pub(super) fn takes(loss: LossKind) -> String {
    let Signature { required, optional, .. } = loss.signature();
    let optional = if optional.is_empty() { String::new() } else { format!(", and optionally {}", list(optional)) };
    format!("`{}` takes {}{optional}", loss.name(), list(required))
}

/// Returns the message for an unknown name among those of some kind: `option`, for example.
pub(super) fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let alike = known.iter().copied().find(|known| letters(known) == letters(name));
    let question = match alike.or_else(|| nearest(name, known.iter().copied())) {
        Some(meant) => format!(", did you mean `{meant}`?"),
        None => ".".to_owned(),
    };
    format!("unknown {kind}{question}")
}

/// Returns the known name that is the fewest edits away, if they are few for its length.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), known);
    let (distance, meant) = known.map(|known| (distance(known), known)).min()?;
    (distance <= name.chars().count().min(meant.chars().count()) / 3).then_some(meant)
}

/// Returns the letters and digits of a name, in lower case.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Returns names as a list in a sentence: `a`, `a and b`, `a, b and c`.
pub(super) fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [name] => (*name).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
