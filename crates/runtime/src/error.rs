//! What can go wrong when a module runs.

use std::fmt;

use genesys_axis::SizeError;

/// A failure of making or running a model.
#[derive(Debug)]
pub enum RuntimeError {
    /// A size or a constant has no plain value: the module is not specialized.
    Size(SizeError),
    /// The module breaks a rule of the IR; the text names the first.
    Module(String),
    /// The weights given are not the module's; one line a difference, the first few of them.
    Weights(Vec<String>),
    /// A token or target is not an entry of the vocabulary.
    Token {
        /// The number found.
        found: u32,
        /// Entries of the vocabulary: numbers below it are tokens.
        vocabulary: usize,
    },
    /// An input does not have the shape that is asked for.
    Shape {
        /// What is asked for.
        expected: String,
        /// What was given.
        found: Vec<usize>,
    },
    /// A state does not belong to what goes on from it; the text says how.
    State(String),
    /// The module uses what this back end does not have.
    Unsupported(&'static str),
    /// Candle failed: out of memory, a device error.
    Candle(candle_core::Error),
    /// The thread for the backward pass could not be started.
    Thread(std::io::Error),
    /// The backward pass ended early; the text is what it said.
    Backward(String),
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuntimeError::Size(error) => write!(f, "the module is not specialized: {error}"),
            RuntimeError::Module(rule) => write!(f, "the module is not valid: {rule}"),
            RuntimeError::Weights(lines) => write!(f, "the weights are not the model's: {}", lines.join("; ")),
            RuntimeError::Token { found, vocabulary } => {
                write!(f, "token {found} is outside the vocabulary, which ends at {}", vocabulary.saturating_sub(1))
            }
            RuntimeError::Shape { expected, found } => write!(f, "expected {expected}, found the shape {found:?}"),
            RuntimeError::State(how) => write!(f, "expected a state of this model and of these rows, found one {how}"),
            RuntimeError::Unsupported(what) => write!(f, "the composed back end does not have {what}"),
            RuntimeError::Candle(error) => write!(f, "candle: {error}"),
            RuntimeError::Thread(error) => write!(f, "no thread for the backward pass: {error}"),
            RuntimeError::Backward(text) => write!(f, "the backward pass ended early: {text}"),
        }
    }
}

impl std::error::Error for RuntimeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RuntimeError::Size(error) => Some(error),
            RuntimeError::Candle(error) => Some(error),
            RuntimeError::Thread(error) => Some(error),
            RuntimeError::Module(_)
            | RuntimeError::Weights(_)
            | RuntimeError::Token { .. }
            | RuntimeError::Shape { .. }
            | RuntimeError::State(_)
            | RuntimeError::Unsupported(_)
            | RuntimeError::Backward(_) => None,
        }
    }
}

impl From<candle_core::Error> for RuntimeError {
    fn from(error: candle_core::Error) -> Self {
        RuntimeError::Candle(error)
    }
}

impl From<SizeError> for RuntimeError {
    fn from(error: SizeError) -> Self {
        RuntimeError::Size(error)
    }
}

/// Candle's error for callers that speak candle only.
pub(crate) fn into_candle(error: RuntimeError) -> candle_core::Error {
    match error {
        RuntimeError::Candle(error) => error,
        other => candle_core::Error::Msg(other.to_string()),
    }
}
