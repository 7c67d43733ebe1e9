//! What can go wrong with a tokenizer. One sentence each, with the way out where there is one.

use std::{fmt, io, path::PathBuf};

/// A failure of training, loading or caching a tokenizer.
#[derive(Debug)]
pub enum TokenizeError {
    /// Fewer tokens were asked for than the 256 bytes and `<eos>` need.
    VocabularyTooSmall {
        /// The vocabulary size that was asked for.
        asked: usize,
    },
    /// There was no text to train on.
    NoText,
    /// The `tokenizers` crate refused; its own words.
    Training(String),
    /// The text given is not a `tokenizer.json`; the parser's own words.
    Malformed(String),
    /// It is a tokenizer, but not one that this project can train a model on.
    Unsuitable(String),
    /// A cache file or its folder could not be read or written.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for TokenizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VocabularyTooSmall { asked } => write!(
                f,
                "a vocabulary of {asked} tokens is too small: expected at least 257 (the 256 bytes and <eos>)"
            ),
            Self::NoText => write!(f, "cannot train a tokenizer: the corpus has no text"),
            Self::Training(why) => write!(f, "the tokenizer could not be trained: {why}"),
            Self::Malformed(why) => write!(f, "this is not a tokenizer.json: {why}"),
            Self::Unsuitable(why) => write!(f, "this tokenizer cannot be used: {why}"),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for TokenizeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::VocabularyTooSmall { .. }
            | Self::NoText
            | Self::Training(_)
            | Self::Malformed(_)
            | Self::Unsuitable(_) => None,
        }
    }
}
