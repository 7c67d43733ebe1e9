//! A backward pass as one static program for the processor.
//!
//! In goes a model of the IR at a scale, and how many rows of which length a step has. Out comes a [`Program`]: kernels over
//! memory that was planned once. An [`Executor`] runs it on all its threads: weights and gradients are one slice each, in the
//! order of `genesys_ir::parameters`. Of a module within a larger program arguments and results are slices, too. A step allocates nothing, and gives the same bits for any number of threads.
//!
//! | file | holds |
//! | --- | --- |
//! | `view` | where the elements of a value lie: strides, so that parts and merges of axes cost nothing |
//! | `code` | scalar expressions over blocks of elements |
//! | `contract` | sums of products as loops around a matrix product |
//! | `precision` | in which numbers, and which values lie in 16 bits |
//! | `op`, `kernel` | the tile program, as data |
//! | `lower` | from functions of the IR to kernels |
//! | `memory` | which values share memory |
//! | `program` | functions placed, calls bound |
//! | `run` | the loops |
//! | `executor` | threads, memory, a step |
//! | `footprint` | what of memory a step takes, and whose it is |
//! | `roofline` | what this machine can do at best |
//! | `work` | what a step does, counted, and for which units |
//!
//! Not here: what a backward pass is (`autodiff`), loops over vectors and matrices (`kernels`), the optimizer and the data.

mod code;
mod contract;
mod error;
mod executor;
mod footprint;
mod kernel;
mod lower;
mod memory;
mod op;
mod precision;
mod program;
mod roofline;
mod run;
mod view;
mod work;

pub use error::CpuError;
pub use executor::{Executor, Losses, Through};
pub use footprint::{Footprint, Held};
pub use lower::Shape;
pub use precision::Precision;
pub use program::Program;
pub use roofline::Roofline;
pub use run::meter::Spent;
pub use work::{KernelWork, Operation, Portion, Work};
