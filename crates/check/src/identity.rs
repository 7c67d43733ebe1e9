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
//! Not part of the identity: requirements, and the scale a design runs at.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::{Graph, LeafId};
use crate::design::{CheckedDesign, Times};

mod canonical;
mod term;

/// The identity of a design, `g1-` and 32 hexadecimal digits; the prefix is the version of the
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
            design.functions.iter().map(|function| canonical::canonical(&function.graph).digest).collect();
        of_stack(design, &digests)
    }
}

/// Hashes a design, and numbers the weights of its functions in canonical order.
pub(crate) fn identify(design: &mut CheckedDesign) -> DesignHash {
    let digests: Vec<blake3::Hash> = design
        .functions
        .iter_mut()
        .map(|function| {
            let form = canonical::canonical(&function.graph);
            number_leaves(&mut function.graph, &form.leaves);
            form.digest
        })
        .collect();
    of_stack(design, &digests)
}

/// Hashes the stack, given the digest of each function.
fn of_stack(design: &CheckedDesign, digests: &[blake3::Hash]) -> DesignHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"genesys design 1\n");
    for part in &design.stack {
        let repeats = match part.times {
            Times::Fixed(times) => times,
            Times::ToDepth => {
                hasher.update(b"to depth\n");
                1
            }
        };
        for _ in 0..repeats {
            part.body.iter().for_each(|id| _ = hasher.update(digests[id.0].as_bytes()));
        }
        hasher.update(if part.times == Times::ToDepth { b"end\n" } else { b"" });
    }
    hasher.update(b"final\n");
    design.last.iter().for_each(|id| _ = hasher.update(digests[id.0].as_bytes()));
    hasher.update(if design.tie_embeddings { b"tied\n" } else { b"untied\n" });
    let hex = hasher.finalize().to_hex();
    DesignHash(format!("g1-{}", &hex[..32]))
}

/// Weights without effect have no canonical number; the checker refuses them.
fn number_leaves(graph: &mut Graph, order: &[LeafId]) {
    let numbers: BTreeMap<LeafId, u32> = order.iter().enumerate().map(|(n, &leaf)| (leaf, n as u32)).collect();
    for (index, leaf) in graph.leaves.iter_mut().enumerate() {
        leaf.canonical = numbers.get(&LeafId(index as u32)).copied().unwrap_or(index as u32);
    }
}
