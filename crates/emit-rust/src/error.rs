//! What cannot be emitted.

use std::fmt;

/// Why a module has no source: what of it the emitted form lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The function.
    pub function: String,
    /// What it holds.
    pub what: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unsupported { function, what } = self;
        write!(f, "expected a module that can be written as candle source, found {what} in `{function}`")
    }
}

impl std::error::Error for Unsupported {}
