//! The identity of a design: a hash that names, comments, layout and the order of commuting
//! operands do not enter.
//!
//! The part of each graph that its output depends on is rewritten into terms of a normal form
//! (units and lets inlined, sums and products flattened, `a - b` as `a + -b`, `dot` as a sum of a
//! product, nested sums and shifts merged), shared where they are equal. Weights, axes and states
//! are bound names: each is a term of its own, never merged, numbered in an order that is found
//! by color refinement. Ties that refinement leaves fall back to the order of the text: two equal
//! designs may then be told apart, two different ones are never taken for one.
//!
//! Not part of the identity: requirements, and the scale a design runs at; with a scale's sizes put
//! in it is the [`RunKey`].

use std::collections::BTreeMap;
use std::fmt;

use crate::core::{Graph, LeafId};
use crate::design::{CheckedDesign, FunctionId, StackPart, Times};

mod canonical;
mod normal;
mod run;
mod store;
mod term;

pub use normal::{normal_form, normal_form_traced};
pub use run::RunKey;

/// The identity of a design, `g2-` and 32 hexadecimal digits; the prefix is the version of the
/// algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DesignHash(String);

impl DesignHash {
    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DesignHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DesignHash {
    /// The hash of a design, found anew; [`CheckedDesign::hash`] keeps it.
    pub fn of(design: &CheckedDesign) -> DesignHash {
        let digests: Vec<blake3::Hash> =
            design.functions.iter().map(|function| canonical::canonical(&function.graph).digest()).collect();
        of_stack(design, &digests)
    }
}

/// Hashes a design, and numbers the weights of its functions in canonical order; of some functions that was done before.
pub(crate) fn identify(design: &mut CheckedDesign, known: &[Option<blake3::Hash>]) -> DesignHash {
    let functions = design.functions.iter_mut().zip(known);
    let digests: Vec<blake3::Hash> =
        functions.map(|(function, known)| known.unwrap_or_else(|| identify_graph(&mut function.graph))).collect();
    of_stack(design, &digests)
}

/// The digest of a graph, whose weights are numbered in canonical order.
pub(crate) fn identify_graph(graph: &mut Graph) -> blake3::Hash {
    let form = canonical::canonical(graph);
    let leaves: Vec<LeafId> = form.leaves().collect();
    let digest = form.digest();
    number_leaves(graph, &leaves);
    digest
}

/// Hashes the stack, given the digest of each function.
fn of_stack(design: &CheckedDesign, digests: &[blake3::Hash]) -> DesignHash {
    let mut stack = Stack::new(design, digests, "genesys design 2\n");
    for part in &design.stack {
        stack.part(part);
    }
    DesignHash(format!("g2-{}", stack.finish()))
}

/// The stack being hashed.
struct Stack<'a> {
    design: &'a CheckedDesign,
    digests: &'a [blake3::Hash],
    hasher: blake3::Hasher,
    /// The values beside the main one, numbered where they are first met: their names do not count.
    sides: BTreeMap<&'a str, usize>,
}

impl<'a> Stack<'a> {
    fn new(design: &'a CheckedDesign, digests: &'a [blake3::Hash], what: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(what.as_bytes());
        Self { design, digests, hasher, sides: BTreeMap::new() }
    }

    /// What comes behind the blocks, and 32 hexadecimal digits.
    fn finish(mut self) -> String {
        self.hasher.update(b"final\n");
        self.design.last.iter().for_each(|id| self.call(*id));
        self.hasher.update(if self.design.tie_embeddings { b"tied\n" } else { b"untied\n" });
        self.hasher.finalize().to_hex()[..32].to_owned()
    }

    fn part(&mut self, part: &'a StackPart) {
        let (repeats, to_depth) = match part.times {
            Times::Fixed(times) => (times, false),
            Times::ToDepth => (1, true),
        };
        if to_depth {
            self.hasher.update(b"to depth\n");
            self.hasher.update(if part.shared { b"shared\n" } else { b"" });
        }
        for repeat in 0..repeats {
            let before = if part.shared { 0 } else { repeat * part.body.len() };
            for (n, entry) in part.body.iter().enumerate() {
                let number = repeat * part.body.len() + n;
                self.layer(entry.function, number - (before + entry.weights_of));
            }
        }
        self.hasher.update(if to_depth { b"end\n" } else { b"" });
    }

    /// A call with weights of its own, or those of the layer that stands `distance` before it.
    fn layer(&mut self, id: FunctionId, distance: usize) {
        self.call(id);
        if distance > 0 {
            self.hasher.update(format!("weights of {distance} before\n").as_bytes());
        }
    }

    fn call(&mut self, id: FunctionId) {
        self.hasher.update(self.digests[id.0].as_bytes());
        let graph = &self.design.functions[id.0].graph;
        let takes = graph.takes().map(|(name, _)| ("takes", name));
        for (what, name) in takes.chain(graph.gives().map(|(name, _)| ("gives", name))) {
            let next = self.sides.len();
            let number = *self.sides.entry(name).or_insert(next);
            self.hasher.update(format!("{what} {number}\n").as_bytes());
        }
    }
}

/// Weights without effect have no canonical number; the checker refuses them.
fn number_leaves(graph: &mut Graph, order: &[LeafId]) {
    let numbers: BTreeMap<LeafId, u32> = order.iter().enumerate().map(|(n, &leaf)| (leaf, n as u32)).collect();
    for (index, leaf) in graph.leaves.iter_mut().enumerate() {
        leaf.canonical = numbers.get(&LeafId(index as u32)).copied().unwrap_or(index as u32);
    }
}
