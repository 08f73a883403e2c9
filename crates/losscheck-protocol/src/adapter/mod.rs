//! Adapters that run: programs that answer cases one after the other.

mod process;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use losscheck::backend::{Backend, Coverage, Outcome, PytorchVersion};
use losscheck::case::Case;
use losscheck::loss::LossKind;
use serde_json::{Value, json};

use crate::export::{self, Export};
use crate::message::{Crashed, Failed, Hello, Profile, Reply, TimedOut};
use crate::recording::{self, Recording};
use crate::tensor::Encoding;
use worker::{Death, Worker};

/// How many deaths that are not known end a run.
pub const DEATHS: usize = 20;
/// How many cases an adapter has at once that does not say how many it wants.
const WINDOW: usize = 8;
/// How many cases with the same signature one process takes before it looks at what another has left.
const GROUP: usize = 32;

/// Says whether it is known that a case becomes this.
pub type IsKnown = Box<dyn Fn(&Case, &Outcome) -> bool + Send + Sync>;

/// How to run an adapter.
pub struct Settings {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How many processes answer cases at the same time.
    pub jobs: usize,
    /// How long a process may take to say hello.
    pub start: Duration,
    /// How long the first case of a signature may take, instead of what the adapter says.
    pub first: Option<Duration>,
    /// How long any other case may take, instead of what the adapter says.
    pub case: Option<Duration>,
    /// The file of the known deviations, unless it is among those that losscheck comes with.
    pub deviations: Option<PathBuf>,
    /// Whether a case may damage the memory of the process. Such cases are asked last, each of a process of its own, and only if
    /// `dangerous` is set.
    pub corrupts_memory: Box<dyn Fn(&Case) -> bool + Send + Sync>,
    /// Whether to ask cases that may damage the memory of the process.
    pub dangerous: bool,
    /// Whether a case is known to become this: such deaths are not counted.
    pub is_known: IsKnown,
}

