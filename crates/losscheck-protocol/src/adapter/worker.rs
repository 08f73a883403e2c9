//! One process after another that answers cases.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use losscheck::backend::{Backend, Outcome};

use super::process::{Event, Process};
use super::{Settings, Task, Work};
use crate::PROTOCOL;
use crate::export::{line, question, signature};
use crate::message::{Bye, Greeting, Hello, Reply, Request};
use crate::recording;

/// How long an adapter may take to end when there is nothing more to do.
const TO_LEAVE: Duration = Duration::from_secs(5);
/// How many times its limit a case may take that is reported as busy again and again.
const LONGEST: u32 = 10;

/// How many processes all adapters have started: the number of the next one.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Answers cases by a process, and starts another one when that breaks.
#[derive(Debug)]
pub(super) struct Worker {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    /// The number of the process among those that losscheck has started.
    number: usize,
    /// How many cases it has answered.
    answered: usize,
    /// What it has compiled, if it compiles.
    signatures: HashSet<String>,
}

/// Why a process cannot go on.
#[derive(Clone, Debug)]
pub(super) enum Death {
    /// It ended, and how.
    Crashed(String),
    /// It did not answer for so long.
    TimedOut(Duration),
    /// It does not keep to the protocol, and how.
    Broke(String),
}

impl Death {
    /// Returns what becomes of a case at which a process dies whenever it is asked.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Crashed(how) => Outcome::Crashed(how),
            Self::TimedOut(after) => Outcome::TimedOut(after),
            Self::Broke(how) => Outcome::Failed(how),
        }
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Crashed(how) | Self::Broke(how) => f.write_str(how),
            Self::TimedOut(after) => write!(f, "no answer within {} s", after.as_secs_f64()),
        }
    }
}

/// Why not all cases were answered.
#[derive(Debug)]
enum Interruption {
    /// No process can be started, and why.
    Start(String),
    /// The process died before it answered these cases.
    Death(Death, Vec<Task>),
    /// The process said that it is of no use any more, before it answered these cases.
    Poisoned(Vec<Task>),
}

/// A case without an answer.
struct Asked {
    task: Task,
    limit: Duration,
}

/// When the oldest case without an answer has to have one.
struct Deadline {
    at: Instant,
    /// However often the adapter says that it is busy.
    at_most: Instant,
    limit: Duration,
}

impl Deadline {
    fn of(asked: Option<&Asked>) -> Self {
        let (now, limit) = (Instant::now(), asked.map_or(Duration::ZERO, |asked| asked.limit));
        Self { at: now + limit, at_most: now + limit * LONGEST, limit }
    }

    fn extend(&mut self) {
        self.at = (Instant::now() + self.limit).min(self.at_most);
    }
}

impl Worker {
    /// Returns a worker without a process, which starts one when it has a case.
    pub(super) fn new() -> Self {
        Self { running: None }
    }

    /// Starts a process, and returns the worker with the process's hello.
    pub(super) fn start(settings: &Settings) -> Result<(Self, Hello), String> {
        let (running, hello) = Running::start(settings)?;
        Ok((Self { running: Some(running) }, hello))
    }

    /// Answers cases until there are no more.
    ///
    /// When the process dies, the cases that it had not answered are asked again, one by one, of new processes. A death that
    /// recurs is what becomes of the case.
    pub(super) fn work(&mut self, work: &Work<'_>) {
        let mut again: VecDeque<Task> = VecDeque::new();
        loop {
            let interruption = self.ask(work, &mut || again.pop_front().or_else(|| work.next()), work.window);
            let (death, unanswered) = match interruption {
                Ok(()) => return,
                Err(Interruption::Start(message)) => return work.stop(message),
                Err(Interruption::Poisoned(unanswered)) => {
                    again.extend(unanswered);
                    continue;
                }
                Err(Interruption::Death(death, unanswered)) => (death, unanswered),
            };
            let mut recurs = false;
            let suspects: Vec<usize> = unanswered.iter().map(|task| task.n).collect();
            for task in unanswered {
                let mut once = Some(task);
                match self.ask(work, &mut || once.take(), 1) {
                    Ok(()) => {}
                    Err(Interruption::Start(message)) => return work.stop(message),
                    // It has been answered: as the failure that it was.
                    Err(Interruption::Poisoned(_)) => {}
                    Err(Interruption::Death(death, _)) => {
                        recurs = true;
                        work.died(task, death);
                    }
                }
            }
            if !recurs {
                work.unsteady(&suspects, &death);
            }
        }
    }

    /// Asks cases, so many at once, until there are no more and all are answered.
    fn ask(
        &mut self,
        work: &Work<'_>,
        next: &mut dyn FnMut() -> Option<Task>,
        window: usize,
    ) -> Result<(), Interruption> {
        let mut asked: VecDeque<Asked> = VecDeque::new();
        let mut deadline = Deadline::of(None);
        loop {
            while asked.len() < window
                && !work.is_stopped()
                && let Some(task) = next()
            {
                let running = match &mut self.running {
                    Some(running) => running,
                    running => {
                        let (started, _) = work.start().map_err(Interruption::Start)?;
                        running.insert(started)
                    }
                };
                let limit = running.ask(task, work);
                asked.push_back(Asked { task, limit });
                if asked.len() == 1 {
                    deadline = Deadline::of(asked.front());
                }
            }
            let (Some(oldest), Some(running)) = (asked.front().map(|asked| asked.task), &mut self.running) else {
                return Ok(());
            };
            let death = match running.hear(work, oldest, &mut deadline) {
                Ok(None) => continue,
                Ok(Some(poisoned)) => {
                    asked.pop_front();
                    deadline = Deadline::of(asked.front());
                    if !poisoned {
                        continue;
                    }
                    self.leave(true);
                    return Err(Interruption::Poisoned(asked.into_iter().map(|asked| asked.task).collect()));
                }
                Err(death) => death,
            };
            self.running = None;
            return Err(Interruption::Death(death, asked.into_iter().map(|asked| asked.task).collect()));
        }
    }

