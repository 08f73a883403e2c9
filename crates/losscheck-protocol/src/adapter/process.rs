//! The process of an adapter, as lines that go in and events that come out.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::sys::signal::Signal;
#[cfg(windows)]
use process_wrap::std::JobObject;
#[cfg(unix)]
use process_wrap::std::ProcessGroup;
use process_wrap::std::{ChildWrapper, CommandWrap};

/// The longest line that is read: enough for some million numbers.
const LONGEST_LINE: usize = 1 << 28;
/// How much of the standard error is kept.
const KEPT: usize = 1 << 16;
/// How many lines are read ahead. An adapter that floods its output waits then.
const READ_AHEAD: usize = 64;
/// How long a process may take to end after its output has.
const TO_END: Duration = Duration::from_secs(5);
/// How long it may take to read what a process that has ended wrote before.
const TO_READ: Duration = Duration::from_millis(500);

/// What a process does.
#[derive(Debug)]
pub(super) enum Event {
    /// It writes a line.
    Line(String),
    /// It writes what is no line of text, and why.
    Rubbish(String),
    /// It has closed its output.
    End,
    /// It has done nothing of this until the deadline.
    Silence,
}

/// A running adapter. When it is dropped, it is ended with every process that it has started.
#[derive(Debug)]
pub(super) struct Process {
    child: Box<dyn ChildWrapper>,
    /// Lines to write. A thread writes them, so that a full pipe does not keep anybody from reading.
    input: Option<Sender<String>>,
    output: Receiver<Event>,
    /// How many bytes have come without the end of their line.
    unfinished: Arc<AtomicUsize>,
    errors: Arc<Mutex<VecDeque<u8>>>,
    /// The thread that reads the standard error.
    reads_errors: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program.
    pub(super) fn start(command: &[String]) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = CommandWrap::from(command);
        #[cfg(unix)]
        command.wrap(ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(JobObject);
        let mut child = command.spawn()?;

        let (input, lines) = mpsc::channel();
        if let Some(pipe) = child.stdin().take() {
            thread::spawn(move || write(pipe, lines));
        }
        let (events, output) = mpsc::sync_channel(READ_AHEAD);
        let unfinished = Arc::new(AtomicUsize::new(0));
        if let Some(pipe) = child.stdout().take() {
            let unfinished = Arc::clone(&unfinished);
            thread::spawn(move || read(pipe, &events, &unfinished));
        }
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let reads_errors = child.stderr().take().map(|pipe| {
            let errors = Arc::clone(&errors);
            thread::spawn(move || keep(pipe, &errors))
        });
        Ok(Self { child, input: Some(input), output, unfinished, errors, reads_errors })
    }

    /// Sends a line, which ends with a line feed. If the process does not read it, its output tells why.
    pub(super) fn send(&self, line: String) {
        if let Some(input) = &self.input {
            let _ = input.send(line);
        }
    }

    /// Closes the standard input of the process, after what has been sent.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Returns what the process does next, or its silence until the deadline.
    pub(super) fn next(&self, deadline: Instant) -> Event {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Silence,
            Err(RecvTimeoutError::Disconnected) => Event::End,
        }
    }

    /// Returns how many bytes of a line have come, without its end.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished.load(Ordering::Relaxed)
    }

    /// Ends the process and what it has started, unless it ends by itself, and returns how it ended.
    pub(super) fn end(&mut self, patience: Duration) -> String {
        self.close_input();
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    // What it has started may live on.
                    let _ = self.child.start_kill();
                    return described(status);
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) => break,
                Err(error) => return error.to_string(),
            }
        }
        match self.child.kill() {
            Ok(()) => "ended by losscheck".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the process as a crash would, without waiting for that.
    pub(super) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    /// Stops the process, so that it does nothing any more until it is ended. Returns whether the system can.
    pub(super) fn suspend(&self) -> bool {
        #[cfg(unix)]
        return self.child.signal(Signal::SIGSTOP as i32).is_ok();
        #[cfg(not(unix))]
        return false;
    }

    /// Returns how a process ended that has closed its output.
    pub(super) fn ended(&mut self) -> String {
        self.end(TO_END)
    }

    /// Returns the end of what the process wrote to its standard error: all of that, if the process has ended.
    pub(super) fn errors(&mut self) -> String {
        let deadline = Instant::now() + TO_READ;
        // A process that this one has started may still have the other end of the pipe.
        let is_reading = |thread: &JoinHandle<()>| !thread.is_finished() && Instant::now() < deadline;
        while matches!(self.child.try_wait(), Ok(Some(_))) && self.reads_errors.as_ref().is_some_and(is_reading) {
            thread::sleep(Duration::from_millis(1));
        }
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(errors.make_contiguous()).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Says how a process ended.
fn described(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match Signal::try_from(signal) {
            Ok(name) => format!("ended by signal {signal} ({name})"),
            Err(_) => format!("ended by signal {signal}"),
        };
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended".to_owned(),
    }
}

/// Writes lines until there are no more, or the pipe is closed.
fn write(mut pipe: ChildStdin, lines: Receiver<String>) {
    for line in lines {
        if pipe.write_all(line.as_bytes()).and_then(|()| pipe.flush()).is_err() {
            return;
        }
    }
}

/// Reads lines until the pipe is closed, or nobody wants them any more.
fn read(mut pipe: impl Read, events: &SyncSender<Event>, unfinished: &AtomicUsize) {
    let (mut line, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut rest = &chunk[..read];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let event = match String::from_utf8(std::mem::take(&mut line)) {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => Event::Line(text),
                Err(error) => Event::Rubbish(error.to_string()),
            };
            if events.send(event).is_err() {
                return;
            }
        }
        line.extend_from_slice(rest);
        unfinished.store(line.len(), Ordering::Relaxed);
        if line.len() > LONGEST_LINE {
            let _ = events.send(Event::Rubbish(format!("a line of more than {LONGEST_LINE} bytes")));
            return;
        }
    }
    let event = match line.is_empty() {
        true => Event::End,
        false => Event::Rubbish(format!("{} bytes without the end of their line, and then the end", line.len())),
    };
    let _ = events.send(event);
}

/// Keeps the last of what a process writes.
fn keep(mut pipe: impl Read, kept: &Mutex<VecDeque<u8>>) {
    let mut chunk = [0; 1 << 12];
    while let Ok(read @ 1..) = pipe.read(&mut chunk) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&chunk[..read]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}
