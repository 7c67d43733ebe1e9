//! Why a module cannot be evaluated.

use std::fmt;

use genesys_axis::SizeError;

/// A failure of the interpreter.
#[derive(Clone, Debug, PartialEq)]
pub enum InterpError {
    /// A size or a constant has no plain value: the module is not specialized.
    Size(SizeError),
    /// There is no weight of that name.
    MissingWeight(String),
    /// A tensor does not have as many numbers as its axes ask for.
    Length {
        /// Which.
        name: String,
        /// Numbers its axes ask for.
        expected: usize,
        /// Numbers there are.
        found: usize,
    },
    /// The module uses what a step evaluator does not have.
    Unsupported(&'static str),
}

impl fmt::Display for InterpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InterpError::Size(error) => write!(f, "the module is not specialized: {error}"),
            InterpError::MissingWeight(name) => write!(f, "there is no weight `{name}`"),
            InterpError::Length { name, expected, found } => {
                write!(f, "`{name}` must hold {expected} numbers, not {found}")
            }
            InterpError::Unsupported(what) => write!(f, "the step evaluator does not have {what}"),
        }
    }
}

impl std::error::Error for InterpError {}

impl From<SizeError> for InterpError {
    fn from(error: SizeError) -> Self {
        InterpError::Size(error)
    }
}