    /// Lets the process end, and returns how it did. It is told so, or its input ends.
    pub(super) fn leave(&mut self, with_bye: bool) -> Option<String> {
        let mut running = self.running.take()?;
        if with_bye {
            running.process.send(line(&Request::Bye(Bye {})));
        }
        Some(running.process.end(TO_LEAVE))
    }

    /// Ends the process as a crash would.
    pub(super) fn kill(&mut self) {
        if let Some(running) = &mut self.running {
            running.process.kill();
        }
    }

    /// Stops the process, as if it hung. Returns whether the system can.
    pub(super) fn suspend(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.process.suspend())
    }
}

impl Running {
    fn start(settings: &Settings) -> Result<(Self, Hello), String> {
        let command = settings.command.join(" ");
        let mut process =
            Process::start(&settings.command).map_err(|error| format!("`{command}` cannot be started: {error}"))?;
        let greeting = Greeting { protocol: PROTOCOL, losscheck: env!("CARGO_PKG_VERSION").to_owned(), cases: None };
        process.send(line(&Request::Hello(greeting)));
        let deadline = Instant::now() + settings.start;
        let hello = match process.next(deadline) {
            Event::Line(text) => recording::first(&text),
            Event::Rubbish(what) => Err(format!("found {what}")),
            Event::Silence => match process.unfinished() {
                0 => Err(format!("no hello within {} s", settings.start.as_secs_f64())),
                bytes => Err(unflushed(bytes, settings.start)),
            },
            Event::End => Err(process.ended()),
        };
        match hello {
            Ok(hello) => {
                let number = STARTED.fetch_add(1, Ordering::Relaxed);
                Ok((Self { process, number, answered: 0, signatures: HashSet::new() }, hello))
            }
            Err(message) => {
                process.end(Duration::ZERO);
                Err(with_errors(format!("`{command}` does not start: {message}"), &mut process))
            }
        }
    }

    /// Asks a case, and returns how long the answer may take.
    fn ask(&mut self, task: Task, work: &Work<'_>) -> Duration {
        let case = work.cases[task.n];
        let mut question = question(task.n, case, work.adapter.hello.encoding);
        question.want.retain(|input| work.adapter.has_gradient(case.loss.kind(), input));
        self.process.send(line(&Request::Case(Box::new(question))));
        let is_first = self.signatures.insert(signature(case));
        if is_first { work.limits.first } else { work.limits.case }
    }

    /// Takes the next thing that the process does. Returns whether it is poisoned if it has answered the case, and nothing if
    /// it is still at work.
    fn hear(&mut self, work: &Work<'_>, oldest: Task, deadline: &mut Deadline) -> Result<Option<bool>, Death> {
        let text = match self.process.next(deadline.at) {
            Event::Line(text) => text,
            Event::Rubbish(what) => return Err(self.broke(format!("expected a line, found {what}"))),
            Event::Silence => {
                return Err(match self.process.unfinished() {
                    0 => Death::TimedOut(deadline.limit),
                    bytes => self.broke(unflushed(bytes, deadline.limit)),
                });
            }
            Event::End => {
                let how = self.process.ended();
                return Err(Death::Crashed(with_errors(how, &mut self.process)));
            }
        };
        let reply = recording::reply(&text).map_err(|message| self.broke(message))?;
        let is_poisoned = match &reply {
            Reply::Busy(busy) => {
                deadline.extend();
                work.busy(busy.stage.as_deref());
                return Ok(None);
            }
            Reply::Failed(failed) => failed.poisoned,
            _ => false,
        };
        let n = match recording::number(&reply) {
            Some(n) if n == oldest.n => n,
            Some(n) => return Err(self.broke(format!("expected the answer to case {}, found one to {n}", oldest.n))),
            None => return Err(self.broke(format!("expected the answer to case {}, found `{text}`", oldest.n))),
        };
        let outcome = recording::outcome(reply, work.adapter.hello.changes_inputs)
            .unwrap_or_else(|message| Outcome::Failed(format!("the answer cannot be read: {message}")));
        work.answered(n, outcome, (&text, self.number, self.answered));
        self.answered += 1;
        Ok(Some(is_poisoned))
    }

    fn broke(&mut self, message: String) -> Death {
        Death::Broke(with_errors(message, &mut self.process))
    }
}

impl Work<'_> {
    /// Starts a process in place of one that is no more: at the second attempt, if not at the first.
    fn start(&self) -> Result<(Running, Hello), String> {
        Running::start(self.settings).or_else(|_| Running::start(self.settings))
    }
}

/// Says that a line has no end.
fn unflushed(bytes: usize, after: Duration) -> String {
    format!("{bytes} bytes and no line feed within {} s: does the adapter flush each line?", after.as_secs_f64())
}

/// Adds the last lines that a process wrote to its standard error.
fn with_errors(message: String, process: &mut Process) -> String {
    let errors = process.errors();
    let lines: Vec<&str> = errors.lines().collect();
    match lines[lines.len().saturating_sub(3)..].join("\n") {
        last if last.is_empty() => message,
        last => format!("{message}; the end of its standard error: {last}"),
    }
}
