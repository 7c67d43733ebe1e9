//! A process that does what is measured, and what the system says of it.
//!
//! In: requests, a line of JSON each. Out: answers; processor time and memory, which are asked of `/proc` in the same way for
//! every side. It decides nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Clock ticks a second that `/proc` counts processor time in: fixed on Linux.
const TICKS: f64 = 100.0;

/// A running side.
pub(super) struct Side {
    /// What the tables call it: `cpu`, `compiled`, ..
    pub(super) name: &'static str,
    /// What it says that it is.
    pub(super) library: String,
    /// MiB that it held when it had done nothing yet.
    pub(super) base: f64,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// What a request led to.
pub(super) enum Answer {
    /// The line it was answered with.
    Done(Value),
    /// Why the side does not do it.
    Refused(String),
}

impl Side {
    /// Starts it, and waits for its first line.
    pub(super) fn start(name: &'static str, command: &mut Command, threads: usize) -> Result<Self, String> {
        let program = command.get_program().display().to_string();
        for variable in ["THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("versus: cannot start {program}: {error}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("the output is piped"));
        let mut side = Self { name, library: String::new(), base: 0.0, child, input, output };
        let hello = side.answer()?;
        side.library = hello["library"].as_str().unwrap_or_default().to_owned();
        side.base = side.memory("VmRSS");
        Ok(side)
    }

    /// Makes work ready; `form` is how a peer runs it.
    pub(super) fn load(&mut self, work: &Value, form: Option<&str>) -> Result<Answer, String> {
        let mut request = json!({ "load": work });
        if let Some(form) = form {
            request["form"] = form.into();
        }
        self.ask(&request)
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&mut self, request: &Value) -> Result<Answer, String> {
        let input = self.input.as_mut().expect("the input is open while requests are sent");
        writeln!(input, "{request}").and_then(|()| input.flush()).map_err(|error| self.gone(&error.to_string()))?;
        let answer = self.answer()?;
        Ok(match answer["refused"].as_str() {
            Some(why) => Answer::Refused(why.to_owned()),
            None => Answer::Done(answer),
        })
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| self.gone(&error.to_string()))?;
        serde_json::from_str(&line)
            .map_err(|_| self.gone("it ended, or wrote what is no JSON; its messages stand above"))
    }

    fn gone(&self, why: &str) -> String {
        format!("versus: the side `{}` does not answer: {why}", self.name)
    }

    /// Milliseconds of processor time so far, of all threads, in steps of 10.
    pub(super) fn processor(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name in parentheses may hold blanks; user and system time are fields 14 and 15.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 1e3 / TICKS
    }

    /// Forgets the peak of memory so far.
    pub(super) fn forget_peak(&self) {
        // Where the system does not allow it, the peak is that of the whole process, which is not less.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// MiB at the peak, since it was forgotten.
    pub(super) fn peak(&self) -> f64 {
        self.memory("VmHWM")
    }

    fn memory(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kibibytes.unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Its input closes, at which it ends.
        self.input = None;
        let _ = self.child.wait();
    }
}
