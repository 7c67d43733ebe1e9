//! Derivatives as IR: differentiation from source to source.
//!
//! - [`expand`]: replaces every `grad` of a module by operations that compute it.
//! - [`Unsupported`]: what has no derivative here.
//!
//! Inside: `split` writes the differentiated part with one scalar function an instruction, `sweep` goes
//! through it backwards, `rule` has the adjoint of each operation, `scalar` that of each function.
//!
//! Items and positions are given: the derivative is taken at each (item, position) by itself, and no
//! cotangent is ever summed over either. So only what varies with the variable is differentiated: a value
//! of stage const never does, for the variable is one of a step or a sequence.
//!
//! Not here: operations on time, which the checker keeps out of what is differentiated; the backward
//! pass of a whole function, which would sum the cotangents of its weights over items and positions.

mod emit;
mod error;
mod expand;
mod rule;
mod scalar;
mod split;
mod sweep;

pub use error::Unsupported;
pub use expand::expand;