impl Settings {
    /// Returns the settings that hold if nothing else is said.
    #[must_use]
    pub fn new(command: Vec<String>) -> Self {
        let is_known = Box::new(|_: &Case, _: &Outcome| false);
        let corrupts_memory = Box::new(|_: &Case| false);
        Self {
            corrupts_memory,
            dangerous: false,
            command,
            jobs: 1,
            start: Duration::from_secs(120),
            first: None,
            case: None,
            deviations: None,
            is_known,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("command", &self.command).field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// An adapter that runs, as a backend.
#[derive(Debug)]
pub struct Adapter {
    settings: Settings,
    /// What the adapter said first, under the name of its column.
    hello: Hello,
    pytorch: PytorchVersion,
    idle: Mutex<Vec<Worker>>,
    is_idle: Condvar,
    deaths: AtomicUsize,
    unsteady: Mutex<Vec<Unsteady>>,
    stopped: OnceLock<String>,
}

/// A death that did not recur when its cases were asked again one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsteady {
    /// The cases that the process had not answered.
    pub cases: Vec<String>,
    /// How the process died.
    pub how: String,
}

/// What happens while an adapter answers cases.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A case has an answer of some kind.
    Answered,
    /// The adapter is at work, and at what, if it says so.
    Busy(Option<&'a str>),
}

impl Adapter {
    /// Starts an adapter, whose column has this name.
    ///
    /// # Errors
    ///
    /// Returns why it does not start, or does not say hello in the protocol.
    pub fn start(name: &str, settings: Settings) -> Result<Self, String> {
        let (worker, hello) = Worker::start(&settings)?;
        let hello = Hello { name: name.to_owned(), ..hello };
        let pytorch = recording::pytorch(&hello)?;
        let mut idle = vec![worker];
        idle.resize_with(settings.jobs.max(1), Worker::new);
        Ok(Self {
            settings,
            hello,
            pytorch,
            idle: Mutex::new(idle),
            is_idle: Condvar::new(),
            deaths: AtomicUsize::new(0),
            unsteady: Mutex::default(),
            stopped: OnceLock::new(),
        })
    }

    /// Returns what the adapter said of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Returns the selection of cases that the adapter is made for.
    pub fn profile(&self) -> Option<Profile> {
        self.hello.profile
    }

    /// Returns the deaths that did not recur.
    pub fn unsteady(&self) -> Vec<Unsteady> {
        lock(&self.unsteady).clone()
    }

    /// Returns why no more cases are asked, if that is so.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    /// Asks all cases that the adapter provides, in the order of their signatures, and returns the answers as a backend.
    /// `record` gets every line as it comes, as [`Recording::read`] reads it.
    ///
    /// # Errors
    ///
    /// Returns an error if the record cannot be written.
    pub fn run(
        &self,
        cases: &[Case],
        record: Option<&Record>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> io::Result<Recording> {
        if let Some(record) = record {
            let hash = Export::new(cases, Encoding::Bits).hash;
            let hello = Hello { cases: Some(hash), ..self.hello.clone() };
            writeln!(lock(record), "{}", json!({"hello": hello}))?;
        }
        let cases: Vec<&Case> = cases.iter().collect();
        let outcomes = self.ask(&cases, record, progress)?;
        let ids = cases.iter().map(|case| case.id.clone());
        let recording = Recording::new(self.hello.clone(), self.pytorch, ids.zip(outcomes).collect());
        Ok(recording.with_deviations(self.settings.deviations.clone()))
    }

    /// Asks some cases, and returns an outcome for each.
    fn ask(
        &self,
        cases: &[&Case],
        record: Option<&Record>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> io::Result<Vec<Outcome>> {
        let Settings { corrupts_memory, dangerous, .. } = &self.settings;
        let mut missing: Vec<Option<String>> = cases.iter().map(|case| recording::gap(&self.hello, case)).collect();
        let mut groups: BTreeMap<String, Vec<Task>> = BTreeMap::new();
        let mut last = Vec::new();
        for (n, case) in cases.iter().enumerate() {
            match (&missing[n], corrupts_memory(case)) {
                (None, false) => groups.entry(export::signature(case)).or_default().push(Task { n }),
                (None, true) if *dangerous => last.push(Task { n }),
                (None, true) => {
                    missing[n] = Some("it is known to damage memory: --dangerous asks it".to_owned());
                    progress(Progress::Answered);
                }
                (Some(_), _) => progress(Progress::Answered),
            }
        }
        let groups = groups.into_values().flat_map(|group| {
            group.chunks(GROUP).map(|tasks| tasks.iter().copied().collect::<VecDeque<_>>()).collect::<Vec<_>>()
        });
        let queue = Mutex::new(groups.collect::<VecDeque<_>>());
        let jobs = self.settings.jobs.max(1).min(lock(&queue).len());
        let answers = Mutex::new(Answers { outcomes: vec![None; cases.len()], error: None });
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    let mut worker = self.take();
                    worker.work(&Work::new(self, cases, &queue, (&answers, record), progress));
                    self.give(worker);
                });
            }
        });
        for task in last {
            let queue = Mutex::new(VecDeque::from([VecDeque::from([task])]));
            let mut worker = self.take();
            worker.leave(true);
            worker.work(&Work::new(self, cases, &queue, (&answers, record), progress));
            worker.leave(true);
            self.give(worker);
        }
        let Answers { outcomes, error, .. } = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error {
            return Err(error);
        }
        let outcome = |(outcome, missing): (Option<Outcome>, Option<String>)| match (outcome, missing) {
            (Some(outcome), _) => outcome,
            (None, Some(why)) => Outcome::NotProvided(why),
            (None, None) => Outcome::NotProvided("the adapter was stopped before".to_owned()),
        };
        Ok(outcomes.into_iter().zip(missing).map(outcome).collect())
    }

    /// Ends the processes as a crash would, at a time when they have nothing to do.
    pub fn kill(&self) {
        lock(&self.idle).iter_mut().for_each(Worker::kill);
    }

    /// Stops the processes, as if they hung, at a time when they have nothing to do. Returns whether the system can.
    pub fn suspend(&self) -> bool {
        lock(&self.idle).iter().any(Worker::suspend)
    }

    /// Tells the processes to end, by a last message or by the end of their input, and returns how they did.
    pub fn leave(&self, with_bye: bool) -> Vec<String> {
        lock(&self.idle).iter_mut().filter_map(|worker| worker.leave(with_bye)).collect()
    }

    /// Waits for a worker.
    fn take(&self) -> Worker {
        let mut idle = lock(&self.idle);
        loop {
            match idle.pop() {
                Some(worker) => return worker,
                None => idle = self.is_idle.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn give(&self, worker: Worker) {
        lock(&self.idle).push(worker);
        self.is_idle.notify_one();
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        for worker in lock(&self.idle).iter_mut() {
            worker.leave(true);
        }
    }
}

impl Backend for Adapter {
    fn name(&self) -> &str {
        &self.hello.name
    }

    fn version(&self) -> String {
        recording::version(&self.hello)
    }

    fn pytorch(&self) -> PytorchVersion {
        self.pytorch
    }

    fn deviations(&self) -> Option<&Path> {
        self.settings.deviations.as_deref()
    }

    fn has_gradient(&self, loss: LossKind, input: &str) -> bool {
        recording::has_gradient(&self.hello, loss, input)
    }

    fn coverage(&self, loss: LossKind) -> Coverage {
        recording::coverage(&self.hello, loss)
    }

    fn evaluate(&self, case: &Case) -> Outcome {
        self.evaluate_many(&[case]).pop().unwrap_or_else(|| Outcome::Failed("there is no answer".to_owned()))
    }

    fn evaluate_many(&self, cases: &[&Case]) -> Vec<Outcome> {
        self.ask(cases, None, &|_| {}).unwrap_or_default()
    }
}

/// A case to ask.
#[derive(Clone, Copy, Debug)]
struct Task {
    /// The position of the case.
    n: usize,
}

/// What has been answered.
struct Answers {
    outcomes: Vec<Option<Outcome>>,
    /// Why the record cannot be written.
    error: Option<io::Error>,
}

/// Where the record of a run is written.
pub type Record = Mutex<Box<dyn Write + Send>>;

/// Some cases, and where their answers go.
struct Work<'a> {
    adapter: &'a Adapter,
    settings: &'a Settings,
    cases: &'a [&'a Case],
    queue: &'a Mutex<VecDeque<VecDeque<Task>>>,
    /// The cases with one signature that this worker is at.
    group: Mutex<VecDeque<Task>>,
    answers: &'a Mutex<Answers>,
    record: Option<&'a Record>,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
    window: usize,
    limits: Limits,
}

