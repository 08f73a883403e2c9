//! `losscheck list`: the losses, or all about one of them, and what each backend provides.

mod about;

use std::io::{self, Write};

use losscheck::backend::{Backend, Coverage};
use losscheck::judge::tolerance::tolerance;
use losscheck::loss::{LossKind, LossKindExt, Output, Signature};
use losscheck::tensor::DType;
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use self::about::About;
use crate::Passed;
use crate::args::{self, Format};
use crate::backends;
use crate::check::json;
use crate::failure::Failure;
use crate::style::{DIM, HEADING};
use crate::table::{WIDTH, fit, table, wrapped};

/// How many characters of a loss's summary fit beside the longest name in [`WIDTH`](crate::table::WIDTH) columns.
const SUMMARY: usize = 62;

/// The document of `--format json`.
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
    /// What the loss is, in one sentence.
    summary: String,
    /// The address of the page in PyTorch's documentation.
    page: Option<String>,
    /// The dtypes that the loss is computed in.
    dtypes: Vec<&'static str>,
    /// The tensors that it takes.
    inputs: Vec<InputListing>,
    /// The options with their defaults.
    options: Map<String, Value>,
    /// How far the outputs may be off.
    tolerances: Vec<ToleranceListing>,
}

#[derive(Debug, Serialize)]
struct ToleranceListing {
    /// The value, or the gradient of an input.
    output: String,
    /// By dtype the number of ULPs at scale.
    ulps: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct InputListing {
    name: &'static str,
    required: bool,
    /// Whether the tensor has a gradient if it holds floats.
    differentiable: bool,
    /// What the tensor may hold.
    elements: Elements,
    /// The shapes that the tensor may have, in words.
    shape: String,
}

/// What a tensor may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Elements {
    #[serde(rename = "floats")]
    Floats,
    #[serde(rename = "integers")]
    Integers,
    #[serde(rename = "floats or integers")]
    Either,
}

impl Elements {
    fn new(signature: Signature, name: &str) -> Self {
        if !signature.integers.contains(&name) {
            Self::Floats
        } else if signature.numbers.contains(&name) || signature.differentiable.contains(&name) {
            Self::Either
        } else {
            Self::Integers
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Floats => "floats",
            Self::Integers => "integers",
            Self::Either => "floats, integers",
        }
    }
}

#[derive(Debug, Serialize)]
struct BackendListing {
    name: String,
    version: String,
    /// By loss: `native`, `composed` or `missing`.
    coverage: Map<String, Value>,
}

/// Prints the list, or what there is to know about one loss.
pub(crate) fn run(options: &args::List, out: &mut dyn Write) -> Result<Passed, Failure> {
    let backends = backends::backends();
    let losses: Vec<LossKind> = options.loss.map_or_else(|| LossKind::ALL.to_vec(), |loss| vec![loss]);
    let listing = Listing {
        losscheck: env!("CARGO_PKG_VERSION"),
        losses: losses.iter().map(|&loss| LossListing::new(loss)).collect(),
        backends: backends.iter().map(|backend| BackendListing::new(backend.as_ref(), &losses)).collect(),
    };
    match (options.format, options.loss) {
        (Format::Json, _) => json(out, &listing)?,
        (Format::Table, None) => print(&listing, out)?,
        (Format::Table, Some(loss)) => print_loss(loss, &listing, out)?,
    }
    Ok(Passed(true))
}

impl LossListing {
    fn new(loss: LossKind) -> Self {
        let (signature, about) = (loss.signature(), About::new(loss));
        let input = |required| {
            let about = &about;
            move |&name| InputListing {
                name,
                required,
                differentiable: signature.differentiable.contains(&name),
                elements: Elements::new(signature, name),
                shape: about.shape(name).to_owned(),
            }
        };
        let optional = signature.optional.iter().map(input(false));
        let inputs = signature.required.iter().map(input(true)).chain(optional).collect();
        let options = match loss.defaults().write_options() {
            Value::Object(options) => options,
            _ => Map::new(),
        };
        let dtypes = loss.dtypes().iter().map(|dtype| dtype.name()).collect();
        let gradients = signature.differentiable.iter().map(|&name| Output::Gradient(name));
        let tolerances = [Output::Value].into_iter().chain(gradients).map(|output| ToleranceListing::new(loss, output));
        let tolerances = tolerances.collect();
        let About { summary, page, .. } = about;
        Self { loss: loss.name(), class: loss.class(), summary, page, dtypes, inputs, options, tolerances }
    }
}

