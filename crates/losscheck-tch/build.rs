//! Compiles what is in C++, lets this crate's tests find libtorch when they run, and tells dependents where it is.
//!
//! Link arguments do not pass from a package to its dependents: each package that makes a binary with this crate in it
//! has to ask for the run path itself, from `DEP_LOSSCHECK_TCH_LIBTORCH_LIB` in a build script of its own.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // From torch-sys; unset where it links no libtorch (its feature `doc-only`).
    let Ok(folder) = env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    println!("cargo::metadata=libtorch_lib={folder}");

    let headers =
        env::var("LIBTORCH_INCLUDE").map_or_else(|_| Path::new(&folder).with_file_name("include"), Into::into);
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-changed=src/stack_traces.cpp");
    cc::Build::new().cpp(true).std("c++20").include(headers).file("src/stack_traces.cpp").compile("stack_traces");

    let version = Path::new(&folder).with_file_name("build-version");
    println!("cargo::rerun-if-changed={}", version.display());
    if let Ok(version) = fs::read_to_string(version) {
        println!("cargo::rustc-env=LIBTORCH_VERSION={}", version.trim());
    }
}
