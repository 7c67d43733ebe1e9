//! A compiled block or model within candle: a `candle_nn::Module` that is one operation of candle's graph.
//!
//! - [`Compiled`]: a unit of a design, or the whole model, as programs for the processor; it has no weights.
//! - [`Layer`]: the same with weights, which are one tensor; a `candle_nn::Module`.
//! - [`Weight`]: the name and shape of a weight, and its place among all.
//! - [`Options`]: threads, and how many shapes of inputs are kept ready.
//! - [`LayerError`]: why a unit is no layer.
//!
//! In: a module of the IR whose sizes are known. A forward pass runs one program, a backward pass another one, which takes the
//! cotangent of what the layer gave; between them candle's graph holds the tape, what the second reads of the first. Programs are made for a shape of rows and positions, when it is first seen.
//!
//! Not here: optimizers and losses, which are candle's; decoding step by step, which `genesys-runtime` has; other
//! devices and element types than f32 on the processor; second derivatives.

mod compiled;
mod error;
mod layer;
mod op;
mod programs;

pub use compiled::{Compiled, Options, Weight};
pub use error::LayerError;
pub use layer::Layer;