impl ToleranceListing {
    fn new(loss: LossKind, output: Output) -> Self {
        let ulps = loss
            .dtypes()
            .iter()
            .map(|&dtype| (dtype.name().to_owned(), (tolerance(loss, output, dtype) as u64).into()));
        Self { output: output.to_string(), ulps: ulps.collect() }
    }
}

impl BackendListing {
    fn new(backend: &dyn Backend, losses: &[LossKind]) -> Self {
        let coverage = |&loss: &LossKind| (loss.name().to_owned(), coverage_name(backend.coverage(loss)).into());
        let coverage = losses.iter().map(coverage).collect();
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

/// What the words for coverage mean.
const COVERAGE: &str = "native: the library's own function; composed: put together from its tensor operations";

/// Prints one line for each loss, and one for each backend.
fn print(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    let mut losses = table(["loss", "what it is"], 2);
    for &loss in LossKind::ALL {
        losses.add_row([loss.name(), About::new(loss).short_summary(SUMMARY)]);
    }
    writeln!(out, "{}\n", fit(&mut losses).trim_fmt())?;

    let names = ["native", "composed", "missing"];
    let mut provided = table(["backend", "version"].into_iter().chain(names), 2);
    for BackendListing { name, version, coverage } in &listing.backends {
        let count = |kind: &&str| coverage.values().filter(|value| value == kind).count().to_string();
        provided.add_row([name.clone(), version.clone()].into_iter().chain(names.iter().map(count)));
    }
    writeln!(out, "{}\n", fit(&mut provided).trim_fmt())?;
    writeln!(out, "{DIM}{COVERAGE}{DIM:#}")?;
    writeln!(out, "{DIM}losscheck list LOSS shows the tensors and the options of a loss.{DIM:#}")
}

/// Prints what there is to know about a loss.
fn print_loss(loss: LossKind, listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    let about = About::new(loss);
    writeln!(out, "{HEADING}{loss}{HEADING:#}, class torch.nn.{}", loss.class())?;
    for line in wrapped(&about.summary, usize::from(WIDTH) - 2) {
        writeln!(out, "  {line}")?;
    }
    for line in &about.formula {
        writeln!(out, "    {line}")?;
    }
    if let Some(page) = &about.page {
        writeln!(out, "  {page}")?;
    }

    let Some(LossListing { inputs, options, tolerances, .. }) = listing.losses.first() else { return Ok(()) };
    let mut tensors = table(["tensor", "holds", "gradient", "shape"], 4);
    for InputListing { name, required, differentiable, elements, shape } in inputs {
        let name = if *required { (*name).to_owned() } else { format!("[{name}]") };
        tensors.add_row([
            name.as_str(),
            elements.describe(),
            if *differentiable { "yes" } else { "no" },
            shape.as_str(),
        ]);
    }
    tensors.add_row(["output", "", "", about.shape("output")]);
    writeln!(out, "\n{}", fit(&mut tensors).trim_fmt())?;
    let floats: Vec<_> = loss.dtypes().iter().map(|dtype| dtype.name()).collect();
    let integers = [DType::I64, DType::U8].map(DType::name);
    writeln!(
        out,
        "{DIM}[optional]; floats: {}; integers: {}, which have no gradient{DIM:#}",
        floats.join(", "),
        integers.join(", ")
    )?;

    let mut rows = table(["option", "type", "default", "what it does"], 4);
    for (name, default) in options {
        let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        rows.add_row([name.clone(), about.type_of(name), default, about.option(name)]);
    }
    writeln!(out, "\n{}", fit(&mut rows).trim_fmt())?;

    let dtypes = loss.dtypes().iter().map(|dtype| dtype.name());
    let mut tolerated = table(["may be off by"].into_iter().chain(dtypes), 1);
    for ToleranceListing { output, ulps } in tolerances {
        tolerated.add_row([output.clone()].into_iter().chain(ulps.values().map(ToString::to_string)));
    }
    writeln!(out, "\n{}", fit(&mut tolerated).trim_fmt())?;
    writeln!(out, "{DIM}in ULPs at scale{DIM:#}")?;

    let mut provided = table(["backend", "version", "the loss is"], 3);
    for BackendListing { name, version, coverage } in &listing.backends {
        provided.add_row([name, version, coverage[loss.name()].as_str().unwrap_or_default()]);
    }
    writeln!(out, "\n{}", fit(&mut provided).trim_fmt())?;
    writeln!(out, "{DIM}{COVERAGE}{DIM:#}")
}

/// Options on one line, as keyword arguments.
pub(crate) fn options(options: &Map<String, Value>) -> String {
    options.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}
