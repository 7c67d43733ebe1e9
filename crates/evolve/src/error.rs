//! Everything that can go wrong in a run. One sentence each, with the way out.

use std::fmt;
use std::io;
use std::path::PathBuf;

use genesys_llm::LlmError;
use genesys_store::{Event, Refusal, StoreError};
use genesys_train::TrainError;

/// Why a run cannot go on. A design that fails is a result, not an error.
#[derive(Debug)]
pub enum EvolveError {
    /// The log or an artifact could not be read or written.
    Store(StoreError),
    /// A design that the run starts from is at fault.
    Shipped {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The numbers of a run make none.
    Settings(String),
    /// The run in the folder is not the one that was asked for.
    OtherRun {
        /// The folder.
        run: PathBuf,
        /// What differs.
        why: String,
    },
    /// An event cannot be understood.
    Event {
        /// Its number.
        seq: u64,
        /// Its kind.
        kind: String,
        /// What is wrong with it.
        why: String,
    },
    /// No design so far could be trained, so there is nothing to breed from.
    NoParents {
        /// Why the last one failed.
        last: String,
    },
    /// The run is stopped, as its observer asked; it can be resumed.
    Stopped,
    /// A worker could not be started, or a file could not be read or written.
    Io {
        /// What was tried, as in `start the worker`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text or a training failed in a way that is not the design's.
    Train(TrainError),
    /// A worker says that the text or a disk is at fault.
    Worker(String),
    /// A language model does not answer, or may not be asked.
    Model(LlmError),
    /// The run asks language models, and nobody says which.
    NoDesigner {
        /// The model that it asks.
        model: String,
    },
    /// The log holds no event.
    Empty {
        /// The run's folder.
        run: PathBuf,
    },
}

impl EvolveError {
    /// Whether what the user gave is at fault (true) or the machine (false).
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Exists { .. } | StoreError::NoRun { .. }),
            Self::Shipped { .. } | Self::Settings(_) | Self::OtherRun { .. } | Self::NoParents { .. } => true,
            Self::Event { .. } | Self::Stopped | Self::Io { .. } | Self::Worker(_) | Self::Empty { .. } => false,
            Self::NoDesigner { .. } => true,
            Self::Train(error) => error.is_input(),
            Self::Model(error) => error.is_input(),
        }
    }

    pub(crate) fn event(event: &Event, why: String) -> Self {
        Self::Event { seq: event.seq, kind: event.kind.clone(), why }
    }

    /// For `map_err`: an error of the system at `path`.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

impl fmt::Display for EvolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Shipped { name, why } => write!(f, "the design `{name}` cannot start a run: {why}"),
            Self::Settings(why) => f.write_str(why),
            Self::OtherRun { run, why } => {
                write!(f, "{} holds another run: {why}; choose another folder", run.display())
            }
            Self::Event { seq, kind, why } => {
                write!(f, "event {seq} (`{kind}`) cannot be understood: {why}; was it written by a newer genesys?")
            }
            Self::NoParents { last } => {
                write!(f, "no design could be trained, so there is none to breed from; the last one failed: {last}")
            }
            Self::Stopped => write!(f, "the run was stopped; nothing that was finished is lost"),
            Self::Io { doing, path, source } => write!(f, "cannot {doing} {}: {source}", path.display()),
            Self::Train(error) => error.fmt(f),
            Self::Model(error) => error.fmt(f),
            Self::NoDesigner { model } => {
                let model = if model.is_empty() {
                    "a language model".to_owned()
                } else {
                    format!("the language model `{model}`")
                };
                write!(f, "the run asks {model}, and nobody says where: name it with --llm TARGET")
            }
            Self::Worker(why) => write!(f, "a training cannot go on: {why}"),
            Self::Empty { run } => write!(
                f,
                "the log of the run {} holds no event; delete its `events.db` and start it again in the same folder, \
                 with the same numbers: what its folder `results` holds is not trained again",
                run.display()
            ),
        }
    }
}

impl std::error::Error for EvolveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            Self::Train(error) => Some(error),
            Self::Model(error) => Some(error),
            Self::NoDesigner { .. }
            | Self::Shipped { .. }
            | Self::Settings(_)
            | Self::OtherRun { .. }
            | Self::Event { .. }
            | Self::NoParents { .. }
            | Self::Stopped
            | Self::Worker(_)
            | Self::Empty { .. } => None,
        }
    }
}

impl From<StoreError> for EvolveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for EvolveError {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl From<TrainError> for EvolveError {
    fn from(error: TrainError) -> Self {
        Self::Train(error)
    }
}
