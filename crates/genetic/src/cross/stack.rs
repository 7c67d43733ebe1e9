//! Takes blocks of the second parent, or the way it stacks its own.
//!
//! Every unit of a stack is `Seq[D] -> Seq[D]`, so that any sequence of them chains. One entry is
//! repeated to the depth of the scale, and there are at most as many entries as the shallowest scale
//! has blocks.

use std::sync::Arc;

use genesys_span::Span;
use genesys_syntax::ast::{FieldValue, Repeat, StackItem, StackKind, UnitRef};

use super::Cross;
use crate::candidate::Candidate;
use crate::genome::{Genome, Source, unit_refs, unit_refs_mut};
use crate::operator::stack::with_block;

/// One block beside or for another; all of the second parent's stack; both stacks in turn.
pub(super) fn stack(cross: &Cross<'_>) -> Vec<Candidate> {
    let pool = &cross.pool;
    if pool.genome.has_side_values() || cross.donor.genome().has_side_values() {
        return Vec::new();
    }
    let foreign = pool.units.iter().filter(|unit| unit.is_foreign() && unit.is_block && unit.interface.is_sequence());
    let mut all: Vec<Candidate> = foreign.flat_map(|block| with_block("cross-stack", pool, block)).collect();
    let theirs = cross.donor.genome().stack().to_vec();
    let donor = Arc::clone(&cross.donor);
    let items = theirs.clone();
    all.push(Candidate::new("cross-stack", "the other's stack".into(), move |genome| {
        let items = brought(genome, &donor, items);
        genome.set_field("stack", FieldValue::Stack(items));
    }));
    let (mine, theirs) = (entries(pool.genome.stack()), entries(&theirs));
    // With one entry each, this is one of the patterns above.
    let is_new = mine.len() + theirs.len() > 2;
    if is_new && (mine.len() + theirs.len()) as u64 <= pool.room.depth {
        for mine_first in [true, false] {
            let (mine, theirs, donor) = (mine.clone(), theirs.clone(), Arc::clone(&cross.donor));
            let order = if mine_first { "behind" } else { "before" };
            let detail = format!("the other's blocks {order} each round of its own");
            all.push(Candidate::new("cross-stack", detail, move |genome| {
                let theirs = brought(genome, &donor, theirs);
                let inner = if mine_first { [mine, theirs].concat() } else { [theirs, mine].concat() };
                let group = StackItem {
                    kind: StackKind::Group(inner),
                    repeat: Repeat::ToDepth,
                    share: false,
                    span: Span::default(),
                };
                genome.set_field("stack", FieldValue::Stack(vec![group]));
            }));
        }
    }
    all
}

/// The blocks of a stack, each once for each time it is written.
fn entries(items: &[StackItem]) -> Vec<StackItem> {
    let mut all = Vec::new();
    unit_refs(items, &mut |unit: &UnitRef| {
        let kind = StackKind::Unit(unit.clone());
        all.push(StackItem { kind, repeat: Repeat::Once, share: false, span: Span::default() });
    });
    all
}

/// A stack with its units made part of a genome.
fn brought(genome: &mut Genome, donor: &Arc<Source>, mut items: Vec<StackItem>) -> Vec<StackItem> {
    unit_refs_mut(&mut items, &mut |unit| unit.name.text = genome.graft(donor, &unit.name.text));
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::crossings;

    const FIRST: &str = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { shift(x, 1) }";
    const SECOND: &str = "design C { stack = [B, E*] }\nunit B(x: Seq[D]) -> Seq[D] { shift(x, 2) }\n\
                          unit E(x: Seq[D]) -> Seq[D] { shift(x, 3) }";

    #[test]
    fn blocks_and_whole_stacks_are_taken() {
        let stacks: Vec<String> = crossings(stack, FIRST, SECOND)
            .into_iter()
            .map(|(_, text)| text.lines().find(|line| line.contains("stack")).expect("a stack").trim().to_string())
            .collect();
        for expected in ["[B2*]", "[B, E*]", "[[B, E]*]", "[B2, E*]", "[[B, B2, E]*]", "[[B2, E, B]*]"] {
            assert!(stacks.contains(&format!("stack = {expected}")), "{expected} among {stacks:?}");
        }
    }
}
