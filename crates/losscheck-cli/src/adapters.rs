//! Adapters that the user names: on the command line, or in `losscheck.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstream::eprintln;
use indicatif::ProgressBar;
use losscheck::backend::{Backend, Outcome};
use losscheck::case::Case;
use losscheck::data::DataFolder;
use losscheck::deviations::{PYTORCH, Policy, Scope};
use losscheck::judge::judge_failure;
use losscheck::run::conformance::EXPECTED;
use losscheck_protocol::adapter::{Adapter, Progress, Record, Settings, Unsteady};
use serde::Deserialize;

use crate::args::Columns;
use crate::failure::Failure;
use crate::style::NOTE;
use crate::table::counted;
use crate::{backends, progress};

/// The file that lists adapters, in the folder in which the program is started.
const FILE: &str = "losscheck.toml";

/// An adapter that is asked for on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    name: String,
    /// The command that starts it, as a shell takes it; without one, it is that in the file.
    command: Option<String>,
}

impl Chosen {
    /// The argument that chooses it.
    pub(crate) fn argument(&self) -> String {
        match &self.command {
            Some(command) => format!("{}={command}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Reads the argument of `--adapter`.
pub(crate) fn parse(text: &str) -> Result<Chosen, String> {
    let (name, command) = match text.split_once('=') {
        Some((name, command)) => (name, Some(command.to_owned())),
        None => (text, None),
    };
    is_free(name)?;
    if let Some(command) = &command {
        words(command)?;
    }
    Ok(Chosen { name: name.to_owned(), command })
}

/// Checks that a name can be that of a column.
fn is_free(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("expected a name of letters, digits, `-`, `_` and `.`, found `{name}`"));
    }
    let built_in = backends::backends();
    if backends::names(&built_in).into_iter().chain([PYTORCH, EXPECTED]).any(|taken| taken == name) {
        return Err(format!("`{name}` is the name of another column"));
    }
    Ok(())
}

/// Divides a command as a shell does.
fn words(command: &str) -> Result<Vec<String>, String> {
    match shlex::split(command) {
        Some(words) if !words.is_empty() => Ok(words),
        Some(_) => Err("expected a command, found nothing".to_owned()),
        None => Err(format!("expected a command as a shell takes it, found `{command}`, whose quotes are not closed")),
    }
}

/// The file that lists adapters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    adapters: BTreeMap<String, Listed>,
}

/// An adapter in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// What starts it.
    command: CommandLine,
    /// How many processes of it answer at the same time.
    jobs: Option<NonZeroUsize>,
    /// The file of its known deviations.
    deviations: Option<PathBuf>,
    #[serde(default)]
    limits: LimitsInSeconds,
}

/// A command, as a shell takes it or as its words.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum CommandLine {
    Text(String),
    Words(Vec<String>),
}

/// How long an adapter may take, in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsInSeconds {
    /// To say hello.
    start: Option<f64>,
    /// For the first case with its options, dtypes and shapes.
    first: Option<f64>,
    /// For any other case.
    case: Option<f64>,
}

