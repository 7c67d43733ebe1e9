//! Everything that can go wrong in the store. A message says what happened, where, and the way out; the system's own
//! words stand in `source`.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use blake3::Hash;

use crate::canonical::Refusal;
use crate::damage::{Damage, Flaw};

/// The system's own error.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why the store could not do it.
#[derive(Debug)]
pub enum StoreError {
    /// The system said no: a folder that cannot be read or written, a disk that fails.
    World {
        /// What was tried, as in `open`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: Source,
    },
    /// There is no room left. What was acknowledged before is safe; the event or artifact at hand is not stored.
    Full {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: Source,
    },
    /// Another writer has this run.
    Locked {
        /// The run's folder.
        run: PathBuf,
        /// The process that holds it, where it said so.
        holder: Option<u32>,
    },
    /// A run lives in the folder already.
    Exists {
        /// The folder.
        run: PathBuf,
    },
    /// No run lives in the folder.
    NoRun {
        /// The folder.
        run: PathBuf,
    },
    /// The log was written by a newer version of this program.
    Newer {
        /// The run's folder.
        run: PathBuf,
        /// The version of its tables.
        found: i32,
        /// The newest version known here.
        known: i32,
    },
    /// The log is damaged.
    Damaged {
        /// The run's folder.
        run: PathBuf,
        /// Where and how.
        damage: Damage,
    },
    /// There is no artifact of this hash.
    NoArtifact {
        /// The hash asked for.
        hash: Hash,
        /// Where it would lie.
        path: PathBuf,
    },
    /// An artifact's content does not give its name.
    DamagedArtifact {
        /// The hash asked for.
        hash: Hash,
        /// The file.
        path: PathBuf,
    },
    /// The header or a payload has no canonical text.
    Refused(Refusal),
    /// An event names a cause that does not come before it.
    Cause {
        /// The number the event would have had.
        seq: u64,
        /// The cause it names.
        cause: u64,
    },
}

impl StoreError {
    /// An error of the file system.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match is_full(&source) {
            true => Self::Full { path, source: source.into() },
            false => Self::World { doing, path, source: source.into() },
        }
    }

    /// An error of SQLite on the log of `run`, outside any one event.
    pub(crate) fn sqlite(doing: &'static str, run: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = run.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path, source: source.into() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                let damage = Damage { seq: 0, last: 0, flaw: Flaw::Unreadable(source.to_string()) };
                Self::Damaged { run: path, damage }
            }
            _ => Self::World { doing, path, source: source.into() },
        }
    }
}

/// Whether the system has no room: a full disk, a quota, or a limit on the size of files.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World { doing, path, .. } => write!(f, "cannot {doing} {}", path.display()),
            Self::Full { path, .. } => {
                write!(f, "no space left to write to {}; make room, nothing stored so far is lost", path.display())
            }
            Self::Locked { run, holder } => {
                write!(f, "the run {} is being written by another process", run.display())?;
                if let Some(pid) = holder {
                    write!(f, " (pid {pid})")?;
                }
                write!(f, "; wait for it or end it, or choose another folder")
            }
            Self::Exists { run } => {
                write!(f, "{} holds a run already; resume it, or choose another folder", run.display())
            }
            Self::NoRun { run } => {
                write!(
                    f,
                    "expected a run in {}, found none: its `events.db` is missing, empty or another program's",
                    run.display()
                )
            }
            Self::Newer { run, found, known } => write!(
                f,
                "the run {} is of version {found}, and this program knows versions up to {known}; use a newer genesys",
                run.display()
            ),
            Self::Damaged { run, damage } => write!(f, "the log of the run {} is damaged: {damage}", run.display()),
            Self::NoArtifact { hash, path } => write!(f, "no artifact {hash}: expected it at {}", path.display()),
            Self::DamagedArtifact { path, .. } => write!(
                f,
                "the artifact {} is damaged: its content does not give its name; delete it, and make or copy it again",
                path.display()
            ),
            Self::Refused(refusal) => write!(f, "this cannot be stored: {refusal}"),
            Self::Cause { seq, cause } => {
                write!(f, "expected the cause of event {seq} to come before it, found event {cause}")
            }
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::World { source, .. } | Self::Full { source, .. } => Some(source.as_ref()),
            Self::Refused(refusal) => Some(refusal),
            Self::Locked { .. }
            | Self::Exists { .. }
            | Self::NoRun { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::NoArtifact { .. }
            | Self::DamagedArtifact { .. }
            | Self::Cause { .. } => None,
        }
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
