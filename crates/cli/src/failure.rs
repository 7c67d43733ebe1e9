//! How a command ends when it does not end well.
//!
//! In: what went wrong. Out: one message and an exit status: 1 where the input or the usage is at fault, 2 where the
//! world is, 128 and its number for a signal. A reader that went away (`genesys .. | head`) is no failure.

use std::io;
use std::path::Path;

/// Why a command stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input or the usage is at fault; the message says how and what would do.
    Input(String),
    /// The world is: a disk, a limit of the machine.
    World(String),
    /// The input is at fault, and the diagnostics that say so are printed.
    Told,
    /// A signal ended it.
    Stopped {
        /// The exit status that stands for the signal.
        status: u8,
        /// What is kept, and how to go on.
        next: String,
    },
    /// Nobody reads the output any more.
    ClosedPipe,
}

impl Failure {
    /// An error of the input where `is_input`, else of the world; causes are added after colons.
    pub(crate) fn of(is_input: bool, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Some errors show their cause themselves.
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        if is_input { Self::Input(message) } else { Self::World(message) }
    }

    /// For `map_err`: a file the user named cannot be read.
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Input(format!("cannot read {}: {error}", path.display()))
    }

    /// For `map_err`: a file cannot be written.
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::World(format!("cannot write {}: {error}", path.display()))
    }

    /// For `map_err`: standard output does not take what is written.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::World(format!("cannot write to standard output: {error}")),
        }
    }

    /// What is left to say.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::Input(message) | Self::World(message) => Some(format!("error: {message}")),
            Self::Stopped { next, .. } => Some(next.clone()),
            Self::Told | Self::ClosedPipe => None,
        }
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Input(_) | Self::Told => 1,
            Self::World(_) => 2,
            Self::Stopped { status, .. } => *status,
        }
    }
}
