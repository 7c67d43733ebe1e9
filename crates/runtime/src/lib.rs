//! IR on candle: the oracle, composed of candle operations and differentiated by candle.
//!
//! - [`Model`]: a language model as a `candle_nn::Module`; [`Parameter`]: one of its weights.
//! - [`Block`]: one function of a module as a `candle_nn::Module`.
//! - [`State`]: what either remembers of rows that were read in part: the step form takes one and gives another.
//! - [`gradients`]: the gradient of a loss for each parameter.
//! - [`Origin`]: the operation whose result is the first that is not finite.
//! - [`RuntimeError`]: what can go wrong.
//!
//! A module runs as it is written: elementwise operations, reductions and matrix products, none
//! fused, so that what faster back ends give can be held against it, values and gradients. Masks
//! select (a NaN at an excluded position reaches nothing), and first values are a pure function of
//! seed, stream and element.
//!
//! Not here: fused kernels, optimizers, reversed time, and rows that hold several documents.

mod attend;
mod backward;
mod block;
mod cache;
mod contract;
mod error;
mod execute;
mod frame;
mod init;
mod layout;
mod loss;
mod mask;
mod memory;
mod model;
mod named;
mod ordered;
mod origin;
mod pick;
mod program;
mod reduce;
mod scalar;
mod scan;
mod state;

pub use backward::{gradients, on_large_stack};
pub use block::Block;
pub use candle_core;
pub use error::RuntimeError;
pub use model::{Evaluated, Losses, Model};
pub use origin::Origin;
pub use program::Parameter;
pub use state::State;
