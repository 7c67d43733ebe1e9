//! From a checked design to IR.
//!
//! - [`lower`]: a design and the functions of its stack in, a module out, symbolic in `D`.
//! - [`lower_traced`]: the same, and where each value of the module was written.
//! - [`lower_stack`]: the same from bare graphs.
//!
//! Inside: `plan` finds what depends on which state and splits scans, `linear` recognizes
//! `decay * state + write`, `emit` places every node in its outermost region, `fuse` joins maps,
//! `merge` joins past-regions that share work, `stack` writes `main`, `axes` gives axes unique names.
//!
//! Not here: sizes at a scale ([`genesys_ir::specialize`]), gradients, plans of memory.

mod axes;
mod emit;
mod fuse;
mod linear;
mod merge;
mod plan;
mod stack;

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Domain, Size};
use genesys_check::core::Graph;
use genesys_check::design;
use genesys_check::{CheckedDesign, normal_form};
use genesys_ir::module::{FunctionId, Module, ValueId};
use genesys_span::Span;

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

/// Where the values of a module's functions were written, function by function; of `main` nothing is known.
pub type Origins = Vec<BTreeMap<ValueId, Span>>;

/// As [`lower`], and where the module's values were written. Places mean nothing: equal designs differ in them.
pub fn lower_traced(design: &CheckedDesign, layers: &[design::Layer], vocabulary: u64) -> (Module, Origins) {
    stack_traced(
        &Stack {
            name: design.name(),
            functions: design.functions().iter().map(|f| (f.name.as_str(), &f.graph)).collect(),
            blocks: layers.iter().map(|l| Layer { function: l.function.0, weights_of: l.weights_of }).collect(),
            last: design.last().map(|id| id.0),
            tie_embeddings: design.tie_embeddings(),
        },
        vocabulary,
    )
}

/// The module of a stack of units: the functions that are called, then `main`.
pub fn lower_stack(stack: &Stack<'_>, vocabulary: u64) -> Module {
    stack_traced(stack, vocabulary).0
}

fn stack_traced(stack: &Stack<'_>, vocabulary: u64) -> (Module, Origins) {
    let mut axes = axes::Axes::default();
    let width = axes.add("D", Domain::Static(Size::symbol("D")));
    let size = Size::int(i64::try_from(vocabulary).unwrap_or(i64::MAX));
    let vocabulary = axes.add("V", Domain::Static(size));
    let called: BTreeSet<usize> = stack.blocks.iter().map(|block| block.function).chain(stack.last).collect();
    let (mut functions, mut signatures, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    let mut numbers = BTreeMap::new();
    for index in called {
        let (name, graph) = stack.functions[index];
        numbers.insert(index, FunctionId(functions.len() as u32));
        let emitted = emit::function(name.to_string(), &plan::Plan::new(&normal_form(graph)), &mut axes);
        functions.push(emitted.function);
        signatures.push(emitted.signature);
        origins.push(emitted.origins);
    }
    let main = stack::main(&stack::Stack {
        axes: axes.all(),
        functions: &functions,
        signatures: &signatures,
        width,
        vocabulary,
        blocks: stack.blocks.iter().map(|block| (numbers[&block.function], block.weights_of)).collect(),
        last: stack.last.map(|index| numbers[&index]),
        tie_embeddings: stack.tie_embeddings,
    });
    functions.push(main);
    origins.push(BTreeMap::new());
    (Module { name: stack.name.to_string(), axes: axes.into_inner(), functions }, origins)
}
