//! Workers as processes: one process an assignment, one thread each, several side by side.
//!
//! In: the command that starts a worker (see [`serve`](crate::serve)). Out: a [`Runner`]. A worker that ends
//! without a verdict, however it ended, is reported as lost with its exit status and the last line it complained with;
//! one that says that the world is at fault ends the run. A worker dies with its giver: its standard input closes, and
//! dropping the pool kills those that are left. Signals of the terminal are for the giver alone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::EvolveError;
use crate::runner::{Assignment, Report, Runner};
use crate::worker::Line;

/// A pool of worker processes.
#[derive(Debug)]
pub struct ProcessPool {
    program: PathBuf,
    args: Vec<OsString>,
    workers: usize,
    /// By the number of the process, which unlike a ticket is never used again.
    busy: BTreeMap<u64, Busy>,
    started: u64,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

/// Ends the wait of a pool, from another thread.
#[derive(Clone, Debug)]
pub struct Stopper(Sender<Message>);

impl Stopper {
    /// The pool gives [`EvolveError::Stopped`] instead of its next report.
    pub fn stop(&self) {
        // A pool that is gone needs no stopping.
        let _ = self.0.send(Message::Stop);
    }
}

/// What a pool waits for.
#[derive(Debug)]
enum Message {
    /// From the process of that number.
    From(u64, Heard),
    /// Nobody wants the rest.
    Stop,
}

/// A worker at work.
#[derive(Debug)]
struct Busy {
    ticket: usize,
    child: Child,
    /// Open as long as the worker is wanted.
    _stdin: ChildStdin,
    complaint: JoinHandle<String>,
    error: Option<String>,
}

/// What is heard from a worker's standard output.
#[derive(Debug)]
enum Heard {
    Line(Line),
    /// Something else than a line of the protocol.
    Noise(String),
    End,
}

impl ProcessPool {
    /// A pool of at most `workers` processes at once, each started as `program` with `args`.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<OsString>, workers: usize) -> Self {
        let (sender, receiver) = channel();
        Self { program, args, workers, busy: BTreeMap::new(), started: 0, sender, receiver }
    }

    /// What ends this pool's wait.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.sender.clone())
    }

    fn start(&self) -> Result<Child, EvolveError> {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        // Ctrl-C reaches the group of the giver, which decides what becomes of its workers.
        command.process_group(0);
        // One thread is as fast as two for small models, so two workers do twice the work.
        command.env("RAYON_NUM_THREADS", "1");
        // A training asks for the same memory in every step: giving it back in between costs a tenth of the time.
        command.env("MIMALLOC_PURGE_DELAY", "-1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(EvolveError::io("start the worker", &self.program))
    }

    /// The report that a message makes, if any.
    fn take(&mut self, message: Message) -> Result<Option<Report>, EvolveError> {
        match message {
            Message::Stop => Err(EvolveError::Stopped),
            Message::From(process, heard) => self.report(process, heard),
        }
    }

    /// The report that something heard makes, if any.
    fn report(&mut self, process: u64, heard: Heard) -> Result<Option<Report>, EvolveError> {
        let Some(busy) = self.busy.get_mut(&process) else { return Ok(None) };
        let ticket = busy.ticket;
        Ok(match heard {
            Heard::Line(Line::Note(note)) => Some(Report::Note(ticket, note)),
            Heard::Line(Line::Progress(progress)) => Some(Report::Progress(ticket, progress)),
            Heard::Line(Line::World(why)) => return Err(EvolveError::Worker(why)),
            Heard::Line(Line::Error(error)) => {
                busy.error = Some(error);
                None
            }
            Heard::Line(Line::Verdict(verdict)) => {
                self.end(process);
                Some(Report::Done(ticket, verdict))
            }
            Heard::Noise(line) => {
                // It may never end by itself.
                let _ = busy.child.kill();
                self.end(process);
                Some(Report::Lost(ticket, format!("it wrote what no worker writes: {line}")))
            }
            Heard::End => self.end(process).map(|reason| Report::Lost(ticket, reason)),
        })
    }

    /// Ends a worker that is not wanted any more, and says how it ended.
    fn end(&mut self, process: u64) -> Option<String> {
        let Busy { mut child, _stdin, complaint, error, .. } = self.busy.remove(&process)?;
        drop(_stdin);
        let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let complaint = complaint.join().unwrap_or_default();
        let last = complaint.lines().rfind(|line| !line.trim().is_empty());
        Some(match error.as_deref().or(last) {
            Some(reason) => format!("{reason} ({status})"),
            None => status,
        })
    }
}

