//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use losscheck::backend::PytorchVersion;
use losscheck::judge::MeasuredAt;
use losscheck::loss::LossKind;
use losscheck::run::accuracy::{SearchBudget, Shard};
use losscheck::tensor::DType;

use crate::source::quoted;
use crate::{adapters, backends};

/// Holds PyTorch's loss functions in Rust against PyTorch and against exact arithmetic.
///
/// Without a subcommand it does `check`.
#[derive(Debug, Parser)]
#[command(name = "losscheck", version, after_help = CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The folder with goldens, deviations and regressions, instead of the repository's `reference_data`
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) reference_data: Option<PathBuf>,
}

const CODES: &str = "\
Exit code: 0, every difference is known; 1, something else differs, a relation is broken, a deviation is not true, or no
check catches a mutant; 2, bad usage or bad data, such as a case that the loss refuses and that does not expect so.

Example: losscheck check --backend candle-nn --loss cross_entropy";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Evaluate the goldens on every backend: the matrix of losses by backends, then each difference
    #[command(after_help = "Example: losscheck check --backend reference --data my_cases.json")]
    Check(Check),
    /// List the losses and the backends, or the tensors and options of one loss
    #[command(after_help = "Example: losscheck list cross_entropy")]
    List(List),
    /// Show a case: its tensors, PyTorch's answer, the exact one, and each backend's with its error
    #[command(after_help = "Example: losscheck show cross_entropy/f32/tutorial")]
    Show(Show),
    /// Compare the backends with exact arithmetic on random cases; shrink and keep what differs
    #[command(after_help = "Example: losscheck fuzz --cases 20000 --seed 7 --loss huber_loss")]
    Fuzz(Draws),
    /// Hold the backends to relations between two answers: logits may be shifted, an ignored row is a row less
    #[command(after_help = "Example: losscheck metamorphic --cases 20000 --seed 7 --loss cross_entropy")]
    Metamorphic(Metamorphic),
    /// Judge the suite itself: which of its checks catches which wrong loss
    #[command(after_help = "Example: losscheck mutants --loss cross_entropy")]
    Mutants(Mutants),
    /// Measure how exact each backend is: the worst error of each output, with its input
    #[command(after_help = "Example: losscheck accuracy --loss huber_loss --dtype f32 --exhaustive --results found")]
    Accuracy(Accuracy),
    /// Write the cases as lines that an adapter answers, in any language and on any machine: see docs/protocol.md
    #[command(after_help = "Example: losscheck export --loss cross_entropy --out cases.jsonl")]
    Export(Export),
    /// Judge what an adapter answered to the cases of `export`: the matrix, then each difference
    #[command(after_help = "Example: losscheck judge answers.jsonl --loss cross_entropy")]
    Judge(Judge),
    /// Try an adapter: its greeting, a case of each loss, NaN, a refusal, cotangents, a crash, a hang, and its end
    #[command(after_help = "Example: losscheck smoke torch='python -m losscheck.adapters.torch'")]
    Smoke(Smoke),
    /// Say what changed in PyTorch's losses from one version to another: you upgrade, and which of your losses change?
    #[command(after_help = "Example: losscheck drift 2.2.2 2.15.0 --loss cross_entropy")]
    Drift(Drift),
    /// Write the pages of `reports`: conformance, and accuracy from what `accuracy --results` kept
    #[command(after_help = "Example: losscheck report --accuracy found")]
    Report(Report),
}

impl Default for Command {
    fn default() -> Self {
        Self::Check(Check::default())
    }
}

