//! The facade: text in, checked design and IR module out.
//!
//! - [`check_text`]: parse and check a design against the standard units.
//! - [`fix`]: apply the edits that diagnostics offer, as far as they help.
//! - [`compile`]: lower a checked design at a scale to a validated IR module of plain sizes; [`compile_to`]: up to a stage;
//!   [`compile_traced`]: with the places that values come from.
//! - [`fitting`]: whether a design runs at a scale and is within the limits there; [`compile`] asks first.
//! - [`emit_rust`]: a checked design at a scale as candle source.
//!
//! Not here: reading files, weights, running anything.

mod compile;
mod fix;
mod rust;
#[cfg(test)]
mod tests;
mod text;

pub use compile::{CompileError, Stage, compile, compile_to, compile_traced, fitting};
pub use fix::{Applied, Fixed, fix};
pub use rust::{EmitError, emit_rust};
pub use text::{CheckedText, check_text, standard_units};
