//! The worker's side: one assignment in, progress and a verdict out, line by line.
//!
//! In: one line of JSON, an [`Assignment`]. Out: lines of JSON, each a `Line`: notes, progress after every step, then a
//! verdict or an error. The giver keeps the input open while it waits; when it closes, the giver is gone, however it
//! went, and the caller is told at once, in the middle of a step if need be. It does one assignment, and writes nothing
//! to a disk but the assignment's checkpoints.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::thread;

use genesys_train::{Machine, TrainError};
use serde::{Deserialize, Serialize};

use crate::error::EvolveError;
use crate::runner::{Assignment, Progress, Told, Verdict, execute};

/// What a worker writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// Something that people should know.
    Note(String),
    /// A step is done.
    Progress(Progress),
    /// The training is done.
    Verdict(Box<Verdict>),
    /// It could not be done here. Somewhere else it may.
    Error(String),
    /// The text or a disk is at fault: no other worker would do better, and the design has no part in it.
    World(String),
}

/// Does the assignment on the first line of `input` with what it may take of `machine`, and writes about it to `output`. When `input` ends, `deserted` is
/// called on a thread of its own: nobody waits for the rest.
///
/// # Errors
/// [`EvolveError::Settings`] where the line is no assignment, and those of [`execute`]; `output` has them as well.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: &mut (dyn Write + Send),
    machine: &Machine,
    deserted: impl FnOnce() + Send + 'static,
) -> Result<(), EvolveError> {
    let done = attempt(input, output, machine, deserted);
    if let Err(error) = &done {
        let line = match error {
            EvolveError::Train(TrainError::Data(_) | TrainError::Checkpoint(_)) => Line::World,
            _ => Line::Error,
        };
        // Nobody may be listening any more.
        let _ = say(output, &line(error.to_string()));
    }
    done
}

fn attempt(
    mut input: impl BufRead + Send + 'static,
    output: &mut (dyn Write + Send),
    machine: &Machine,
    deserted: impl FnOnce() + Send + 'static,
) -> Result<(), EvolveError> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(EvolveError::io("read from", "standard input"))?;
    let assignment: Assignment = serde_json::from_str(&line).map_err(|error| {
        EvolveError::Settings(format!("expected an assignment as a line of JSON on standard input: {error}"))
    })?;
    thread::spawn(move || {
        wait_for_the_end(input);
        deserted();
    });
    let mut watch = |told| {
        let line = match told {
            Told::Note(note) => Line::Note(note),
            Told::Progress(progress) => Line::Progress(progress),
        };
        match say(output, &line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    match execute(&assignment, machine, &mut watch)? {
        Some(verdict) => say(output, &Line::Verdict(Box::new(verdict))),
        // Stopped: nobody is waiting for it.
        None => Ok(()),
    }
}

fn wait_for_the_end(mut input: impl BufRead) {
    let mut rest = Vec::new();
    while matches!(input.read_until(b'\n', &mut rest), Ok(n) if n > 0) {
        rest.clear();
    }
}

fn say(output: &mut (dyn Write + Send), line: &Line) -> Result<(), EvolveError> {
    let mut text = serde_json::to_string(line).expect("a line has a JSON form");
    text.push('\n');
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(EvolveError::io("write to", "standard output"))
}
