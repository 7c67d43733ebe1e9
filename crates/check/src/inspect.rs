//! What is known of the units of a text, also where errors were found in them.
//!
//! In: a parsed file and a [`Library`]. Out: the graph of each unit, checked on its own with its static parameters as
//! symbols. Where a statement is refused the graph holds what stands before and behind it, so that one who writes a text
//! can be told of the rest. Nothing of it may be run: a design comes from [`check`](crate::check) only.

use genesys_span::Span;
use genesys_syntax::ast;

use crate::core::Graph;
use crate::library::Library;
use crate::{elaborate, resolve};

/// What is known of a unit.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Its name in the text.
    pub name: Span,
    /// Its body.
    pub body: Span,
    /// As much of it as was expanded.
    pub graph: Graph,
    /// Whether that is all of it.
    pub complete: bool,
    /// Whether it is all of it, and no error was found in it.
    pub sound: bool,
}

/// Looks at every unit of a file, in the order in which they are checked.
pub fn inspect(file: &ast::File, library: &Library) -> Vec<Inspected> {
    let units = resolve::resolve(file, library, &mut Vec::new());
    elaborate::expand_units(&units)
}
