//! Derivatives as IR: differentiation from source to source.
//!
//! - [`differentiate`]: from a model to its backward pass: losses, and the gradient of every weight.
//! - [`pullback`]: from a module within a larger program to its backward pass, which takes the cotangents of the results.
//! - [`halves`]: such a pass as two modules: what runs forward, and what comes back.
//! - [`expand`], [`expand_function`]: replaces every `grad` of a module, or of a function, by operations that compute it.
//! - [`Unsupported`]: what has no derivative here.
//!
//! Both write the differentiated part with one scalar function an instruction (`split`) and go through it backwards (`sweep`),
//! by the same rules: `rule` has the adjoint of each operation, `scalar` that of each function, `past` and `scan` those of
//! regions. `function` makes the two halves of a function, and decides what the first keeps for the second.
//!
//! A `grad` is taken at each (item, position) by itself, and what does not vary with its variable is held fixed. A backward
//! pass sums the cotangents of what is the same everywhere over items and positions; the operations that do so, and the
//! transposes of looks at other positions, are legal in adjoint functions only.
//!
//! Not here: which values are better computed again than kept, and everything else about speed; what a derivative is worth
//! as a number (the interpreter tells); the derivative of a backward pass.

mod cotangents;
mod differentiate;
mod emit;
mod error;
mod expand;
mod function;
mod halves;
mod past;
mod prepare;
mod rule;
mod scalar;
mod scan;
mod split;
mod sweep;

pub use differentiate::{differentiate, pullback};
pub use error::Unsupported;
pub use expand::{Expanded, expand, expand_function};
pub use halves::{Halves, halves};