/// How long a case may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    first: Duration,
    case: Duration,
}

impl<'a> Work<'a> {
    fn new(
        adapter: &'a Adapter,
        cases: &'a [&'a Case],
        queue: &'a Mutex<VecDeque<VecDeque<Task>>>,
        (answers, record): (&'a Mutex<Answers>, Option<&'a Record>),
        progress: &'a (dyn Fn(Progress<'_>) + Sync),
    ) -> Self {
        let (hello, settings) = (&adapter.hello, &adapter.settings);
        let limit = |own: Option<Duration>, said: Option<f64>, otherwise: u64| {
            let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            own.or(said).unwrap_or(Duration::from_secs(otherwise))
        };
        Self {
            adapter,
            settings,
            cases,
            queue,
            group: Mutex::default(),
            answers,
            record,
            progress,
            window: hello.window.map_or(WINDOW, usize::from),
            limits: Limits {
                first: limit(settings.first, hello.limits.first, 60),
                case: limit(settings.case, hello.limits.case, 10),
            },
        }
    }

    /// Returns the next case to ask.
    fn next(&self) -> Option<Task> {
        let mut group = lock(&self.group);
        if group.is_empty() {
            *group = lock(self.queue).pop_front()?;
        }
        group.pop_front()
    }

    fn is_stopped(&self) -> bool {
        self.adapter.stopped.get().is_some() || lock(self.answers).error.is_some()
    }

    /// Asks no more cases.
    fn stop(&self, why: String) {
        let _ = self.adapter.stopped.set(why);
    }

    fn busy(&self, stage: Option<&str>) {
        (self.progress)(Progress::Busy(stage));
    }

    /// Takes an answer, with its line, the number of its process, and how many that had answered before.
    fn answered(&self, n: usize, outcome: Outcome, (text, process, position): (&str, usize, usize)) {
        let written = |record: &mut dyn Write| {
            let mut reply: Value = serde_json::from_str(text)?;
            if let Some(fields) = reply.as_object_mut().and_then(|reply| reply.values_mut().next()?.as_object_mut()) {
                fields.insert("process".to_owned(), process.into());
                fields.insert("position".to_owned(), position.into());
            }
            writeln!(record, "{reply}")
        };
        self.take(n, outcome, written);
    }

    /// Takes the death of a process that was asked this case alone, for the second time.
    fn died(&self, Task { n }: Task, death: Death) {
        let outcome = death.clone().outcome();
        let case = self.cases[n];
        if !(self.settings.is_known)(case, &outcome) {
            let deaths = self.adapter.deaths.fetch_add(1, Ordering::Relaxed) + 1;
            if deaths >= DEATHS {
                self.stop(format!("it died {deaths} times, the last time at {}: {death}", case.id));
            }
        }
        let reply = match &outcome {
            Outcome::TimedOut(after) => Reply::TimedOut(TimedOut { n, seconds: after.as_secs_f64() }),
            Outcome::Crashed(message) => Reply::Crashed(Crashed { n, message: message.clone() }),
            _ => Reply::Failed(Failed { n, message: death.to_string(), ..Failed::default() }),
        };
        self.take(n, outcome, |record| writeln!(record, "{}", json!(reply)));
    }

    fn take(&self, n: usize, outcome: Outcome, written: impl Fn(&mut dyn Write) -> io::Result<()>) {
        let mut answers = lock(self.answers);
        if let Some(record) = self.record
            && let Err(error) = written(&mut **lock(record))
        {
            answers.error.get_or_insert(error);
        }
        answers.outcomes[n] = Some(outcome);
        (self.progress)(Progress::Answered);
    }

    fn unsteady(&self, cases: &[usize], death: &Death) {
        let cases = cases.iter().map(|&n| self.cases[n].id.clone()).collect();
        lock(&self.adapter.unsteady).push(Unsteady { cases, how: death.to_string() });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
