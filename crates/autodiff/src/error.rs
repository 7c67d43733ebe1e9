//! What has no derivative here.

use std::fmt;

/// An operation that is differentiated and must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// An operation that has no derivative where it stands.
    Operation(&'static str),
    /// Our own fault: an operation made here is not well typed.
    Type(String),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsupported::Operation(name) => write!(f, "no derivative of `{name}` is known here"),
            Unsupported::Type(why) => write!(f, "a derivative is not well typed: {why}"),
        }
    }
}

impl std::error::Error for Unsupported {}
