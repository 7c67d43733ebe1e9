//! Diagnostics: what the checker tells a person or a program about a text.
//!
//! A [`Diagnostic`] has a stable [`Code`], one line that makes sense alone, a primary place,
//! further labeled places, a help and, where one exists, an [`Edit`] a program can apply; one about time
//! shows the smallest [`Counterexample`].
//! It is rendered as annotated text, as one line, or as one JSON object.
//!
//! Not here: deciding what is wrong (each phase has a factory per code), and printing (the caller
//! owns the terminal).

mod code;
mod counterexample;
mod diagnostic;
mod json;
mod render;

pub use code::Code;
pub use counterexample::{Counterexample, Flaw, Step};
pub use diagnostic::{Diagnostic, Edit, Label, Severity};
pub use json::render_json;
pub use render::{render_short, render_text};
