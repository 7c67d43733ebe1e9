//! Everything that can go wrong here. A message says what happened, where, and the way out; the system's own words stand in
//! `source`.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// The error of the system or of a library below.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why the knowledge engine could not do it.
#[derive(Debug)]
pub enum LiteratureError {
    /// The question has no word to search for.
    EmptyQuery,
    /// The file is something else than an index.
    NotAnIndex {
        /// The file.
        path: PathBuf,
    },
    /// The index cannot be read or written.
    Index {
        /// What was tried, as in `search`.
        doing: &'static str,
        /// Its file; none where it lies in memory.
        path: Option<PathBuf>,
        /// What SQLite said.
        source: Source,
    },
    /// A folder of the user cannot be read.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: Source,
    },
    /// The embedding model does not do what it promises, or cannot be read.
    Embedding {
        /// The model.
        model: String,
        /// What is wrong, and what would do.
        message: String,
    },
}

impl LiteratureError {
    /// Whether the user's input is at fault, and not the world.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::EmptyQuery | Self::NotAnIndex { .. } | Self::Folder { .. } | Self::Embedding { .. } => true,
            Self::Index { .. } => false,
        }
    }

    /// For `map_err`: SQLite refused.
    pub(crate) fn index<E: Into<Source>>(doing: &'static str, path: Option<&Path>) -> impl FnOnce(E) -> Self + use<E> {
        let path = path.map(Path::to_owned);
        move |error| Self::Index { doing, path, source: error.into() }
    }

    /// The model gave something that it must not.
    pub(crate) fn embedding(model: &str, message: impl Into<String>) -> Self {
        Self::Embedding { model: model.to_owned(), message: message.into() }
    }
}

impl fmt::Display for LiteratureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyQuery => {
                write!(f, "expected words to search for, found none; as in `linear attention \"delta rule\" recur*`")
            }
            Self::NotAnIndex { path } => {
                write!(f, "expected an index of literature, found another file: {}; name another place", path.display())
            }
            Self::Index { doing, path: Some(path), .. } => {
                write!(f, "cannot {doing} the index {}; it is made anew if you delete it", path.display())
            }
            Self::Index { doing, path: None, .. } => write!(f, "cannot {doing} the index in memory"),
            Self::Folder { path, .. } => {
                write!(f, "cannot read the folder {}; check the path and its permissions", path.display())
            }
            Self::Embedding { model, message } => write!(f, "the embedding model {model}: {message}"),
        }
    }
}

impl Error for LiteratureError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::EmptyQuery | Self::NotAnIndex { .. } | Self::Embedding { .. } => None,
            Self::Index { source, .. } | Self::Folder { source, .. } => Some(source.as_ref()),
        }
    }
}
