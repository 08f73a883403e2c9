//! The modules of the crate stand in an order, and each uses only those before it.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module with what it may use.
const LAYERS: [(&str, &[&str]); 10] = [
    ("tensor", &[]),
    ("error", &[]),
    ("files", &["error"]),
    ("loss", &["tensor"]),
    ("case", &["tensor", "error", "files", "loss"]),
    ("backend", &["tensor", "loss", "case"]),
    ("judge", &["tensor", "error", "files", "loss", "case", "backend"]),
    ("deviations", &["tensor", "error", "files", "loss", "case", "judge"]),
    ("data", &["error", "loss", "case", "backend", "judge", "deviations"]),
    ("run", &["tensor", "error", "files", "loss", "case", "backend", "judge", "deviations", "data"]),
];

/// Returns every file of a module, which is a file or a folder.
fn sources(module: &Path) -> Vec<PathBuf> {
    let file = module.with_extension("rs");
    if file.is_file() { vec![file] } else { files(module) }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn modules_use_only_those_before_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (module, allowed) in LAYERS {
        for file in sources(&source.join(module)) {
            let text = fs::read_to_string(&file).expect("a readable source");
            for used in text.split("crate::").skip(1) {
                let name = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
                let is_allowed = name == module || allowed.contains(&name);
                assert!(is_allowed, "{} uses `{name}`, which comes after `{module}`", file.display());
            }
        }
    }
}
