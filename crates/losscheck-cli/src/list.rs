//! `losscheck list`: the losses, their options, and what each backend provides.

use std::io::{self, Write};

use comfy_table::{Cell, Color};
use losscheck::backend::{Backend, Coverage};
use losscheck::loss::LossKind;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Passed;
use crate::args::{self, Format};
use crate::backends;
use crate::check::json;
use crate::failure::Failure;
use crate::style::DIM;
use crate::table::{missing, table};

/// What there is: the document of `--format json`.
#[derive(Debug, Serialize)]
struct Listing {
    /// The version of the program.
    losscheck: &'static str,
    /// The losses.
    losses: Vec<LossListing>,
    /// The backends of this build.
    backends: Vec<BackendListing>,
}

#[derive(Debug, Serialize)]
struct LossListing {
    /// PyTorch's functional name.
    loss: &'static str,
    /// The name of its class in `torch.nn`.
    class: &'static str,
    /// The tensors that it takes.
    inputs: Vec<InputListing>,
    /// The options with their defaults.
    options: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct InputListing {
    name: &'static str,
    required: bool,
    /// Whether it has a gradient, where it is of floats.
    differentiable: bool,
}

#[derive(Debug, Serialize)]
struct BackendListing {
    name: String,
    version: String,
    /// By loss: `native`, `composed` or `missing`.
    coverage: Map<String, Value>,
}

/// Prints the list.
pub(crate) fn run(options: &args::List, out: &mut dyn Write) -> Result<Passed, Failure> {
    let backends = backends::backends();
    let listing = Listing {
        losscheck: env!("CARGO_PKG_VERSION"),
        losses: LossKind::ALL.iter().map(|&loss| LossListing::new(loss)).collect(),
        backends: backends.iter().map(|backend| BackendListing::new(backend.as_ref())).collect(),
    };
    match options.format {
        Format::Table => print(&listing, out)?,
        Format::Json => json(out, &listing)?,
    }
    Ok(Passed(true))
}

impl LossListing {
    fn new(loss: LossKind) -> Self {
        let signature = loss.signature();
        let input = |required| {
            move |&name| InputListing { name, required, differentiable: signature.differentiable.contains(&name) }
        };
        let optional = signature.optional.iter().map(input(false));
        let inputs = signature.required.iter().map(input(true)).chain(optional).collect();
        let Value::Object(options) = loss.defaults().write_options() else { unreachable!("options are an object") };
        Self { loss: loss.name(), class: loss.class(), inputs, options }
    }
}

impl BackendListing {
    fn new(backend: &dyn Backend) -> Self {
        let coverage = |&loss: &LossKind| (loss.name().to_owned(), coverage_name(backend.coverage(loss)).into());
        let coverage = LossKind::ALL.iter().map(coverage).collect();
        Self { name: backend.name().to_owned(), version: backend.version(), coverage }
    }
}

fn coverage_name(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Native => "native",
        Coverage::Composed => "composed",
        Coverage::Missing => "missing",
    }
}

fn print(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    let mut losses = table(["loss", "class", "inputs", "options"], 4);
    for LossListing { loss, class, inputs, options } in &listing.losses {
        let inputs = inputs.iter().map(
            |InputListing { name, required, .. }| {
                if *required { (*name).to_owned() } else { format!("[{name}]") }
            },
        );
        losses.add_row([
            (*loss).to_owned(),
            (*class).to_owned(),
            inputs.collect::<Vec<_>>().join(", "),
            self::options(options),
        ]);
    }
    writeln!(out, "{}\n", losses.trim_fmt())?;

    let mut provided =
        table(["provided by"].into_iter().chain(listing.backends.iter().map(|backend| backend.name.as_str())), 9);
    for LossListing { loss, .. } in &listing.losses {
        let cells = listing.backends.iter().map(|backend| match backend.coverage[*loss].as_str() {
            Some("native") => Cell::new("native").fg(Color::DarkGreen),
            Some("composed") => Cell::new("composed"),
            _ => missing(),
        });
        provided.add_row([Cell::new(loss)].into_iter().chain(cells));
    }
    writeln!(out, "{}\n", provided.trim_fmt())?;
    writeln!(out, "{DIM}native: the library's own function; composed: put together from its tensor operations{DIM:#}")?;
    for BackendListing { name, version, .. } in &listing.backends {
        writeln!(out, "{DIM}{name}: {version}{DIM:#}")?;
    }
    Ok(())
}

/// Options on one line, as keyword arguments.
pub(crate) fn options(options: &Map<String, Value>) -> String {
    options.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}
