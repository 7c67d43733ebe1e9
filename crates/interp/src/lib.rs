//! A scalar step evaluator of IR: the witness that causality and the fast paths are held to.
//!
//! - [`Interpreter`]: one position in, one position out, literally from the definitions in f64.
//! - [`run`]: whole rows at once, as a backward pass needs them; every operation by its definition too.
//! - [`Tensor`]: numbers with named axes.
//! - [`InterpError`]: why a module cannot be evaluated here.
//!
//! The interpreter is handed one position at a time and keeps what earlier ones left behind, so it
//! cannot read the future. Both are written for clarity, not for speed: no matrix product, no
//! masks (a past is the list of positions it holds), no layout, no batch.
//!
//! Not here: speed. Reversed time and gradients are for whole rows only.

mod batch;
mod error;
mod evaluate;
mod interpreter;
mod memory;
mod ops;
mod tensor;
mod transpose;

pub use batch::{Row, run};
pub use error::InterpError;
pub use interpreter::{Interpreter, Step};
pub use tensor::Tensor;