impl File {
    /// Reads the file, if there is one.
    fn read() -> Result<Self, Failure> {
        let path = Path::new(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let bad = |what: String| Failure::Usage(format!("{FILE}: {what}"));
        let text = fs::read_to_string(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
        let file: Self = toml::from_str(&text).map_err(|error| bad(error.to_string().trim_end().to_owned()))?;
        for name in file.adapters.keys() {
            is_free(name).map_err(|message| bad(format!("`adapters`: {message}")))?;
        }
        Ok(file)
    }

    /// Returns how to run an adapter.
    fn settings(&self, Chosen { name, command }: &Chosen) -> Result<Settings, Failure> {
        let listed = self.adapters.get(name);
        let words = match (command, listed.map(|listed| &listed.command)) {
            (Some(text), _) | (None, Some(CommandLine::Text(text))) => words(text),
            (None, Some(CommandLine::Words(words))) => Ok(words.clone()),
            (None, None) => {
                Err(format!("the command is missing: write --adapter {name}='COMMAND', or list the adapter in {FILE}"))
            }
        };
        let bad = |message: String| Failure::Usage(format!("adapter {name}: {message}"));
        let mut settings = Settings::new(words.map_err(bad)?);
        let Some(Listed { jobs, deviations, limits, .. }) = listed else { return Ok(settings) };
        let limit = |name: &str, seconds: Option<f64>| {
            let limit = seconds.map(Duration::try_from_secs_f64).transpose();
            limit.map_err(|error| bad(format!("`limits.{name}` in {FILE}: {error}")))
        };
        settings.jobs = jobs.map_or(settings.jobs, NonZeroUsize::get);
        settings.deviations.clone_from(deviations);
        settings.start = limit("start", limits.start)?.unwrap_or(settings.start);
        settings.first = limit("first", limits.first)?;
        settings.case = limit("case", limits.case)?;
        Ok(settings)
    }
}

/// What is judged: backends of this build, and adapters that run.
pub(crate) struct Running {
    built_in: Vec<Box<dyn Backend>>,
    pub(crate) adapters: Vec<Adapter>,
}

impl Running {
    /// Starts the adapters that are asked for. If nothing is, all backends of this build and all adapters in the file are.
    pub(crate) fn start(columns: &Columns, scope: Scope, data: &DataFolder) -> Result<Self, Failure> {
        let file = File::read()?;
        let is_all = columns.backends.is_empty() && columns.adapters.is_empty();
        let listed = file.adapters.keys().filter(|_| is_all).map(|name| Chosen { name: name.clone(), command: None });
        let mut adapters: Vec<Adapter> = Vec::new();
        for chosen in listed.chain(columns.adapters.iter().cloned()) {
            let name = &chosen.name;
            if adapters.iter().any(|adapter| adapter.name() == name) {
                return Err(Failure::Usage(format!("adapter {name} is chosen twice")));
            }
            let mut settings = file.settings(&chosen)?;
            settings.jobs = columns.jobs.map_or(settings.jobs, NonZeroUsize::get);
            let record = settings.deviations.get_or_insert_with(|| data.deviations_file_of_adapter(name));
            let own = data.deviations_in(record)?;
            let policy = Policy::new(name, scope, own.clone());
            settings.is_known = Box::new(move |case: &Case, outcome: &Outcome| {
                let explained = policy.explain(case, &judge_failure(outcome));
                explained.iter().all(|explained| explained.known.is_some())
            });
            settings.corrupts_memory = Box::new(move |case: &Case| own.corrupts_memory(case));
            settings.dangerous = columns.dangerous;
            let started = Adapter::start(name, settings);
            adapters.push(started.map_err(|message| Failure::Usage(format!("adapter {name}: {message}")))?);
        }
        let built_in = if is_all { backends::backends() } else { backends::of_names(&columns.backends) };
        Ok(Self { built_in, adapters })
    }

    /// The columns as the library takes them: an adapter is asked each case when it comes up.
    pub(crate) fn backends(&self) -> Vec<&dyn Backend> {
        let adapters = self.adapters.iter().map(|adapter| adapter as &dyn Backend);
        self.built_in.iter().map(AsRef::as_ref).chain(adapters).collect()
    }

    /// Checks that every adapter takes cases that are not compiled beforehand.
    pub(crate) fn takes_any_case(&self) -> Result<(), Failure> {
        match self.adapters.iter().find(|adapter| adapter.profile().is_some()) {
            None => Ok(()),
            Some(adapter) => Err(Failure::Usage(format!(
                "adapter {} takes few cases only, because each has to be compiled: use `check`",
                adapter.name()
            ))),
        }
    }

    /// The columns, with what the adapters answer to these cases. They are asked now, in the order that suits them.
    pub(crate) fn answered(self, cases: &[Case], record: Option<&Path>) -> Result<Answered, Failure> {
        let mut columns = self.built_in;
        if record.is_some() && self.adapters.len() != 1 {
            let found = counted(self.adapters.len(), "adapter");
            return Err(Failure::Usage(format!("--record takes the answers of one adapter, but there are {found}")));
        }
        for adapter in &self.adapters {
            let name = adapter.name();
            let bar = progress::bar(cases.len(), "cases").with_prefix(format!("{name} "));
            let recording = match record {
                None => adapter.run(cases, None, &|progress| show(&bar, progress)),
                Some(file) => record_to(file)
                    .and_then(|record| adapter.run(cases, Some(&record), &|progress| show(&bar, progress))),
            };
            let recording = recording.map_err(|error| {
                let file = record.unwrap_or(Path::new("the record"));
                Failure::Usage(format!("{}: cannot be written: {error}", file.display()))
            })?;
            bar.finish_and_clear();
            columns.push(Box::new(recording));
        }
        Ok(Answered { columns, running: Self { built_in: Vec::new(), adapters: self.adapters } })
    }

    /// Returns whether an adapter was stopped, so that its last answers mean nothing.
    pub(crate) fn is_stopped(&self) -> bool {
        self.adapters.iter().any(|adapter| adapter.stopped().is_some())
    }

    /// Says which adapters died without its recurring.
    ///
    /// # Errors
    ///
    /// Returns an error if an adapter was stopped, so that not all cases have an answer.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        for adapter in &self.adapters {
            for Unsteady { cases, how } in adapter.unsteady() {
                let first = cases.first().map_or("no case", String::as_str);
                eprintln!("{NOTE}{}: unsteady at {first}, and not when asked again: {how}{NOTE:#}", adapter.name());
            }
        }
        let stopped = self.adapters.iter().find_map(|adapter| Some((adapter.name(), adapter.stopped()?)));
        match stopped {
            None => Ok(()),
            Some((name, why)) => {
                Err(Failure::Usage(format!("adapter {name} was stopped before it had answered all cases: {why}")))
            }
        }
    }
}

/// Columns that have answered some cases.
pub(crate) struct Answered {
    pub(crate) columns: Vec<Box<dyn Backend>>,
    pub(crate) running: Running,
}

fn record_to(file: &Path) -> std::io::Result<Record> {
    Ok(Record::new(Box::new(fs::File::create(file)?)))
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    match progress {
        Progress::Answered => {
            bar.set_message("cases");
            bar.inc(1);
        }
        Progress::Busy(stage) => bar.set_message(format!("cases ({})", stage.unwrap_or("busy"))),
    }
}
