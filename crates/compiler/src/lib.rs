//! The facade: text in, checked design and IR module out.
//!
//! - [`check_text`]: parse and check a design against the standard units.
//! - [`fix`]: apply the edits that diagnostics offer, as far as they help.
//! - [`compile`]: lower a checked design at a scale to a validated IR module of plain sizes; [`compile_to`]: up to a stage.
//! - [`fitting`]: whether a design runs at a scale and is within the limits there; [`compile`] asks first.
//!
//! Not here: reading files, weights, running anything.

mod compile;
mod fix;
#[cfg(test)]
mod tests;
mod text;

pub use compile::{CompileError, Stage, compile, compile_to, fitting};
pub use fix::{Applied, Fixed, fix};
pub use text::{CheckedText, check_text, standard_units};
