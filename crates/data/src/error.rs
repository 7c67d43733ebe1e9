//! What can go wrong with text and shards. One sentence each, with the way out.

use std::{fmt, io, path::PathBuf};

use genesys_tokenize::TokenizeError;

/// A failure of reading a corpus, or of making or opening a dataset.
#[derive(Debug)]
pub enum DataError {
    /// A file or folder could not be read or written.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The one file that was named is not UTF-8 text.
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// How many bytes at its start are UTF-8.
        valid_up_to: usize,
    },
    /// The path is a device or a pipe.
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// There is no text in it.
    Empty {
        /// Where the text was looked for.
        origin: String,
        /// Files that were left out because they are not UTF-8.
        skipped: usize,
    },
    /// A crate of the default text is not on this machine.
    MissingCrate {
        /// Its name.
        name: String,
        /// The version in Cargo.lock.
        version: String,
        /// The folder that was searched.
        searched: PathBuf,
    },
    /// There is text, but less than is needed.
    TooShort {
        /// What there is too little of, as "tokens to train on for a context of 64".
        what: String,
        /// How many are needed.
        needed: u64,
        /// How many were found.
        found: u64,
    },
    /// A file of a dataset is cut off, altered or of another kind.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The tokenizer refused.
    Tokenize(TokenizeError),
}

impl DataError {
    /// Whether what the user gave is at fault (true) or the machine (false).
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::NotUtf8 { .. } | Self::NoFile { .. } | Self::Empty { .. } | Self::TooShort { .. } => true,
            Self::MissingCrate { .. } | Self::Damaged { .. } => false,
            Self::Tokenize(error) => !matches!(error, TokenizeError::Io { .. }),
        }
    }

    /// For `map_err`: an error of the system at `path`.
    pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// A file that is not what it should be.
    pub(crate) fn damaged(path: &std::path::Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.into() }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::NotUtf8 { path, valid_up_to } => write!(
                f,
                "{}: expected UTF-8 text, found another byte at offset {valid_up_to}; convert it with \
                 `iconv -t UTF-8`",
                path.display()
            ),
            Self::NoFile { path } => write!(
                f,
                "{}: expected a file or a folder of text, found a device or a pipe; write the text to a file first",
                path.display()
            ),
            Self::Empty { origin, skipped: 0 } => {
                write!(
                    f,
                    "{origin}: no text found; expected a text file, or a folder with .txt, .text, .md, .markdown or .rst files"
                )
            }
            Self::Empty { origin, skipped } => {
                write!(f, "{origin}: no text found; {skipped} files were left out because they are not UTF-8")
            }
            Self::MissingCrate { name, version, searched } => write!(
                f,
                "the default text needs the sources of {name} {version}, not found under {}; run `cargo fetch` in the \
                 project, or name a text of your own with --corpus PATH",
                searched.display()
            ),
            Self::TooShort { what, needed, found } => {
                write!(
                    f,
                    "the corpus is too short: expected at least {needed} {what}, found {found}; give it more text"
                )
            }
            Self::Damaged { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Tokenize(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Tokenize(error) => Some(error),
            Self::NotUtf8 { .. }
            | Self::NoFile { .. }
            | Self::Empty { .. }
            | Self::MissingCrate { .. }
            | Self::TooShort { .. }
            | Self::Damaged { .. } => None,
        }
    }
}

impl From<TokenizeError> for DataError {
    fn from(error: TokenizeError) -> Self {
        Self::Tokenize(error)
    }
}
