//! What has no derivative here.

use std::fmt;

/// An operation that is differentiated and must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// An operation that reads other positions, or leaves the function.
    Operation(&'static str),
    /// A value that is the same at all positions depends on the variable: its cotangent would be a sum over them.
    Constant,
    /// Our own fault: an operation made here is not well typed.
    Type(String),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsupported::Operation(name) => write!(f, "no derivative of `{name}` is known here"),
            Unsupported::Constant => write!(f, "the derivative to a constant would be summed over items and positions"),
            Unsupported::Type(why) => write!(f, "a derivative is not well typed: {why}"),
        }
    }
}

impl std::error::Error for Unsupported {}
