//! What a design is, in words and figures.
//!
//! In goes a checked design with its text, and a scale if figures are wanted; out comes an [`Explanation`]: one
//! value, printed as text ([`to_text`]) or, by its `Serialize`, as JSON (`docs/explain.md` is its reference).
//! [`annotated`] gives the text of the design back with what was inferred as comments.
//!
//! - `units`: what each unit costs, how far it looks, which values it takes.
//! - `decode`: what it keeps between two tokens.
//! - `model`: the figures of a model at a scale.
//! - `probe`: weights that move nothing, found by moving them.
//! - `types`: the text with types, reach and costs.
//! - `facts`: what is known of one place of a text, for editors.
//!
//! Nothing is measured here: figures are of the program, see `genesys-cost`.

mod decode;
mod explanation;
mod facts;
mod figures;
mod model;
mod probe;
mod text;
mod types;
mod units;
mod unreached;

pub use explanation::{
    Doubtful, Explanation, FORMAT, Figure, InUnit, Kept, Model, ModelPart, Place, StateOf, Typed, Unit, UnitWeight,
    Work,
};
pub use facts::{Facts, Value};
pub use probe::{Probe, Suspect};
pub use text::to_text;
pub use types::annotated;
pub use units::explain;
