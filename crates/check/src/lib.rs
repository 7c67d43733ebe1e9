//! From syntax to [`CheckedDesign`]: names, stages, axes, requirements, elaboration, identity.
//!
//! Every unit is checked once on its own, with its static parameters as rigid symbols, so that an
//! error is found where it was made; then the units of the stack are elaborated into the formal
//! core ([`core::Graph`]) with their arguments bound. Both are one algorithm: a forward pass in
//! which types are sets of declared axes, with no unification.
//!
//! - [`check`]: a parsed file and a [`Library`] of standard units in, a design and diagnostics out.
//! - [`core`]: the formal core, which lowering starts from.
//! - [`class`]: how the states of scans enter their own updates.
//! - [`design`]: what a checked design offers.
//! - [`identity`]: the hash under which a design is known.
//! - [`inspect`], [`vocabulary`]: for those who write a text, what is known of one that may have errors.
//!
//! Not here: parsing, lowering, reading files.

pub mod axis_set;
pub mod class;
pub mod core;
pub mod design;
mod effect;
mod elaborate;
mod error;
mod flow;
mod foreign;
pub mod identity;
mod inspect;
mod library;
mod live;
mod operands;
mod renumber;
mod resolve;
mod scale;
mod side;
pub mod sketch;
mod stack;
mod stuck;
pub mod vocabulary;

use std::sync::Arc;

pub use axis_set::AxisSet;
pub use design::CheckedDesign;
pub use elaborate::weight_name;
use genesys_diag::Diagnostic;
use genesys_syntax::ast;
pub use identity::{DesignHash, RunKey, normal_form, normal_form_traced};
pub use inspect::{Inspected, inspect};
pub use library::Library;
pub use operands::Operands;
use sketch::Hole;
pub use sketch::Sketch;

/// What checking a file gives.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The design, where no error and no hole was found.
    pub design: Option<CheckedDesign>,
    /// The sketch, where no error was found, and holes were.
    pub sketch: Option<Sketch>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks a file against the standard units.
pub fn check(file: &Arc<ast::File>, library: &Library) -> Checked {
    let mut diagnostics = Vec::new();
    let units = resolve::resolve(file, library, &mut diagnostics);
    let mut checks = elaborate::check_units(&units, &mut diagnostics);
    let holes = std::mem::take(&mut checks.holes);
    diagnostics.extend(holes.iter().map(Hole::diagnostic));
    let design = stack::build(file, &units, checks, &mut diagnostics);
    finish(&mut diagnostics);
    let refused = diagnostics.iter().any(Diagnostic::is_error);
    let design = design.filter(|_| !refused && holes.is_empty());
    let is_sketch = !refused && !holes.is_empty();
    let sketch = is_sketch.then(|| Sketch { file: Arc::clone(file), holes });
    Checked { design, sketch, diagnostics }
}

/// Puts diagnostics in the order of the text, each once.
fn finish(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
    diagnostics.dedup_by(|a, b| a.code == b.code && a.primary.span == b.primary.span);
}
