//! The worker's side: one assignment in, progress and a verdict out, line by line.
//!
//! In: one line of JSON, an [`Assignment`]. Out: lines of JSON, each a `Line`: progress after every step, then a
//! verdict or an error. The giver keeps the input open while it waits; when it closes, the giver is gone, and the
//! worker stops after the step at hand. It writes nothing to a disk, and does one assignment.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::error::EvolveError;
use crate::runner::{Assignment, Progress, Verdict, execute};

/// What a worker writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// A step is done.
    Progress(Progress),
    /// The training is done.
    Verdict(Box<Verdict>),
    /// It could not be done here, for a reason that is not the design's.
    Error(String),
}

/// Does the assignment on the first line of `input` and writes about it to `output`.
///
/// # Errors
/// [`EvolveError::Settings`] where the line is no assignment, and those of [`execute`]; `output` has them as well.
pub fn serve(input: impl BufRead + Send + 'static, output: &mut (dyn Write + Send)) -> Result<(), EvolveError> {
    let done = attempt(input, output);
    if let Err(error) = &done {
        // Nobody may be listening any more.
        let _ = say(output, &Line::Error(error.to_string()));
    }
    done
}

fn attempt(mut input: impl BufRead + Send + 'static, output: &mut (dyn Write + Send)) -> Result<(), EvolveError> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(EvolveError::io("read from", "standard input"))?;
    let assignment: Assignment = serde_json::from_str(&line).map_err(|error| {
        EvolveError::Settings(format!("expected an assignment as a line of JSON on standard input: {error}"))
    })?;
    let deserted = watch(input);
    let mut progress = |progress| match say(output, &Line::Progress(progress)) {
        Ok(()) if !deserted.load(Ordering::Relaxed) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    match execute(&assignment, &mut progress)? {
        Some(verdict) => say(output, &Line::Verdict(Box::new(verdict))),
        // Stopped: nobody is waiting for it.
        None => Ok(()),
    }
}

/// Becomes true when the input ends.
fn watch(mut input: impl BufRead + Send + 'static) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    thread::spawn(move || {
        let mut rest = Vec::new();
        while matches!(input.read_until(b'\n', &mut rest), Ok(n) if n > 0) {
            rest.clear();
        }
        flag.store(true, Ordering::Relaxed);
    });
    ended
}

fn say(output: &mut (dyn Write + Send), line: &Line) -> Result<(), EvolveError> {
    let mut text = serde_json::to_string(line).expect("a line has a JSON form");
    text.push('\n');
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(EvolveError::io("write to", "standard output"))
}
