//! Compiles what is in C++, lets this crate's tests find libtorch when they run, and tells dependents where it is.
//!
//! Link arguments do not pass from a package to its dependents: each package that makes a binary with this crate in it
//! has to ask for the run path itself, from `DEP_LOSSCHECK_TCH_LIBTORCH_LIB` in a build script of its own.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // From torch-sys; unset where it links no libtorch (its feature `doc-only`).
    let Ok(folder) = env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    println!("cargo::metadata=libtorch_lib={folder}");

    // As torch-sys finds them.
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    let libtorch = env::var("LIBTORCH_INCLUDE").map_or_else(|_| Path::new(&folder).join(".."), PathBuf::from);
    println!("cargo::rerun-if-changed=src/stack_traces.cpp");
    let mut stack_traces = cc::Build::new();
    stack_traces.cpp(true).std("c++17").warnings(false).include(libtorch.join("include"));
    stack_traces.file("src/stack_traces.cpp").compile("stack_traces");

    let version = Path::new(&folder).with_file_name("build-version");
    println!("cargo::rerun-if-changed={}", version.display());
    if let Ok(version) = fs::read_to_string(version) {
        println!("cargo::rustc-env=LIBTORCH_VERSION={}", version.trim());
    }
}
