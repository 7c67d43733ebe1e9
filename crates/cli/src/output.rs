//! The terminal: lines on standard output, messages on standard error.
//!
//! In: text. Out: nothing but failures of standard output; what cannot be said on standard error is lost, as there is
//! nowhere left to say it. It formats nothing.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// Writes a line to standard output.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::output)
}

/// Writes text to standard output, to be seen at once.
pub(crate) fn now(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}

/// Says a line on standard error.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether standard output shows colors: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn shows_color() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
