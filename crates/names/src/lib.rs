//! What the names of a design text stand for, however broken the text is.
//!
//! In goes a text, out come its declarations and mentions ([`Names`]), or what may stand at a place in it ([`Cursor`]).
//! A text that is being written is broken most of the time, so nothing here asks for a tree: tokens are read by a reader
//! that takes what it knows, skips what it does not, and never fails. Where a text checks, its answers are the checker's.
//!
//! Not here: types, sizes, standard units (they are a text like any other), and what is wrong with a text.

mod cursor;
mod lex;
mod names;
mod reader;
mod statement;

pub use cursor::{Cursor, Place, cursor};
pub use names::{Declaration, Kind, Mention, Names, Sort};
