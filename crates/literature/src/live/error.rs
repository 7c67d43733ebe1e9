//! What can go wrong with a server. A message names it, what it did, and a way out; none holds a key.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug)]
pub enum LiveError {
    /// Nothing may be asked, and the answer is not in the cache.
    NotCached {
        /// Who would have been asked.
        server: &'static str,
    },
    /// There was no answer, in the words of what fetches.
    Unreachable {
        /// Who was asked.
        server: &'static str,
        /// Why.
        message: String,
    },
    /// It refused.
    Refused {
        /// Who was asked.
        server: &'static str,
        /// The status of the answer.
        status: u16,
        /// What it said, cut short.
        message: String,
    },
    /// It asks for more patience than there is.
    Busy {
        /// Who was asked.
        server: &'static str,
        /// How long one is to wait.
        wait: Duration,
    },
    /// Its answer is not what it promises.
    Unreadable {
        /// Who was asked.
        server: &'static str,
        /// What was expected, and what was found.
        message: String,
    },
    /// The folder for answers cannot be used.
    Cache {
        /// What was tried, as in `write`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LiveError {
    /// Whether the next question would fare alike: the server is at fault, or the key, and not what was asked.
    #[must_use]
    pub fn lasts(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Unreadable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 401 | 403 | 429 | 500..),
            Self::NotCached { .. } | Self::Cache { .. } => false,
        }
    }
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCached { server } => {
                write!(f, "{server} was not asked this before, and offline it is not asked; leave --offline out to ask")
            }
            Self::Unreachable { server, message } => write!(f, "{server} does not answer: {message}"),
            Self::Refused { server, status: status @ (401 | 403), message } => {
                write!(f, "{server} refuses ({status}): {message}; check the key in the environment, if you set one")
            }
            Self::Refused { server, status, message } => write!(f, "{server} refuses ({status}): {message}"),
            Self::Busy { server, wait } => {
                write!(f, "{server} is busy and asks to be left alone for {} s; ask it later", wait.as_secs())
            }
            Self::Unreadable { server, message } => write!(f, "the answer of {server} cannot be read: {message}"),
            Self::Cache { doing, path, .. } => write!(f, "cannot {doing} the answer {}", path.display()),
        }
    }
}

impl Error for LiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cache { source, .. } => Some(source),
            Self::NotCached { .. }
            | Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Busy { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}
