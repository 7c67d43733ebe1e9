//! The intermediate representation: operations over named axes, batch and time.
//!
//! - [`module`]: the types; it reads as a specification.
//! - [`infer`]: the type of an operation's results, one rule for builder and validator.
//! - [`Builder`]: appends instructions to regions.
//! - [`validate`]: what every module keeps; causality rests on it.
//! - [`reads`], [`mentions`], [`substitute`], [`renumber`]: the values that instructions name, for passes.
//! - [`plan`]: the order in which a back end runs a region, and how a scan is split.
//! - [`print()`] and [`parse`]: the text form.
//! - [`specialize`]: sizes at a width.
//! - [`prune`]: a function without what no result depends on.
//! - [`Origins`]: which unit of a design each value comes from.
//! - [`without_losses`]: a model as it predicts; [`loss_alone`]: as it is validated; [`logits_alone`]: as a part of a program.
//! - [`alone`]: one function as a module.
//! - [`additive_losses`]: whether the losses of parts of a batch add up to that of the batch.
//! - [`parameters`]: the one table of a model's weights.
//!
//! Not here: what values are (the interpreter and the back ends), and passes over modules.

mod additive;
mod adjoint;
mod alone;
mod builder;
mod infer;
mod lex;
pub mod module;
mod origins;
mod parameters;
mod parse;
mod parse_op;
pub mod plan;
mod print;
mod prune;
mod renumber;
mod specialize;
mod validate;
mod without_losses;

pub use additive::{NotAdditive, additive_losses};
pub use alone::alone;
pub use builder::Builder;
pub use infer::{Scope, infer};
pub use origins::{Origins, Share, Unit};
pub use parameters::{ParameterInfo, full_name, parameter_names, parameters};
pub use parse::{ParseError, parse};
pub use print::print;
pub use prune::prune;
pub use renumber::{definitions, mentions, reads, renumber, substitute};
pub use specialize::{SpecializeError, specialize};
pub use validate::{Violation, validate};
pub use without_losses::{logits_alone, loss_alone, without_losses};

/// How deeply regions, expressions, laws and sizes may nest in a module.
pub const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
