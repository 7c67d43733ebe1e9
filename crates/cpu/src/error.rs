//! Why a module is no program for the processor.

use std::fmt;

/// A module that the executor does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpuError {
    /// A size is a formula: the module is not specialized.
    Size(String),
    /// An operation, or a form of one, that the executor has no loop for.
    Unsupported {
        /// The function that holds it.
        function: String,
        /// What it is.
        what: String,
    },
    /// What a step would hold in memory does not fit the numbers of this machine.
    TooLarge,
}

impl fmt::Display for CpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuError::Size(size) => write!(f, "expected sizes as numbers, found {size}"),
            CpuError::Unsupported { function, what } => {
                write!(f, "expected an operation that the executor runs, found {what} in `{function}`")
            }
            CpuError::TooLarge => {
                write!(f, "expected a program that fits memory, found more elements than can be counted")
            }
        }
    }
}

impl std::error::Error for CpuError {}

/// A result of this crate.
pub(crate) type Result<T> = std::result::Result<T, CpuError>;