#[derive(Debug, Default, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Cases of your own in the golden format, a file or a folder of them, instead of the shipped ones; repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,

    /// Judge by plain ULPs, at the magnitude of the exact number, and not by ULPs at the error scale: the sum of the magnitudes
    /// of the terms that the documented formula adds up. Reports give both numbers; without this option the latter decides,
    /// because the error of a careful implementation grows with the terms
    #[arg(long, conflicts_with = "update_deviations")]
    pub(crate) strict: bool,

    /// Judge by this version of PyTorch, such as 2.6.0, and not by the current one: by what it answers to the goldens, and by its
    /// slope where a hinge is exactly 0. The column `pytorch` holds its answers then, and the exit code says whether the
    /// backends and these answers differ from it, or from exact arithmetic, in known ways only. Without this option each backend
    /// is judged by the current version, or by the older one that it is built on, as libtorch is
    #[arg(long, value_name = "VERSION")]
    pub(crate) pytorch: Option<PytorchVersion>,

    /// Print the known deviations in full: what a backend gives, why, where it is reported, and a case that shows it
    #[arg(long)]
    pub(crate) known: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Compare the other columns with this one, and not with exact arithmetic: a compiled loss with an eager one, a new version
    /// with an old one. No deviation is known then
    #[arg(long, value_name = "NAME", conflicts_with_all = ["pytorch", "update_deviations"])]
    pub(crate) against: Option<String>,

    /// Leave out cases with NaN or infinity in the inputs, the options or PyTorch's answer
    #[arg(long, conflicts_with = "update_deviations")]
    pub(crate) finite: bool,

    /// Take this selection of the cases; `compiled`: some hundreds, for an adapter that compiles each [default: what the adapter
    /// asks for, or else all]
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "update_deviations")]
    pub(crate) profile: Option<Profile>,

    /// Keep what the adapter answers in this file, which `judge` reads
    #[arg(long, value_name = "FILE", conflicts_with = "update_deviations")]
    pub(crate) record: Option<PathBuf>,

    /// Rewrite the known deviations from what differs now, for review
    #[arg(long, conflicts_with = "data")]
    pub(crate) update_deviations: bool,

    /// The files whose answers `judge` judges
    #[arg(skip)]
    pub(crate) answers: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Smoke {
    /// The name of the adapter and the command that starts it, or its name in `losscheck.toml`
    #[arg(value_name = "NAME[=COMMAND]", value_parser = adapters::parse)]
    pub(crate) adapter: adapters::Chosen,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only this loss, by PyTorch's functional name; repeatable
    #[arg(long = "loss", value_name = "NAME", value_parser = loss(), hide_possible_values = true)]
    pub(crate) losses: Vec<LossKind>,

    /// Cases of your own in the golden format, a file or a folder of them, instead of the shipped ones; repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,

    /// How to write the elements of tensors
    #[arg(long, value_enum, default_value_t)]
    pub(crate) encoding: Encoding,

    /// Write the exact answer to each case, too, rounded to f64
    #[arg(long)]
    pub(crate) exact: bool,

    /// The file to write, instead of the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A selection of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// All cases
    All,
    /// Some hundreds: every pair of options, dtypes and ranks of a loss, and every flag
    Compiled,
}

/// How to write the elements of tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// As bytes in base64: exact for every number
    #[default]
    Bits,
    /// As lists of numbers, for people to read
    Data,
}

#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// What an adapter wrote; several files are as many columns
    #[arg(value_name = "ANSWERS", required = true)]
    pub(crate) answers: Vec<PathBuf>,

    /// The `--loss` of the export; repeatable
    #[arg(long = "loss", value_name = "NAME", value_parser = loss(), hide_possible_values = true)]
    pub(crate) losses: Vec<LossKind>,

    /// The `--data` of the export; repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,

    /// Judge by plain ULPs, at the magnitude of the exact number, and not by ULPs at the error scale: the sum of the magnitudes
    /// of the terms that the documented formula adds up
    #[arg(long)]
    pub(crate) strict: bool,

    /// Print the known deviations in full: what a backend gives, why, where it is reported, and a case that shows it
    #[arg(long)]
    pub(crate) known: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Show all about this loss, by PyTorch's functional name
    #[arg(value_name = "LOSS", value_parser = loss(), hide_possible_values = true)]
    pub(crate) loss: Option<LossKind>,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of a case: a golden, one of the tutorial's, a regression, or one of `--data`
    #[arg(value_name = "CASE")]
    pub(crate) case: String,

    #[command(flatten)]
    pub(crate) columns: Columns,

    /// Look for it in this file or folder instead of the shipped ones; repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,

    /// Judge by plain ULPs, at the magnitude of the exact number, and not by ULPs at the error scale: the sum of the magnitudes
    /// of the terms that the documented formula adds up. Reports give both numbers; without this option the latter decides,
    /// because the error of a careful implementation grows with the terms
    #[arg(long)]
    pub(crate) strict: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Random cases.
#[derive(Clone, Debug, Args)]
pub(crate) struct Draws {
    /// How many cases to draw, shared out evenly among the losses and dtypes
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub(crate) cases: usize,

    /// What the cases are drawn from: the same seed gives the same cases; by default from the clock
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Print the known deviations in full: what a backend gives, why, where it is reported, and a case that shows it
    #[arg(long)]
    pub(crate) known: bool,

