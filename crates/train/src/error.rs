//! Everything that can go wrong in training and with checkpoints. One sentence each, with the way out.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use genesys_data::DataError;

use crate::machine::{Limit, size};

/// The system's own error.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why a job could not be done. A training that diverges is a result, not an error.
#[derive(Debug)]
pub enum TrainError {
    /// The job's design does not check, or does not run at its scale.
    Design(String),
    /// The weights that were given are not the design's.
    Weights(String),
    /// The text is at fault, or could not be read.
    Data(DataError),
    /// The validation rows that fit the limit stand for no text, so bits per byte have no meaning.
    NoBytes,
    /// The checkpoint is at fault, or could not be read or written.
    Checkpoint(CheckpointError),
    /// The design at its scale would hold more memory than it may.
    Memory(Box<Shortage>),
    /// The processor has no program for the design, which trains operation by operation; why not.
    NoProgram(String),
    /// The machine could not compute it: out of memory, no thread.
    Compute {
        /// What was tried, as in `train`.
        doing: &'static str,
        /// What was said.
        source: Source,
    },
}

/// What a training would hold, and what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The bytes that it needs.
    pub needed: u64,
    /// With so many rows in memory at a time.
    pub rows: u64,
    /// The bytes that it may take.
    pub limit: Limit,
    /// Why it cannot do with fewer rows, if it cannot.
    pub whole: Option<String>,
}

/// What is wrong with a checkpoint.
#[derive(Debug)]
pub enum CheckpointError {
    /// A file or folder could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder is no checkpoint.
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The folder to be written holds something that is no checkpoint, which is not overwritten.
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// It was written by a newer version of this program.
    Newer {
        /// The folder.
        path: PathBuf,
        /// The version of its format.
        found: u64,
        /// The newest version known here.
        known: u64,
    },
    /// A file is cut off, altered or of another checkpoint.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The weights or the hash are not those of the design that the checkpoint names.
    OtherDesign {
        /// What was expected and found.
        why: String,
    },
    /// Training cannot go on from it.
    NotResumable {
        /// Why not.
        why: String,
    },
}

impl TrainError {
    /// Whether what the user gave is at fault (true) or the machine (false).
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Design(_) | Self::Weights(_) | Self::NoBytes | Self::NoProgram(_) => true,
            Self::Data(error) => error.is_input(),
            Self::Checkpoint(error) => error.is_input(),
            Self::Memory(shortage) => matches!(shortage.limit, Limit::Given(_)),
            Self::Compute { .. } => false,
        }
    }

    /// For `map_err`: the machine could not do it.
    pub(crate) fn compute<E: Into<Source>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Compute { doing, source: source.into() }
    }
}

impl CheckpointError {
    /// Whether what the user gave is at fault (true) or the machine (false).
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
            Self::Foreign { .. }
            | Self::Occupied { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::OtherDesign { .. }
            | Self::NotResumable { .. } => true,
        }
    }

    /// For `map_err`: an error of the system at `path`.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Design(why) => write!(f, "the design cannot be trained: {why}"),
            Self::Weights(why) => f.write_str(why),
            Self::Data(error) => error.fmt(f),
            Self::NoBytes => {
                write!(f, "the validation rows stand for no text, only for ends of documents; give it longer documents")
            }
            Self::Checkpoint(error) => error.fmt(f),
            Self::Memory(shortage) => shortage.fmt(f),
            Self::NoProgram(why) => write!(
                f,
                "the design trains operation by operation, not as one program of kernels: {why}; `genesys train` \
                 trains it all the same"
            ),
            Self::Compute { doing, source } => write!(f, "cannot {doing} on this machine: {source}"),
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, rows, limit, whole } = self;
        let s = if *rows == 1 { "" } else { "s" };
        write!(f, "the training needs {} of memory with {rows} row{s} at a time, and {limit}, or ", size(*needed))?;
        f.write_str("choose a smaller scale")?;
        match whole {
            Some(why) => write!(f, "; it cannot do with fewer rows at a time: {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Foreign { path, why } => write!(f, "{}: expected a checkpoint, {why}", path.display()),
            Self::Occupied { path } => write!(
                f,
                "{}: it holds files that are no checkpoint, which are not overwritten; choose another folder",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{}: the checkpoint is of version {found}, and this program knows versions up to {known}; use a \
                 newer genesys",
                path.display()
            ),
            Self::Damaged { path, why } => write!(f, "{}: {why}; copy or make the checkpoint again", path.display()),
            Self::OtherDesign { why } => write!(f, "the checkpoint is not of the design it names: {why}"),
            Self::NotResumable { why } => write!(f, "training cannot go on from this checkpoint: {why}"),
        }
    }
}

impl Error for TrainError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Data(error) => Some(error),
            Self::Checkpoint(error) => Some(error),
            Self::Compute { source, .. } => Some(source.as_ref()),
            Self::Design(_) | Self::Weights(_) | Self::NoBytes | Self::NoProgram(_) | Self::Memory(_) => None,
        }
    }
}

impl Error for CheckpointError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Foreign { .. }
            | Self::Occupied { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::OtherDesign { .. }
            | Self::NotResumable { .. } => None,
        }
    }
}

impl From<DataError> for TrainError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<CheckpointError> for TrainError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}
