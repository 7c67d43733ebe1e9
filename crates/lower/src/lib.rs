//! From a checked design to IR.
//!
//! - [`lower`]: a design and the functions of its stack in, a module out, symbolic in `D`.
//! - [`lower_traced`]: the same, and where each value of the module was written.
//! - [`lower_stack`]: the same from bare graphs.
//! - [`lower_unit`]: one graph as a function by itself, and which node each of its values is of.
//!
//! Inside: `plan` finds what depends on which state and splits scans by the checker's classes, `linear` writes what
//! is `decay * state + write` as such, `emit` places every node in its outermost region, `fuse` joins maps,
//! `merge` joins past-regions that share work, `stack` writes `main`, `traced` puts functions and
//! `main` together, `axes` gives axes unique names.
//!
//! Not here: sizes at a scale ([`genesys_ir::specialize`]), gradients, plans of memory.

mod axes;
mod emit;
mod fuse;
mod linear;
mod merge;
mod plan;
mod stack;
mod traced;

pub use traced::{Origins, Unit, lower_traced, lower_unit};

use genesys_check::CheckedDesign;
use genesys_check::core::Graph;
use genesys_check::design;
use genesys_ir::module::Module;

/// What a language model is made of, as graphs.
#[derive(Clone, Debug)]
pub struct Stack<'a> {
    /// The design's name.
    pub name: &'a str,
    /// Units, with names that are unique.
    pub functions: Vec<(&'a str, &'a Graph)>,
    /// The blocks, first block first.
    pub blocks: Vec<Layer>,
    /// The number of the unit between the last block and the logits.
    pub last: Option<usize>,
    /// Whether the logits use the embedding's weights.
    pub tie_embeddings: bool,
}

/// A block.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// The number of its unit in the stack's functions.
    pub function: usize,
    /// The number of the block whose weights it uses: its own, unless they are shared.
    pub weights_of: usize,
}

/// The module of a design whose blocks are `layers`, over a vocabulary of that many tokens.
/// Sizes stay symbolic in the width.
pub fn lower(design: &CheckedDesign, layers: &[design::Layer], vocabulary: u64) -> Module {
    lower_traced(design, layers, vocabulary).0
}

/// The module of a stack of units: the functions that are called, then `main`.
pub fn lower_stack(stack: &Stack<'_>, vocabulary: u64) -> Module {
    traced::stack_traced(stack, vocabulary).0
}
