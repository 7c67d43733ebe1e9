//! An IR module as candle source that a person can read, keep and change.
//!
//! - [`emit`]: a specialized module in, a Rust file out, which depends on `candle_core` and `candle_nn` alone.
//! - [`Notes`]: names, comments and lines of the text, which decide no number.
//! - [`Unsupported`]: what of a module has no source.
//!
//! There is a struct for each unit, with a weight a field and a `forward`, and one for the model, with `forward` and
//! `loss`. Weights are named as in a checkpoint. What the source computes is what the runtime computes, by the same
//! algorithms: masks select and never multiply, sums along a past are taken in order. It is laid out as rustfmt would.
//!
//! Inside: `body` walks a function as the runtime's executor does, `op`, `layout`, `scalar`, `contract` and `scan` write
//! expressions, `dims` brings operands side by side, `code` lays out, `support` takes along what a model calls.
//!
//! Not here: decoding step by step, training, reading files.

mod body;
mod code;
mod contract;
mod dims;
mod error;
mod law;
mod layout;
mod model;
mod names;
mod notes;
mod op;
mod scalar;
mod scan;
mod source;
mod support;
mod unit;

pub use error::Unsupported;
pub use notes::{FunctionNotes, Notes, ValueNote};
pub use source::emit;