impl Runner for ProcessPool {
    fn capacity(&self) -> usize {
        self.workers
    }

    fn submit(&mut self, ticket: usize, assignment: &Assignment) -> Result<(), EvolveError> {
        let mut child = self.start()?;
        let mut stdin = child.stdin.take().expect("standard input is piped");
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut line = serde_json::to_string(assignment).expect("an assignment has a JSON form");
        line.push('\n');
        let process = self.started;
        self.started += 1;
        let complaint = thread::spawn(move || read_tail(stderr));
        // A worker that is gone already is heard of by the end of its output.
        let _ = stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush());
        let sender = self.sender.clone();
        thread::spawn(move || listen(stdout, |heard| sender.send(Message::From(process, heard)).is_ok()));
        self.busy.insert(process, Busy { ticket, child, _stdin: stdin, complaint, error: None });
        Ok(())
    }

    fn next(&mut self) -> Result<Report, EvolveError> {
        loop {
            let message = self.receiver.recv().expect("the pool holds a sender itself");
            if let Some(report) = self.take(message)? {
                return Ok(report);
            }
        }
    }

    fn wait(&mut self, time: Duration) -> Result<Option<Report>, EvolveError> {
        match self.receiver.recv_timeout(time) {
            Ok(message) => self.take(message),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        for busy in self.busy.values_mut() {
            // It may have ended by itself; either way nothing is left of it.
            let _ = busy.child.kill();
            let _ = busy.child.wait();
        }
    }
}

/// Tells each line of a worker's output, then the end; stops where nobody listens.
fn listen(output: impl Read, mut tell: impl FnMut(Heard) -> bool) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        let heard = match serde_json::from_str(&line) {
            Ok(line) => Heard::Line(line),
            Err(_) => Heard::Noise(line.chars().take(200).collect()),
        };
        if !tell(heard) {
            return;
        }
    }
    tell(Heard::End);
}