    /// Where to keep what differs, instead of the repository's `reference_data/regressions`, or `regressions` in the current folder
    /// if adapters take part
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Metamorphic {
    #[command(flatten)]
    pub(crate) draws: Draws,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Measure instead how much known deviations and rules let pass: right answers to random cases are spoiled in a dozen ways,
    /// and judged as if each backend had given them
    #[arg(long)]
    pub(crate) random: bool,

    /// Only this loss, by PyTorch's functional name; repeatable
    #[arg(long = "loss", value_name = "NAME", value_parser = loss(), hide_possible_values = true)]
    pub(crate) losses: Vec<LossKind>,

    /// How many random cases to draw of each loss [default: 400, with `--random` 4000]
    #[arg(long, value_name = "N")]
    pub(crate) cases: Option<usize>,

    /// What they are drawn from: the same seed gives the same cases
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub(crate) seed: u64,

    /// Name every mutant, not only those that a check misses
    #[arg(long)]
    pub(crate) all: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Accuracy {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Only this dtype: f16, bf16, f32 or f64; repeatable
    #[arg(long = "dtype", value_name = "NAME", value_parser = float())]
    pub(crate) dtypes: Vec<DType>,

    /// Go through all numbers of f32, too, where a loss is one of a single number (hours)
    #[arg(long)]
    pub(crate) exhaustive: bool,

    /// How many random cases to draw of each loss and dtype
    #[arg(long, default_value_t = 2000, value_name = "N")]
    samples: usize,

    /// From how many of the worst of them, for each output, to search for worse ones
    #[arg(long, default_value_t = 3, value_name = "N")]
    restarts: usize,

    /// In how many steps each
    #[arg(long, default_value_t = 150, value_name = "N")]
    steps: usize,

    /// Keep what is found in this folder, part by part, and take from it what has been found before
    #[arg(long, value_name = "FOLDER")]
    pub(crate) results: Option<PathBuf>,

    /// Do only the i-th of n shares of the work, such as 2/4
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    pub(crate) shard: Shard,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl Accuracy {
    pub(crate) fn budget(&self) -> SearchBudget {
        let &Self { samples, restarts, steps, .. } = self;
        SearchBudget { samples, restarts, steps }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// The older version of PyTorch, such as 2.2.2
    pub(crate) from: PytorchVersion,

    /// The newer version of PyTorch, such as 2.15.0
    pub(crate) to: PytorchVersion,

    /// Only this loss, by PyTorch's functional name; repeatable
    #[arg(long = "loss", value_name = "NAME", value_parser = loss(), hide_possible_values = true)]
    pub(crate) losses: Vec<LossKind>,

    /// Print of each change the smallest case, why it came, and Python that shows it
    #[arg(long)]
    pub(crate) examples: bool,

    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The folder of `accuracy --results`, whose rows take the place of those in the `accuracy.json` that is there
    #[arg(long, value_name = "FOLDER")]
    pub(crate) accuracy: Option<PathBuf>,

    /// Where to write, instead of the repository's `reports`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// Returns where the errors are measured that decide.
pub(crate) fn measured_at(strict: bool) -> MeasuredAt {
    if strict { MeasuredAt::ExactNumber } else { MeasuredAt::ErrorScale }
}

/// A dtype of floating-point numbers.
fn float() -> impl TypedValueParser<Value = DType> {
    PossibleValuesParser::new(DType::FLOATS.map(DType::name))
        .map(|name| name.parse().expect("one of the possible values"))
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    pub(crate) columns: Columns,

    /// Only this loss, by PyTorch's functional name; repeatable
    #[arg(long = "loss", value_name = "NAME", value_parser = loss(), hide_possible_values = true)]
    pub(crate) losses: Vec<LossKind>,
}

/// What is judged.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Columns {
    /// Only this backend; repeatable
    #[arg(long = "backend", value_name = "NAME", value_parser = backends::parse)]
    pub(crate) backends: Vec<String>,

    /// Only this adapter, a program in any language: its name and the command that starts it, or its name in `losscheck.toml`;
    /// repeatable. See docs/protocol.md
    #[arg(long = "adapter", value_name = "NAME[=COMMAND]", value_parser = adapters::parse)]
    pub(crate) adapters: Vec<adapters::Chosen>,

    /// How many processes of each adapter answer at the same time [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Ask an adapter the cases, too, that its known deviations say may damage the memory of its process: last, and alone
    #[arg(long)]
    pub(crate) dangerous: bool,
}

impl Columns {
    /// The arguments that choose adapters, each after a space.
    pub(crate) fn adapters(&self) -> String {
        self.adapters.iter().map(|adapter| format!(" --adapter {}", quoted(&adapter.argument()))).collect()
    }

    /// The arguments that choose the columns, each after a space.
    pub(crate) fn arguments(&self) -> String {
        let backends = self.backends.iter().map(|backend| format!(" --backend {backend}"));
        let adapters = [self.adapters()];
        let jobs = self.jobs.iter().map(|jobs| format!(" --jobs {jobs}"));
        let dangerous = self.dangerous.then(|| " --dangerous".to_owned());
        backends.chain(adapters).chain(jobs).chain(dangerous).collect()
    }
}

impl Selection {
    /// The losses asked for; all where none is.
    pub(crate) fn losses(&self) -> Vec<LossKind> {
        chosen(&self.losses)
    }
}

/// The losses of these; all where there are none.
pub(crate) fn chosen(losses: &[LossKind]) -> Vec<LossKind> {
    let wanted = |loss: &LossKind| losses.is_empty() || losses.contains(loss);
    LossKind::ALL.iter().copied().filter(wanted).collect()
}

fn loss() -> impl TypedValueParser<Value = LossKind> {
    PossibleValuesParser::new(LossKind::ALL.iter().map(|loss| loss.name()))
        .map(|name| name.parse().expect("one of the possible values"))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs: one document, whose fields are only ever added to
    Json,
}
