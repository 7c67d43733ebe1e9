//! What a processor does well: threads, functions of slices, reductions of rows, matrix products, AdamW.
//!
//! In: slices, strides and sizes. Out: numbers in place. Nothing here knows of a program, a tensor or a model, and
//! nothing allocates but what grows on first use and is kept.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `level` | which instructions the processor has, and one body compiled for each of them |
//! | `lanes` | registers of each level |
//! | `lines` | memory that begins at a line of the cache |
//! | `pool` | threads that share chunks of work |
//! | `brain` | numbers of 16 bits: bf16 |
//! | `math` | scalar functions over slices, with their errors |
//! | `code` | functions of a block of elements, one after the other |
//! | `slices` | sums into slices, the dot product |
//! | `rows` | reductions and softmax of rows |
//! | `thin` | products of vectors and matrices |
//! | `fade` | sums of vectors that fade from position to position |
//! | `sweep` | a pass over matrices that decay, take products and are summed |
//! | `gemm` | matrix products of any strides |
//! | `adamw` | one update of weights and moments |
//!
//! There are three paths: AVX-512, AVX2 with FMA, and plain Rust. The first found is taken, once a process. Orders of
//! summation are the same on all of them, so the two that round fused products give the same bits; the plain one rounds a
//! product before it adds. A result depends on the values and sizes that are given, never on a thread or a clock.
//!
//! This crate may hold `unsafe` and threads. Not here: what is computed, in which order, and where it lies.
#![warn(clippy::undocumented_unsafe_blocks)]

mod adamw;
mod brain;
mod code;
mod fade;
mod gemm;
mod lanes;
mod level;
mod lines;
mod math;
mod pool;
mod rows;
mod slices;
mod sweep;
mod thin;

pub use adamw::{Update, adamw, sum_of_squares};
pub use brain::{from_bf16, narrow, to_bf16, widen};
pub use code::{Act, Arithmetic, BLOCK, Block, STEPS, Step, Term, run_code};
pub use fade::{Fade, faded_dots, faded_runs, faded_scores, faded_sums};
pub use gemm::{Halves, Operand, has_bf16, multiply_bf16, multiply_packed_bf16, pack_panel_bf16, packed_len_bf16};
pub use gemm::{Matrix, Scratch, multiply, multiply_packed, pack_panel, packed_len, panels};
pub use level::Level;
pub use lines::Lines;
pub use math::{binary, binary_left, binary_right, unary};
pub use pool::Pool;
pub use rows::{RowReduction, reduce_rows, softmax_rows};
pub use slices::{add_to, dot, fill, multiply_add, multiply_add_to, scale_add_to, select};
pub use sweep::{Base, Plane, Reader, Source, sweep};
pub use thin::{row_dots, vector_matrix};
