//! The program `losscheck`, as a library: what its binary and its tests share.

mod accuracy;
mod adapters;
mod args;
mod backends;
mod check;
mod draws;
mod drift;
mod export;
mod failure;
mod fuzz;
mod judge;
mod list;
mod metamorphic;
mod mutants;
mod progress;
pub mod report;
mod show;
mod smoke;
mod source;
mod style;
mod table;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use anstream::eprintln;
use clap::Parser;
use losscheck::backend::call::without_panic_messages;
use losscheck::data::DataFolder;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

pub use backends::backends;

/// Runs the program on its command line.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let data = arguments.reference_data.map_or_else(DataFolder::shipped, DataFolder);
    let mut out = BufWriter::new(anstream::stdout());
    let result = without_panic_messages(|| {
        let passed = match arguments.command.unwrap_or_default() {
            Command::Check(options) => check::run(&options, &data, &mut out),
            Command::List(options) => list::run(&options, &mut out),
            Command::Show(options) => show::run(&options, &data, &mut out),
            Command::Fuzz(options) => fuzz::run(&options, &data, &mut out),
            Command::Metamorphic(options) => metamorphic::run(&options, &data, &mut out),
            Command::Accuracy(options) => accuracy::run(&options, &data, &mut out),
            Command::Drift(options) => drift::run(&options, &data, &mut out),
            Command::Export(options) => export::run(&options, &data, &mut out),
            Command::Judge(options) => judge::run(&options, &data, &mut out),
            Command::Smoke(options) => smoke::run(&options, &data, &mut out),
            Command::Report(options) => report::run(&options, &data, &mut out),
            Command::Mutants(options) => mutants::run(&options, &data, &mut out),
        }?;
        out.flush()?;
        Ok(passed)
    });
    match result {
        Ok(Passed(true)) => ExitCode::SUCCESS,
        Ok(Passed(false)) => ExitCode::from(1),
        // Whoever read the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let bad = style::BAD;
            eprintln!("{bad}error:{bad:#} {failure}");
            ExitCode::from(2)
        }
    }
}

/// Whether every difference that a subcommand found is known.
#[derive(Clone, Copy, Debug)]
struct Passed(bool);