/// Reads all, so that the worker never waits, and keeps the end of it.
fn read_tail(mut input: impl Read) -> String {
    const KEPT: usize = 4096;
    let (mut tail, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(n) = input.read(&mut buffer) {
        if n == 0 {
            break;
        }
        tail.extend_from_slice(&buffer[..n]);
        let excess = tail.len().saturating_sub(KEPT);
        tail.drain(..excess);
    }
    String::from_utf8_lossy(&tail).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use genesys_ladder::Scale;
    use genesys_train::{Job, Validation};

    use super::*;
    use crate::crew::{Moment, run_all};
    use crate::fact::Failure;
    use crate::runner::{Progress, Score, Verdict};

    /// Runs three assignments on workers that are shell scripts, and says what was told.
    fn run(script: &str, dir: &Path) -> Vec<String> {
        let args = ["-c", script, "worker"].map(OsString::from).into_iter().chain([dir.into()]).collect();
        let mut pool = ProcessPool::new("/bin/sh".into(), args, 2);
        let job = |seed| Job::at_scale("", &Scale::named("nano").unwrap(), seed);
        let assignments: Vec<Assignment> =
            (0..3).map(|seed| Assignment { job: job(seed), dataset: dir.to_owned(), keep: None }).collect();
        let mut told = Vec::new();
        let verdicts = run_all(&assignments, &mut pool, &mut |moment| {
            match moment {
                Moment::Lost { ticket, reason, again } => told.push(format!("{ticket} lost: {reason}, again {again}")),
                Moment::Note(ticket, note) => told.push(format!("{ticket} notes: {note}")),
                Moment::Progress(ticket, p) => told.push(format!("{ticket} at {} of {}", p.done, p.steps)),
                Moment::Begun(_) | Moment::Done(..) => {}
            }
            Ok(())
        })
        .unwrap();
        told.extend(verdicts.iter().enumerate().map(|(ticket, verdict)| match verdict {
            Ok(score) => format!("{ticket} has {}", score.trained.bits_per_byte),
            Err(failure) => format!("{ticket} failed: {failure}"),
        }));
        assert!(pool.busy.is_empty(), "every worker was waited for");
        told.sort();
        told
    }

    fn line(line: &Line) -> String {
        format!("echo '{}'", serde_json::to_string(line).unwrap())
    }

    fn verdict() -> Verdict {
        let v = Validation { nats: 1.0, bits_per_byte: 0.1 + 0.2, tokens: 1, bytes: 1 };
        Ok(Score { start: v, trained: v, parameters: 1, curve: vec![0.1] })
    }

    #[test]
    fn lines_become_reports() {
        let dir = tempfile::tempdir().unwrap();
        let progress = Line::Progress(Progress { done: 1, steps: 2, loss: 0.1, tokens: 5 });
        let note = Line::Note("it is slow".into());
        let verdict_line = line(&Line::Verdict(Box::new(verdict())));
        let script = format!("read job; {}; {}; {verdict_line}", line(&note), line(&progress));
        let each = |i| [format!("{i} at 1 of 2"), format!("{i} has {}", 0.1 + 0.2), format!("{i} notes: it is slow")];
        assert_eq!(run(&script, dir.path()), [each(0), each(1), each(2)].concat());
        let failure = Failure::Refused("no".into());
        let script = format!("read job; {}", line(&Line::Verdict(Box::new(Err(failure)))));
        assert_eq!(run(&script, dir.path()), ["0 failed: no", "1 failed: no", "2 failed: no"]);
    }

    #[test]
    fn a_worker_that_dies_is_replaced_once_and_told_about() {
        let dir = tempfile::tempdir().unwrap();
        // The worker of seed 1 kills itself the first time; the one of seed 2 fails always.
        let script = format!(
            "read job; case \"$job\" in *'\"seed\":1,'*) [ -e \"$1/once\" ] || {{ touch \"$1/once\"; kill -9 $$; }};; \
             *'\"seed\":2,'*) echo no room >&2; exit 3;; esac; {}",
            line(&Line::Verdict(Box::new(verdict())))
        );
        let told = run(&script, dir.path());
        let expected = [
            format!("0 has {}", 0.1 + 0.2),
            format!("1 has {}", 0.1 + 0.2),
            "1 lost: signal: 9 (SIGKILL), again true".into(),
            "2 failed: its worker died twice: no room (exit status: 3)".into(),
            "2 lost: no room (exit status: 3), again false".into(),
            "2 lost: no room (exit status: 3), again true".into(),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_pool_stops_when_told_and_when_the_world_is_at_fault() {
        let dir = tempfile::tempdir().unwrap();
        let job = Job::at_scale("", &Scale::named("nano").unwrap(), 1);
        let assignment = Assignment { job, dataset: dir.path().into(), keep: None };
        let world = format!("read job; {}; cat", line(&Line::World("no room".into())));
        for (script, expected) in [("cat", "the run was stopped"), (world.as_str(), "a training cannot go on: no room")]
        {
            let mut pool = ProcessPool::new("/bin/sh".into(), ["-c", script].map(OsString::from).into(), 1);
            pool.submit(0, &assignment).unwrap();
            if script == "cat" {
                // What `cat` gives back is noise, told before the stop.
                pool.next().unwrap();
                pool.stopper().stop();
            }
            let error = pool.next().unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn noise_and_a_missing_program_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let told = run("read job; echo hello", dir.path());
        assert!(told[0].contains("it wrote what no worker writes: hello"), "{told:?}");
        let mut pool = ProcessPool::new(dir.path().join("none"), Vec::new(), 1);
        let job = Job::at_scale("", &Scale::named("nano").unwrap(), 1);
        let error = pool.submit(0, &Assignment { job, dataset: dir.path().into(), keep: None }).unwrap_err();
        assert!(error.to_string().starts_with("cannot start the worker "), "{error}");
    }
}
