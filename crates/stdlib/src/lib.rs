//! The standard units, written in the design language itself.
//!
//! The text is handed to the checker like any other file; nothing about these units is built in.

/// The name under which diagnostics show the text.
pub const NAME: &str = "std.gau";

/// The text of the standard units.
pub const TEXT: &str = include_str!("std.gau");
